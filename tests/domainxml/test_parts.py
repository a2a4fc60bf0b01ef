"""Every declared field above the devices is read and written; the words inside values are libvirt's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.domainxml import document, syntax
from qcaps.domainxml.codec import Element
from qcaps.domainxml.devices.disksource import DiskSource
from qcaps.domainxml.document import DomainError
from qcaps.domainxml.domain import Domain
from qcaps.domainxml.element import fields_of
from qcaps.domainxml.memory import CurrentMemory, GuestMemory, Size, SizeError, kib
from qcaps.domainxml.namespace import qemu_arguments, qemu_environment, qemu_flags
from qcaps.domainxml.plan import plan_of
from qcaps.release import R9_0, R11_3, R12_8

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = b"""<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>everything</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <genid>e9392370-2917-565e-692b-d057f46512d6</genid>
  <title>A title</title>
  <description>Two
lines</description>
  <metadata><app:x xmlns:app='http://app.example/'>kept</app:x></metadata>
  <maxMemory slots='16' unit='GiB'>8</maxMemory>
  <memory unit='MiB' dumpCore='off'>2048</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <blkiotune>
    <weight>800</weight>
    <device>
      <path>/dev/sda</path><weight>700</weight>
      <read_iops_sec>1</read_iops_sec><write_iops_sec>2</write_iops_sec>
      <read_bytes_sec>3</read_bytes_sec><write_bytes_sec>4</write_bytes_sec>
    </device>
  </blkiotune>
  <memtune>
    <hard_limit unit='G'>5</hard_limit><soft_limit unit='M'>4</soft_limit>
    <min_guarantee>3</min_guarantee><swap_hard_limit>2</swap_hard_limit>
  </memtune>
  <memoryBacking>
    <hugepages><page size='2' unit='M' nodeset='0-1'/></hugepages>
    <nosharepages/><locked/><source type='memfd'/><access mode='shared'/>
    <allocation mode='immediate' threads='4'/><discard/>
  </memoryBacking>
  <vcpu placement='static' cpuset='0-3,^1' current='2'>4</vcpu>
  <vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/></vcpus>
  <iothreads>2</iothreads>
  <iothreadids><iothread id='1' thread_pool_min='1' thread_pool_max='8'/></iothreadids>
  <defaultiothread thread_pool_min='1' thread_pool_max='9'/>
  <cputune>
    <shares>1024</shares><period>100000</period><quota>-1</quota>
    <global_period>100000</global_period><global_quota>-1</global_quota>
    <emulator_period>100000</emulator_period><emulator_quota>-1</emulator_quota>
    <iothread_period>100000</iothread_period><iothread_quota>-1</iothread_quota>
    <vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='1'/><iothreadpin iothread='1' cpuset='2'/>
    <emulatorsched scheduler='idle' priority='0'/>
    <vcpusched vcpus='0-1' scheduler='fifo' priority='1'/>
    <iothreadsched iothreads='1' scheduler='batch' priority='2'/>
    <cachetune vcpus='0'>
      <cache id='0' level='3' type='both' size='3' unit='MiB'/><monitor level='3' vcpus='0'/>
    </cachetune>
    <memorytune vcpus='1'><node id='0' bandwidth='60'/><monitor vcpus='1'/></memorytune>
  </cputune>
  <numatune>
    <memory mode='strict' placement='static' nodeset='0-1'/>
    <memnode cellid='0' mode='preferred' nodeset='0'/>
  </numatune>
  <resource><partition>/machine</partition><fibrechannel appid='a b'/></resource>
  <sysinfo type='smbios'>
    <bios><entry name='vendor'>V</entry></bios>
    <system><entry name='serial'>S</entry></system>
    <baseBoard><entry name='asset'>A</entry></baseBoard>
    <chassis><entry name='sku'>K</entry></chassis>
    <oemStrings><entry>O</entry></oemStrings>
  </sysinfo>
  <sysinfo type='fwcfg'><entry name='opt/x' file='/tmp/x'/></sysinfo>
  <bootloader>/usr/bin/pygrub</bootloader>
  <bootloader_args>--append</bootloader_args>
  <os firmware='efi'>
    <type arch='x86_64' machine='q35'>hvm</type>
    <firmware><feature enabled='yes' name='secure-boot'/></firmware>
    <loader readonly='yes' secure='yes' type='pflash' stateless='no'>/usr/share/OVMF.fd</loader>
    <nvram template='/t.fd' type='network'>
      <source file='/f' dev='/d' protocol='nbd' name='n'>
        <host name='h' port='1' transport='tcp' socket='/s'/>
      </source>
    </nvram>
    <kernel>/vmlinuz</kernel><initrd>/initrd</initrd><cmdline>a &amp; b</cmdline>
    <dtb>/dtb</dtb><root>/dev/vda</root>
    <acpi><table type='slic'>/slic</table></acpi>
    <boot dev='network'/><boot dev='hd'/>
    <bootmenu enable='yes' timeout='3000'/>
    <bios useserial='yes' rebootTimeout='-1'/>
    <smbios mode='sysinfo'/>
  </os>
  <idmap><uid start='0' target='1' count='2'/><gid start='0' target='1' count='2'/></idmap>
  <features>
    <acpi/><apic eoi='on'/><pae/><hap state='on'/><viridian/><privnet/>
    <hyperv mode='custom'>
      <relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='4096'/><vpindex state='on'/>
      <runtime state='on'/><synic state='on'/><stimer state='on'><direct state='on'/></stimer>
      <reset state='on'/><vendor_id state='on' value='KVM Hv'/><frequencies state='on'/>
      <reenlightenment state='on'/><tlbflush state='on'/><ipi state='on'/><evmcs state='off'/>
      <avic state='off'/>
    </hyperv>
    <kvm>
      <hidden state='on'/><hint-dedicated state='on'/><poll-control state='on'/><pv-ipi state='off'/>
      <dirty-ring state='on' size='4096'/>
    </kvm>
    <pvspinlock state='on'/><capabilities policy='deny'><mknod state='on'/></capabilities>
    <pmu state='off'/><vmport state='off'/><gic version='3'/>
    <smm state='on'><tseg unit='MiB'>48</tseg></smm><ioapic driver='kvm'/>
    <hpt resizing='required'><maxpagesize unit='MiB'>1</maxpagesize></hpt>
    <vmcoreinfo state='on'/><htm state='on'/><nested-hv state='off'/><msrs unknown='ignore'/>
    <ccf-assist state='on'/>
    <xen><e820_host state='on'/><passthrough state='on' mode='share_pt'/></xen>
    <cfpc value='fixed'/><sbbc value='broken'/><ibs value='fixed-na'/>
    <tcg><tb-cache unit='MiB'>64</tb-cache></tcg>
  </features>
  <cpu mode='custom' match='exact' check='partial'>
    <model fallback='forbid' vendor_id='GenuineIntel'>Skylake-Client</model>
    <vendor>Intel</vendor>
    <topology sockets='1' dies='1' cores='2' threads='2'/>
    <cache level='3' mode='emulate'/><maxphysaddr mode='emulate' bits='42'/>
    <feature policy='require' name='vmx'/><feature policy='disable' name='hle'/>
    <numa>
      <cell id='0' cpus='0-3' memory='2097152' unit='KiB' memAccess='shared' discard='yes'>
        <distances><sibling id='0' value='10'/></distances>
        <cache level='1' associativity='direct' policy='writeback'>
          <size value='10' unit='KiB'/><line value='8' unit='B'/>
        </cache>
      </cell>
      <interconnects>
        <latency initiator='0' target='0' cache='1' type='access' value='5'/>
        <bandwidth initiator='0' target='0' cache='1' type='read' value='204800' unit='KiB'/>
      </interconnects>
    </numa>
  </cpu>
  <clock offset='variable' adjustment='-3600' basis='utc' timezone='Europe/Rome' start='0'>
    <timer name='tsc' present='yes' tickpolicy='catchup' track='guest' frequency='3000000000' mode='native'>
      <catchup threshold='123' slew='120' limit='10000'/>
    </timer>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>coredump-restart</on_crash>
  <on_lockfailure>pause</on_lockfailure>
  <pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='no'/></pm>
  <perf><event name='cmt' enabled='yes'/></perf>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
  <seclabel type='static' model='dac' relabel='no'>
    <label>l</label><imagelabel>i</imagelabel><baselabel>b</baselabel>
  </seclabel>
  <keywrap><cipher name='aes' state='off'/></keywrap>
  <launchSecurity type='sev' kernelHashes='yes'>
    <cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits><policy>0x0003</policy>
    <dhCert>AQ==</dhCert><session>Ag==</session>
  </launchSecurity>
  <qemu:commandline>
    <qemu:arg value='-unknown'/><qemu:arg value='parameter'/>
    <qemu:env name='NS' value='ns'/><qemu:env name='BAR'/>
  </qemu:commandline>
  <qemu:capabilities><qemu:add capability='a'/><qemu:del capability='b'/></qemu:capabilities>
