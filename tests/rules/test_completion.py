"""Post-parse of the domain itself, and the devices that nobody asked for."""

# ruff: noqa: E501  # XML is easier to compare on one line

from __future__ import annotations

import re

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.devices import Audio, Controller, Input, Memory, Panic, Video
from qcaps.domainxml.document import parse
from qcaps.lookups.lookup import Lookup
from qcaps.lookups.policy import by_name
from qcaps.rules.definition.completion.post_parse import post_parse
from qcaps.rules.draft import Draft
from qcaps.rules.refusal import Refused
from tests.support.completing import (
    completed,
    draft_of,
    everything,
    one_line,
    shown,
)

X86_INPUTS = ["<input type='mouse' bus='ps2'/>", "<input type='keyboard' bus='ps2'/>"]
NO_AUDIO = "<audio id='1' type='none'/>"
BALLOON = "<memballoon model='virtio'/>"
PIIX3 = "<controller type='usb' index='0' model='piix3-uhci'/>"
VNC = "<graphics type='vnc'/>"

# what comes with each board, address assignment (root ports) not yet in it
EMPTY = {
    "pc": [PIIX3, "<controller type='pci' index='0' model='pci-root'/>", *X86_INPUTS, NO_AUDIO, BALLOON],
    "q35": [
        "<controller type='usb' index='0' model='qemu-xhci'/>",
        "<controller type='sata' index='0'/>",
        "<controller type='pci' index='0' model='pcie-root'/>",
        *X86_INPUTS,
        NO_AUDIO,
        BALLOON,
    ],
    "isapc": [*X86_INPUTS, NO_AUDIO, BALLOON],
    "microvm": [PIIX3, *X86_INPUTS, NO_AUDIO, BALLOON],
    "virt": ["<controller type='pci' index='0' model='pcie-root'/>", NO_AUDIO],
    "s390-ccw-virtio": [
        "<controller type='pci' index='0' model='pci-root'/>",
        NO_AUDIO,
        BALLOON,
        "<panic model='s390'/>",
    ],
    "pseries": [
        "<controller type='usb' index='0' model='qemu-xhci'/>",
        "<controller type='pci' index='0' model='pci-root'/>",
        NO_AUDIO,
        BALLOON,
        "<panic model='pseries'/>",
    ],
}


@pytest.mark.parametrize("machine", EMPTY)
def test_what_comes_with_an_empty_domain(machine: str) -> None:
    assert everything(completed(machine=machine)) == EMPTY[machine]


def test_a_display_brings_a_card_and_pseries_inputs() -> None:
    draft = completed(VNC, "pseries")
    assert shown(draft, Input) == ["<input type='keyboard' bus='usb'/>", "<input type='mouse' bus='usb'/>"]
    assert shown(draft, Video) == ["<video><model type='vga' vram='16384' heads='1' primary='yes'/></video>"]


def test_a_tablet_does_the_work_of_the_mouse() -> None:
    draft = completed(VNC + "<input type='tablet' bus='usb'/>", "pseries")
    assert [one.type for one in draft.of(Input)] == ["tablet", "keyboard"]


@pytest.mark.parametrize(
    ("graphics", "backend"),
    [
        ("", ["none"]),
        ("<graphics type='spice'/>", ["spice"]),
        ("<graphics type='spice'/>" + VNC, ["none"]),
        ("<graphics type='sdl'/>", []),
        ("<graphics type='egl-headless'/>", []),
    ],
)
def test_default_audio_follows_the_last_display_with_sound(graphics: str, backend: list[str]) -> None:
    assert [one.type for one in completed(graphics).of(Audio)] == backend


def test_what_is_there_is_not_added() -> None:
    given = "<controller type='usb' index='0' model='none'/><memballoon model='none'/><input type='mouse' bus='ps2'/>"
    draft = completed(given, "q35")
    assert [one.model for one in draft.of(Controller) if one.type == "usb"] == ["none"]
    assert everything(draft).count("<memballoon model='none'/>") == 1
    assert [one.type for one in draft.of(Input)] == ["mouse", "keyboard"]


def test_a_machine_has_its_own_root() -> None:
    with pytest.raises(Refused, match="PCI controller 0 of this machine must be a pcie-root"):
        completed("<controller type='pci' index='0' model='pci-root'/>", "q35")


