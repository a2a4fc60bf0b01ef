"""What a start replaces in a domain, what it refuses, and that nothing else of the host is touched."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from qcaps.live.errors import NotStartable
from qcaps.live.host.embedded import Embedded
from qcaps.live.rewriting import startable
from qcaps.lookups.libvirt_laws import devices
from qcaps.scenario import scenario
from tests.support.touched import starts

if TYPE_CHECKING:
    from pathlib import Path

    from lxml.etree import _Element

GUEST = """\
<domain type='{type}' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>g</name>
  <metadata><app:x xmlns:app='http://example.org/x'>/theirs/note</app:x></metadata>
  <memory unit='GiB'>512</memory>
  <vcpu placement='static' cpuset='0-63'>2</vcpu>
  {top}
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{os}</os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {devices}
  </devices>
</domain>
"""


def guest(inner: str = "", *, os: str = "", top: str = "", machine: str = "q35", kind: str = "qemu") -> str:
    return GUEST.format(type=kind, devices=inner, os=os, top=top, machine=machine)


DISK = "<target dev='vd{}' bus='virtio'/></disk>"
LABEL = "<seclabel model='selinux' relabel='no'/>"
DEVICES = {
    "a file": f"<disk type='file'><driver name='qemu' type='qcow2' cache='none' io='native'/>"
    f"<source file='/theirs/a.qcow2' index='1'>{LABEL}</source><backingStore type='file'>"
    f"<format type='raw'/><source file='/theirs/base'/><backingStore/></backingStore>{DISK.format('a')}",
    "a block device": f"<disk type='block'><driver name='qemu' type='raw'/><source dev='/theirs/sda'/>"
    f"{DISK.format('b')}",
    "a network disk": "<disk type='network'><driver name='qemu' type='raw'/><auth username='u'>"
    "<secret type='ceph' usage='x'/></auth><source protocol='rbd' name='pool/theirs'>"
    f"<host name='ceph.example.org' port='6789'/></source>{DISK.format('c')}",
    "a volume": f"<disk type='volume'><source pool='theirs' volume='v'/>{DISK.format('d')}",
    "a folder as a disk": f"<disk type='dir'><driver type='fat'/><source dir='/theirs/d'/>"
    f"<readonly/>{DISK.format('e')}",
    "a lun": "<disk type='block' device='lun' rawio='yes' sgio='filtered'><source dev='/theirs/lun'>"
    "<reservations managed='yes'/></source><target dev='sda' bus='scsi'/></disk>",
    "drives": "<disk type='file' device='cdrom'><source file='/theirs/a.iso'/><target dev='sdb' bus='sata'/>"
    "<readonly/></disk><disk type='file' device='cdrom'><target dev='sdc' bus='sata'/></disk>"
    "<disk type='file' device='floppy'><source file='/theirs/f.img'/><target dev='fda' bus='fdc'/></disk>",
    "a folder": "<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs' queue='64'/>"
    "<binary path='/theirs/virtiofsd'/><source dir='/theirs/share'/><target dir='/tag'/></filesystem>",
    "networks": "".join(
        f"<interface type='{kind}' trustGuestRxFilters='no'><source {source}/><target dev='vnet7'/>"
        f"<model type='virtio'/><driver name='vhost' queues='4' event_idx='on'/>"
        f"<bandwidth><inbound average='9'/></bandwidth><rom file='/theirs/rom'/></interface>"
        for kind, source in (
            ("network", "network='theirs'"),
            ("bridge", "bridge='theirs0'"),
            ("direct", "dev='theirs0' mode='bridge'"),
        )
    ),
    "scripts": "<interface type='ethernet'><script path='/theirs/up'/><target dev='t0'/></interface>",
    "a function of the host": "<interface type='hostdev' managed='yes'><source>"
    "<address type='pci' domain='0' bus='7' slot='16' function='1'/></source></interface>",
    "character devices": "<serial type='tcp'><source mode='connect' host='theirs.example.org' service='23'/>"
    "<protocol type='telnet'/></serial><serial type='unix'><source mode='connect' path='/theirs/s.sock'>"
    "<reconnect enabled='yes' timeout='1'/></source></serial>"
    "<serial type='file'><source path='/theirs/s.out'/>"
    "<log file='/theirs/s.log'/></serial><parallel type='dev'><source path='/theirs/parport0'/></parallel>"
    "<channel type='unix'><source mode='bind' path='/theirs/ga.sock'/>"
    "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    "<channel type='pty'><source path='/theirs/pts'/><target type='virtio' name='/p'/></channel>"
    "<channel type='udp'><source mode='bind' host='0.0.0.0' service='1'/>"
    "<source mode='connect' host='0.0.0.0' service='2'/><target type='virtio' name='u'/></channel>",
    "redirection": "<redirdev bus='usb' type='tcp'>"
    "<source mode='connect' host='theirs' service='4000'/></redirdev>",
    "displays": "<graphics type='vnc' port='5907' websocket='5' passwd='secret' listen='0.0.0.0'>"
    "<listen type='address' address='0.0.0.0'/></graphics>"
    "<graphics type='sdl' display=':0' xauth='/theirs/x'/>"
    "<audio id='1' type='pulseaudio' serverName='/theirs/pulse'><input bufferLength='9'/></audio>",
    "random numbers": "<rng model='virtio'><rate bytes='9'/>"
    "<backend model='random'>/dev/hwrng</backend></rng>"
    "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='theirs' service='1'/>"
    "</backend></rng>",
    "input": "<input type='passthrough' bus='virtio'><source evdev='/theirs/event3'/></input>",
    "a lease": "<lease><lockspace>l</lockspace><key>k</key><target path='/theirs/lease'/></lease>",
}
WHOLE = {
    "efi by choice": {"os": " ", "top": "<x/>"},
    "firmware": {
        "os": "<loader readonly='yes' type='pflash'>/theirs/CODE.fd</loader>"
        "<nvram template='/theirs/VARS.fd'>/theirs/g_VARS.fd</nvram>"
    },
    "a flash without variables": {"os": "<loader readonly='yes' type='pflash'>/theirs/CODE.fd</loader>"},
    "a rom": {"os": "<loader type='rom'>/theirs/bios.bin</loader>"},
    "a kernel": {
        "os": "<kernel>/theirs/vmlinuz</kernel><initrd>/theirs/initrd</initrd>"
        "<cmdline>root=/dev/vda</cmdline>"
    },
    "a table": {"os": "<acpi><table type='slic'>/theirs/slic</table></acpi>"},
    "tuning": {
        "top": "<memtune><hard_limit unit='GiB'>1</hard_limit></memtune><blkiotune><weight>500</weight>"
        "</blkiotune><cputune><shares>9</shares><vcpupin vcpu='0' cpuset='63'/></cputune>"
        "<numatune><memory mode='strict' nodeset='0'/></numatune><resource><partition>/theirs</partition>"
        "</resource><memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages><locked/>"
        "</memoryBacking>"
        "<seclabel type='static' model='selinux' relabel='yes'><label>theirs</label></seclabel>"
        "<seclabel type='dynamic' model='dac' relabel='yes'/>"
    },
    "the host's cpu": {"top": "<cpu mode='host-passthrough' check='none' migratable='on'/>"},
    "cells and modules": {
        "top": "<maxMemory slots='4' unit='TiB'>2</maxMemory><cpu><numa>"
        "<cell id='0' cpus='0' memory='256' unit='GiB'/><cell id='1' cpus='1' memory='256' unit='GiB'/>"
        "</numa></cpu>",
        "inner": "<memory model='dimm'><target><size unit='GiB'>64</size><node>0</node></target></memory>"
        "<memory model='nvdimm'><source><path>/theirs/nvdimm</path></source>"
        "<target><size unit='GiB'>4</size><node>1</node></target></memory>",
    },
}
REFUSED = {
    "a device of the host": "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0' bus='7' slot='0' function='0'/></source></hostdev>",
    "a usb device": "<hostdev mode='subsystem' type='usb'><source>"
    "<vendor id='1'/><product id='2'/></source></hostdev>",
    "shared memory": "<shmem name='theirs'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "a vsock": "<vsock model='virtio'><cid auto='yes'/></vsock>",
    "an evdev": "<input type='evdev'><source dev='/theirs/event1'/></input>",
    "a path in what nobody knows": "<serial type='pty'><target port='0'/>"
    "<thing><deep path='/theirs/x'/></thing></serial>",
    "an address in what nobody knows": "<video><model type='vga' from='tcp://theirs.example.org'/></video>",
}


def rewritten(xml: str, folder: Path) -> _Element:
    return etree.fromstring(startable(xml, folder))


@pytest.mark.parametrize("kind", DEVICES)
def test_nothing_of_the_host_is_left_and_no_device_goes(kind: str, tmp_path: Path) -> None:
    xml = guest(DEVICES[kind])
    text = startable(xml, tmp_path)
    assert "theirs" not in text
    assert "secret" not in text
    before, after = (etree.fromstring(one) for one in (xml, text))
    assert [node.tag for node in before.iterfind("devices/*")] == [
        node.tag for node in after.iterfind("devices/*")
    ]
    for path in re.findall(rf"{re.escape(str(tmp_path))}[^'\"<]*", text):
        assert path.startswith(f"{tmp_path}/stand-ins/")
    assert startable(xml, tmp_path) == text  # what is there is used again


@pytest.mark.parametrize("kind", WHOLE)
def test_nothing_of_the_host_is_left_beside_the_devices(kind: str, tmp_path: Path) -> None:
    text = startable(guest(**WHOLE[kind]), tmp_path).replace(str(tmp_path), "")  # whose name has any digits
    assert "theirs" not in text
    assert "63" not in text


@pytest.mark.parametrize("kind", REFUSED)
def test_what_nothing_stands_in_for_is_refused_with_line_and_element(kind: str, tmp_path: Path) -> None:
    with pytest.raises(NotStartable, match=r"^line 11: <\w+>: not started: ") as raised:
        startable(guest(REFUSED[kind]), tmp_path)
    assert "theirs" not in str(raised.value)


def test_arguments_of_the_theirs_own_are_refused(tmp_path: Path) -> None:
    top = "<qemu:commandline><qemu:arg value='-drive'/></qemu:commandline>"
    with pytest.raises(NotStartable, match=r"^line 6: <commandline>: not started: "):
        startable(guest(top=top), tmp_path)
    startable(guest(top="<qemu:commandline/>"), tmp_path)


def test_firmware_by_choice_becomes_flash(tmp_path: Path) -> None:
    xml = guest().replace(
        "<os>", "<os firmware='efi'><firmware><feature enabled='yes' name='secure-boot'/></firmware>"
    )
    root = rewritten(xml, tmp_path)
    loader, nvram = root.find("os/loader"), root.find("os/nvram")
    assert loader is not None
    assert nvram is not None
    assert sorted(map(str, loader.values())) == ["pflash", "yes"]
    assert root.find("os[@firmware]") is None
    bios = rewritten(guest().replace("<os>", "<os firmware='bios'>"), tmp_path)
    assert bios.find("os/loader") is None


def test_a_screen_becomes_a_display_that_leaves_the_sound_as_it_was(tmp_path: Path) -> None:
    def kinds(inner: str) -> list[str | None]:
        return [node.get("type") for node in rewritten(guest(inner), tmp_path).iterfind("devices/graphics")]

    assert kinds("<graphics type='sdl'/>") == ["dbus"]
    assert kinds("<graphics type='sdl'/><audio id='1' type='none'/>") == ["vnc"]
    assert kinds("<graphics type='vnc'/><graphics type='egl-headless'/>") == ["vnc", "spice"]
    with pytest.raises(NotStartable, match="screen"):
        kinds("<graphics type='vnc'/><graphics type='spice'/><graphics type='dbus'/><graphics type='sdl'/>")


def test_memory_is_small_and_enough(tmp_path: Path) -> None:
    assert rewritten(guest(), tmp_path).findtext("memory") == str(32 << 10)
    root = rewritten(guest(**WHOLE["cells and modules"]), tmp_path)
    assert root.findtext("memory") == str((32 << 10) + 2 * (512 << 10))
    assert {cell.get("memory") for cell in root.iterfind("cpu/numa/cell")} == {str(32 << 10)}


def test_a_cpu_of_the_hosts_is_only_there_with_kvm(tmp_path: Path) -> None:
    top = "<cpu mode='host-passthrough'/>"
    modes = [rewritten(guest(top=top, kind=kind), tmp_path).find("cpu") for kind in ("qemu", "kvm")]
    assert [cpu.get("mode") for cpu in modes if cpu is not None] == ["maximum", "host-passthrough"]


# ── started ────────────────────────────────────────────────────────────────────────────────────────

STARTED = {
    **{kind: guest(inner) for kind, inner in DEVICES.items() if kind not in ("redirection", "a folder")},
    **{kind: guest(**how) for kind, how in WHOLE.items()},
    "a folder": guest(DEVICES["a folder"], top="<memoryBacking><access mode='shared'/></memoryBacking>"),
    "everything": guest(
        "".join(inner for kind, inner in DEVICES.items() if kind != "redirection"),
        os=WHOLE["a kernel"]["os"],
        top="<memoryBacking><access mode='shared'/></memoryBacking><seclabel type='none'/>",
    ),
}


@pytest.mark.libvirt
@pytest.mark.root
@pytest.mark.slow
def test_every_kind_starts_with_its_devices() -> None:
    with Embedded("none") as libvirt:
        for kind, xml in STARTED.items():
            defined, started = libvirt.define(xml), libvirt.run("start", xml)
            assert (kind, defined.error, started.error) == (kind, None, None)
            assert defined.xml
            assert started.xml
            assert devices(defined.xml) == devices(started.xml), kind
        refused = libvirt.run("start", guest(REFUSED["a vsock"]))
        assert not refused.accepted
        assert str(refused.error).startswith("line 11: <vsock>: not started: ")
        assert libvirt.run("start", scenario("simple").xml(1)).accepted


@pytest.mark.libvirt
@pytest.mark.root
@pytest.mark.slow
def test_a_start_opens_nothing_that_the_domain_names_and_writes_only_inside(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    files = [tmp_path / f"{kind}.xml" for kind in ("everything", "firmware", "cells and modules")]
    for file in files:
        file.write_text(STARTED[file.stem])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = starts(files, scratch, 300, marks=("theirs",))
    assert found.errors == {str(file): "" for file in files}
    assert found.naming(["stand-ins/image-disk-0"])
    assert found.naming(["theirs", "hwrng"]) == []
    assert found.written == []
    assert found.to_a_network == []