</domain>
"""

# what excludes a word above: a path instead of a source, the host's CPU instead of a model
OTHERWISE = EVERYTHING.replace(b"type='network'>", b">/var/nvram.fd<ignored/>").replace(
    b"mode='custom' match='exact' check='partial'", b"mode='host-passthrough' migratable='on'"
)


# what libvirt 9.0.0 does not know
NEWER = b"""<domain type='kvm'><name>newer</name><memory>1024</memory>
  <iothreadids><iothread id='1'><poll max='3' grow='2' shrink='1'/></iothread></iothreadids>
  <os><type>hvm</type><loader type='pflash' format='raw'>/f</loader>
    <nvram template='/t' templateFormat='raw' format='qcow2'>/v</nvram></os>
  <features>
    <hyperv><emsr_bitmap state='on'/><xmm_input state='on'/></hyperv><ps2 state='on'/>
  </features>
  <cpu mode='host-passthrough'>
    <topology sockets='1' dies='1' clusters='2' cores='1' threads='1'/>
    <maxphysaddr mode='passthrough' limit='39'/>
  </cpu>
  <devices>
    <disk type='file' device='disk' model='usb-storage'><target dev='sda' bus='usb'/></disk>
    <video><model type='virtio' device='virtio-vga'/></video>
    <watchdog model='itco' action='reset'/>
    <watchdog model='ib700' action='reset'/>
  </devices>