def test_a_panic_device_of_the_guest_is_the_one_of_the_machine() -> None:
    assert [one.model for one in completed("<panic/>", "s390-ccw-virtio").of(Panic)] == ["s390"]
    with pytest.raises(Refused, match="two panic devices of model 'isa'"):
        completed("<panic/><panic model='isa'/>")


def test_machine_names_become_canonical() -> None:
    assert completed(machine="q35").domain.machine == "pc-q35-7.2"
    nameless = Draft(
        parse(b"<domain type='kvm'><name>t</name><memory>9</memory><os><type>hvm</type></os></domain>")
    )
    post_parse(nameless, Lookup.given(snapshot("x86_64").capabilities))
    assert (nameless.domain.arch, nameless.domain.machine) == ("x86_64", "pc-i440fx-7.2")


# ── the domain's own elements ──────────────────────────────────────────────────────────────────────


def test_an_identity_is_made_up_once() -> None:
    domain = completed(head="<genid/>").domain
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, domain.uuid or "")
    assert re.fullmatch(uuid, domain.genid or "")
    assert completed(head="<genid/>").domain.uuid != domain.uuid


def test_uuids_of_smbios_count() -> None:
    table = "<sysinfo type='smbios'><system><entry name='uuid'>{}</entry></system></sysinfo>"
    own = "C7A5FDBD-EDAF-9455-926A-D65C16DB1809"
    assert completed(head=table.format(own)).domain.uuid == own.lower()


def test_memory_is_counted_in_kib() -> None:
    domain = completed(
        head="<memory unit='MiB'>1</memory><currentMemory unit='b'>1500</currentMemory>"
    ).domain
    assert domain.memory is not None
    assert domain.current_memory is not None
    assert (domain.memory.value, domain.memory.unit) == (1024, "KiB")
    assert (domain.current_memory.value, domain.current_memory.unit) == (2, "KiB")


NODES = "<cpu><numa><cell cpus='0-1' memory='1' unit='GiB'/><cell cpus='2' memory='1024'/></numa></cpu>"
DIMM = "<memory model='dimm'><target><size unit='MiB'>1</size><node>0</node></target></memory>"


def test_memory_of_nodes_and_modules_is_the_total() -> None:
    most = "<maxMemory slots='2' unit='GiB'>4</maxMemory>"
    draft = completed(DIMM, head=most + "<memory>1</memory><vcpu>4</vcpu>" + NODES)
    assert draft.domain.memory is not None
    assert draft.domain.memory.value == 1048576 + 1024 + 1024
    assert draft.domain.cpu is not None
    assert draft.domain.cpu.numa is not None
    assert [cell.cpus for cell in draft.domain.cpu.numa.cell] == ["0-1,3", "2"]
    assert "<size unit='KiB'>1024</size>" in shown(draft, Memory)[0]


@pytest.mark.parametrize(
    ("module", "head", "why"),
    [
        ("", "<memory>0</memory>", "no size of memory"),
        (DIMM, "<memory>512</memory><maxMemory slots='1'>4096</maxMemory>", "larger than all memory"),
        (DIMM, "<memory>4096</memory><maxMemory slots='1'>2048</maxMemory>", "less than <memory>"),
        ("", "<memory>4096</memory><maxMemory>8192</maxMemory>", "a size and a number of slots"),
    ],
)
def test_memory_that_does_not_add_up(module: str, head: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        completed(module, head=head)


def test_vcpus_are_one_unless_told() -> None:
    assert one_line(completed().domain.vcpu) == "<vcpu placement='static'>1</vcpu>"
    assert one_line(completed(head="<vcpu current='2'>4</vcpu>").domain.vcpu) == (
        "<vcpu placement='static' current='2'>4</vcpu>"
    )


def test_states_of_single_vcpus() -> None:
    states = "<vcpu>3</vcpu><vcpus><vcpu id='0' enabled='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>"
    domain = completed(head=states).domain
    assert domain.vcpus is not None
    assert [(one.enabled, one.hotpluggable) for one in domain.vcpus.vcpu] == [
        (True, False),
        (False, True),
        (True, True),
    ]
    assert one_line(domain.vcpu) == "<vcpu placement='static' current='2'>3</vcpu>"


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ("<vcpu id='0' enabled='no'/>", "vCPU 0 cannot be offline"),
        ("<vcpu id='0' enabled='yes' hotpluggable='yes'/>", "vCPU 0 cannot be hotpluggable"),
        (
            "<vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no' hotpluggable='no'/>",
            "neither there nor pluggable",
        ),
        (
            "<vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='yes'/>",
            "all vCPUs have an order, or none",
        ),
    ],
)
def test_states_that_cannot_be(states: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        completed(head=f"<vcpu>2</vcpu><vcpus>{states}</vcpus>")


def test_iothreads_are_numbered_to_the_end() -> None:
    domain = completed(head="<iothreads>3</iothreads><iothreadids><iothread id='2'/></iothreadids>").domain
    assert domain.iothreadids is not None
    assert [one.id for one in domain.iothreadids.iothread] == [2, 1, 3]


def test_pins_and_schedulers_stand_alone_and_in_order() -> None:
    tune = (
        "<vcpu>2</vcpu><cputune><vcpupin vcpu='1' cpuset='0,1,2,^1'/><vcpupin vcpu='0' cpuset='1'/>"
        "<vcpupin vcpu='7' cpuset='1'/><vcpusched vcpus='0-1' scheduler='idle'/></cputune>"
    )
    assert one_line(completed(head=tune).domain.cputune) == (
        "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='0,2'/>"
        "<vcpusched vcpus='0' scheduler='idle'/><vcpusched vcpus='1' scheduler='idle'/></cputune>"
    )


@pytest.mark.parametrize(
    ("machine", "kind", "cpu", "expected"),
    [
        (
            "pc",
            "qemu",
            "",
            "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>",
        ),
        (
            "pc",
            "kvm",
            "<cpu><model>Haswell</model><feature name='vmx'/></cpu>",
            (
                "<cpu mode='custom' match='exact' check='partial'><model fallback='allow'>Haswell</model>"
                "<feature policy='require' name='vmx'/></cpu>"
            ),
        ),
        (
            "pc",
            "kvm",
            "<cpu mode='host-passthrough'/>",
            "<cpu mode='host-passthrough' check='none' migratable='on'/>",
        ),
        ("pc", "kvm", "<cpu mode='host-model'/>", "<cpu mode='host-model' check='partial'/>"),
        (
            "pc",
            "qemu",
            "<vcpu>2</vcpu><cpu><topology sockets='2' cores='1' threads='1'/></cpu>",
            (
                "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model>"
                "<topology sockets='2' dies='1' cores='1' threads='1'/></cpu>"
            ),
        ),
        (
            "pseries",
            "qemu",
            "",
            "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>POWER9</model></cpu>",
        ),
        (
            "virt",
            "qemu",
            "<cpu><model>max</model><feature name='sve128'/></cpu>",
            (
                "<cpu mode='custom' match='exact' check='none'><model fallback='allow'>max</model>"
                "<feature policy='require' name='sve128'/><feature policy='require' name='sve'/></cpu>"
            ),
        ),
    ],
)
def test_cpus(machine: str, kind: str, cpu: str, expected: str) -> None:
    assert one_line(completed(machine=machine, head=cpu, kind=kind).domain.cpu) == expected


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("<pmu/><vmport state='off'/>", "<pmu state='on'/><vmport state='off'/>"),
        ("<hyperv><relaxed state='on'/></hyperv>", "<hyperv mode='custom'><relaxed state='on'/></hyperv>"),
        (
            "<hyperv><spinlocks state='off' retries='4096'/></hyperv>",
            "<hyperv mode='custom'><spinlocks state='off'/></hyperv>",
        ),
        ("<tcg><tb-cache unit='MiB'>1</tb-cache></tcg>", "<tcg><tb-cache unit='KiB'>1024</tb-cache></tcg>"),
    ],
)
def test_features_are_on_unless_told(features: str, expected: str) -> None:
    assert one_line(completed(head=f"<features>{features}</features>").domain.features) == (
        f"<features>{expected}</features>"
    )


def test_virt_has_an_interrupt_controller() -> None:
    assert one_line(completed(machine="virt").domain.features) == "<features><gic version='2'/></features>"