</domain>
"""


def _declared(cls: type[Element], seen: set[type[Element]]) -> Iterator[tuple[str, str]]:
    if cls in seen or cls.TAG == "devices" or cls is DiskSource:  # they have tests of their own
        return
    seen.add(cls)
    for item in plan_of(cls):
        yield cls.__name__, item.field
        for member in item.members:
            yield from _declared(member, seen)


def _touched(element: Element) -> Iterator[tuple[str, str]]:
    for field in fields_of(type(element)):
        if field.name not in element.__dict__:
            continue
        yield type(element).__name__, field.name
        value = element.__dict__[field.name]
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Element):
                yield from _touched(one)


def test_samples_touch_every_declared_field() -> None:
    touched = {pair for text in (EVERYTHING, OTHERWISE) for pair in _touched(document.parse(text))}
    touched |= set(_touched(document.parse(NEWER, release=R12_8)))
    assert set(_declared(Domain, set())) - touched == set()


@pytest.mark.parametrize("text", [EVERYTHING, OTHERWISE])
def test_everything_survives_a_round_trip(text: bytes) -> None:
    domain = document.parse(text)
    written = document.format(domain)
    assert document.parse(written.encode()) == domain
    assert document.format(document.parse(written.encode())) == written


def test_words_of_a_newer_release_survive_a_round_trip_there_and_are_unknown_before() -> None:
    domain = document.parse(NEWER, release=R12_8)
    assert document.parse(document.format(domain).encode(), release=R12_8) == domain
    with pytest.raises(DomainError, match=r"ps2: is no word libvirt 9\.0\.0 knows"):
        document.parse(NEWER, release=R9_0)
    known = NEWER.replace(b"<emsr_bitmap state='on'/><xmm_input state='on'/>", b"")
    known = known.replace(b"<ps2 state='on'/>", b"")
    with pytest.raises(DomainError, match="may appear only once"):
        document.parse(known, release=R9_0)
    one = known.replace(b"<watchdog model='ib700' action='reset'/>", b"")
    for release, text in ((R9_0, "usb-storage"), (R11_3, "usb-storage")):
        with pytest.raises(DomainError, match=rf"'{text}' is not one of .* \(libvirt {release}\.0\)"):
            document.parse(one, release=release)
    older = one.replace(b" model='usb-storage'", b"")
    with pytest.raises(
        DomainError, match=r"'itco' is not one of diag288, i6300esb, ib700 \(libvirt 9\.0\.0\)"
    ):
        document.parse(older, release=R9_0)
    written = document.format(document.parse(older, release=R11_3, strangers=False))
    assert "clusters='2'" in written
    assert "format='raw'" in written
    assert "virtio-vga" not in written


def test_values_of_the_main_fields() -> None:
    domain = document.parse(EVERYTHING)
    assert (domain.name, domain.virt_type, domain.arch, domain.machine) == (
        "everything",
        "kvm",
        "x86_64",
        "q35",
    )
    assert domain.emulator == "/usr/bin/qemu-system-x86_64"
    assert domain.description == "Two\nlines"
    assert kib(domain.memory) == 2048 * 1024
    assert domain.memory is not None
    assert domain.memory.dump_core is False
    assert domain.launch_security is not None
    assert domain.launch_security.policy == 3
    assert domain.os.cmdline == "a & b"
    assert domain.os.bios is not None
    assert domain.os.bios.reboot_timeout == -1
    assert domain.features is not None
    assert domain.features.acpi is True
    assert domain.features.pmu is not None
    assert domain.features.pmu.state is False


def test_defaults_of_a_small_domain() -> None:
    domain = document.parse(b"<domain type='qemu'><name>x</name><os><type>hvm</type></os></domain>")
    assert (domain.emulator, domain.arch, domain.machine, domain.uuid) == (None, None, None, None)
    assert domain.devices == type(domain.devices)()
    assert kib(domain.memory) == 0
    assert domain.unknown_children == ()


def test_order_of_children_is_libvirts() -> None:
    written = document.format(document.parse(EVERYTHING))
    marks = [
        "<name>",
        "<maxMemory",
        "<memory ",
        "<currentMemory",
        "<memoryBacking",
        "<vcpu ",
        "<cputune",
        "<os ",
    ]
    marks += [
        "<features>",
        "<cpu ",
        "<clock",
        "<on_poweroff",
        "<pm>",
        "<devices>",
        "<seclabel",
        "<launchSecurity",
    ]
    places = [written.index(mark) for mark in marks]
    assert places == sorted(places)


def test_what_stands_in_qemus_namespace() -> None:
    domain = document.parse(EVERYTHING)
    assert qemu_arguments(domain) == ("-unknown", "parameter")
    assert qemu_environment(domain) == (("NS", "ns"), ("BAR", ""))
    assert qemu_flags(domain) == (("a",), ("b",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", {0}),
        ("0-3", {0, 1, 2, 3}),
        ("0-3,^1", {0, 2, 3}),
        ("^1,0-3", {0, 1, 2, 3}),
        (" 1 , 3 - 4 ", {1, 3, 4}),
        ("5,", {5}),
        ("16383", {16383}),
        ("1,^1", set()),
    ],
)
def test_sets_of_numbers(text: str, expected: set[int]) -> None:
    assert set(syntax.each(syntax.cpuset(text))) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", ",1", "1,,2", "-1", "3-1", "^1-2", "^", "a", "1-", "16384", "0-99999999999", "1 2", "^ 1"],
)
def test_what_is_no_set_of_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=r"number"):
        syntax.cpuset(text)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1, None, 1),
        (1, "b", 1),
        (1025, "bytes", 2),
        (1, "KB", 1),
        (2, "kb", 2),
        (3, "k", 3),
        (1, "m", 1024),
        (1, "MB", 977),
        (1, "MiB", 1024),
        (1, "GB", 976563),
        (1, "gib", 1048576),
        (1, "T", 2**30),
        (1, "PiB", 2**40),
        (7, "E", 7 * 2**50),
        (0, "KiB", 0),
    ],
)
def test_sizes_round_up_to_kib(value: int, unit: str | None, expected: int) -> None:
    assert kib(GuestMemory(value=value, unit=unit)) == expected


def test_a_size_without_a_unit_takes_the_default_of_its_place() -> None:
    assert kib(Size(value=8), "MiB") == 8192


@pytest.mark.parametrize(
    ("value", "unit"),
    [(8, "EiB"), (2**64 - 1, "b"), (2**63 - 1, "b"), (2**60, "KiB"), (1, "XB"), (1, "KiBi")],
)
def test_sizes_too_large_or_without_a_known_unit(value: int, unit: str) -> None:
    with pytest.raises(SizeError, match="<currentMemory>"):
        kib(CurrentMemory(value=value, unit=unit))


@pytest.mark.parametrize(
    "text",
    [
        "c7a5fdbd-edaf-9455-926a-d65c16db1809",
        "C7A5FDBDEDAF9455926AD65C16DB1809",
        "  c7a5fdbd edaf-9455 926a--d65c16db1809\n",
    ],
)
def test_uuids_in_every_dress(text: str) -> None:
    assert syntax.uuid(text) == "c7a5fdbd-edaf-9455-926a-d65c16db1809"


@pytest.mark.parametrize(
    "text", ["", "c7a5", "c7a5fdbd-edaf-9455-926a-d65c16db180", "g" * 32, "0" * 33, "0-" * 32]
)
def test_what_is_no_uuid(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        syntax.uuid(text)


def _texts(texts: str) -> Domain:
    os = "<os><type>hvm</type></os>"
    return document.parse(f"<domain type='qemu'><name>a</name>{os}{texts}</domain>".encode())


def test_blanks_may_stand_before_a_number_and_nowhere_else() -> None:
    number = _texts("<iothreads>\n 2</iothreads>").iothreads
    assert number == _texts("<iothreads>2</iothreads>").iothreads
    for text in (
        "<iothreads>2 </iothreads>",
        "<memory>1024\n</memory>",
        "<memory> </memory>",
        "<on_crash> destroy</on_crash>",
        "<on_crash>destroy </on_crash>",
        "<uuid> </uuid>",
    ):
        with pytest.raises(DomainError):
            _texts(text)


def test_a_text_is_all_that_stands_in_it() -> None:
    assert _texts("<title>a<b>c</b>d</title>").title == "acd"
    with pytest.raises(DomainError, match="on_crash: 'destroynow' is not one of"):
        _texts("<on_crash>destroy<b>now</b></on_crash>")


def test_an_empty_text_is_as_none_unless_it_says_something() -> None:
    empty = _texts("<title/><on_crash/><iothreads/><genid/><cputune><shares/></cputune>")
    assert (empty.title, empty.on_crash, empty.genid) == (None, None, "")
    assert empty.cputune is not None
    assert empty.cputune.shares is None
    with pytest.raises(DomainError, match="name"):
        document.parse(b"<domain type='qemu'><name/><os><type>hvm</type></os></domain>")