def test_tseg_needs_q35() -> None:
    smm = "<features><smm><tseg>48</tseg></smm></features>"
    assert "<tseg unit='MiB'>48</tseg>" in one_line(completed(machine="q35", head=smm).domain.features)
    with pytest.raises(Refused, match="needs a q35 machine"):
        completed(head=smm)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("", "<clock offset='utc'/>"),
        (
            "<clock offset='localtime' adjustment='3600'/>",
            "<clock offset='variable' adjustment='3600' basis='localtime'/>",
        ),
        ("<clock offset='utc' adjustment='reset'/>", "<clock offset='utc' adjustment='reset'/>"),
        ("<clock offset='variable'/>", "<clock offset='variable' adjustment='0' basis='utc'/>"),
    ],
)
def test_clocks(clock: str, expected: str) -> None:
    assert one_line(completed(head=clock).domain.clock) == expected


@pytest.mark.parametrize(
    ("timer", "why"),
    [
        ("name='kvmclock' tickpolicy='delay'", "has no tickpolicy"),
        ("name='pit' frequency='5'", "no frequency or mode"),
        ("name='pit' track='guest'", "cannot track"),
    ],
)
def test_timers_that_cannot(timer: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        completed(head=f"<clock><timer {timer}/></clock>")


def test_lifecycle_has_defaults() -> None:
    domain = completed().domain
    assert (domain.on_poweroff, domain.on_reboot, domain.on_crash) == ("destroy", "restart", "destroy")


def test_distances_hold_both_ways() -> None:
    far = (
        "<vcpu>2</vcpu><cpu><numa><cell cpus='0' memory='9'><distances><sibling id='1' value='21'/></distances></cell>"
        "<cell cpus='1' memory='9'/></numa></cpu>"
    )
    cpu = completed(head=far).domain.cpu
    assert cpu is not None
    assert cpu.numa is not None
    back = cpu.numa.cell[1].distances
    assert back is not None
    assert [(one.id, one.value) for one in back.sibling] == [(0, 21), (1, 10)]


def test_firmware() -> None:
    flash = "<loader readonly='yes' type='pflash'>/f/OVMF.fd</loader>"
    assert "<nvram>/var/lib/libvirt/qemu/nvram/t_VARS.fd</nvram>" in one_line(completed(os=flash).domain.os)
    assert "<loader type='rom'>/f/bios</loader>" in one_line(
        completed(os="<loader>/f/bios</loader>").domain.os
    )


def test_boot_orders_exclude_boot_devices() -> None:
    disk = "<disk><target dev='vd{}' bus='virtio'/><boot order='1'/></disk>"
    assert [one.dev for one in completed().domain.os.boot] == ["hd"]
    assert completed(disk.format("a")).domain.os.boot == ()
    with pytest.raises(Refused, match="two devices have boot order 1"):
        completed(disk.format("a") + disk.format("b"))
    with pytest.raises(Refused, match="exclude <os><boot>"):
        completed(disk.format("a"), os="<boot dev='network'/>")


def test_metadata_has_one_element_a_namespace() -> None:
    head = "<metadata><plain/><a:x xmlns:a='urn:a'/><b:x xmlns:b='urn:b'/><c:y xmlns:c='urn:a'/></metadata>"
    (metadata,) = completed(head=head).domain.unknown_children
    assert re.findall(rb"<(\w+:\w)", metadata) == [b"a:x", b"b:x"]


# ── lookups, and doing it twice ────────────────────────────────────────────────────────────────────


def test_a_callback_looks_up_for_each_device_that_is_there() -> None:
    capabilities = snapshot("x86_64").capabilities
    draft = draft_of(VNC + "<disk><target dev='sda'/></disk>", "pc")
    lookup = Lookup(by_name("per-callback"), lambda _binary: capabilities)
    post_parse(draft, lookup)
    # present: disk, graphics, and those of an empty pc; the SCSI controller and the card come later
    assert sum(lookup.sites.values()) == 1 + 2 + len(EMPTY["pc"])
    assert len(list(draft.devices())) == 2 + len(EMPTY["pc"]) + 2


@pytest.mark.parametrize("machine", EMPTY)
def test_nothing_is_left_to_do(machine: str) -> None:
    devices = VNC + "<interface type='user'/><serial type='pty'/><disk><target dev='sda' bus='scsi'/></disk>"
    draft = completed(devices, machine, head="<vcpu>2</vcpu>")
    again = Draft(draft.freeze(), draft.release)
    post_parse(again, Lookup.given(snapshot(draft.domain.arch or "").capabilities))
    assert again.freeze() == draft.freeze()
