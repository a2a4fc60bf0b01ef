"""Small domains as post-parse of libvirt 9.0 leaves them, for the tests of address assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.codec import write
from qcaps.domainxml.devices import Controller
from qcaps.domainxml.document import parse
from qcaps.release import R9_0
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qcaps.domainxml.device import Device

BALLOON = "<memballoon model='virtio'/>"
PC = (
    "<controller type='usb' index='0' model='piix3-uhci'/><controller type='pci' index='0' model='pci-root'/>"
    + BALLOON
)
Q35 = (
    "<controller type='usb' index='0' model='qemu-xhci'/><controller type='sata' index='0'/>"
    "<controller type='pci' index='0' model='pcie-root'/>" + BALLOON
)
MACHINES = {
    "pc": ("x86_64", "pc-i440fx-7.2", PC),
    "q35": ("x86_64", "pc-q35-7.2", Q35),
    "s390x": ("s390x", "s390-ccw-virtio-7.2", BALLOON),
    "pseries": ("ppc64", "pseries-7.2", "<controller type='pci' index='0' model='pci-root'/>"),
    "virt": ("aarch64", "virt-7.2", "<controller type='pci' index='0' model='pcie-root'/>" + BALLOON),
    "vexpress": ("armv7l", "vexpress-a9", ""),
    "bare pc": ("x86_64", "pc-i440fx-7.2", ""),
    "bare q35": ("x86_64", "pc-q35-7.2", "<controller type='pci' index='0' model='pcie-root'/>"),
}
_SNAPSHOTS = {"armv7l": "aarch64"}


def draft_of(machine: str, devices: str, head: str = "") -> Draft:
    arch, name, implicit = MACHINES[machine]
    return Draft(
        parse(
            f"<domain type='qemu'><name>t</name><memory>65536</memory>{head}"
            f"<os><type arch='{arch}' machine='{name}'>hvm</type></os>"
            f"<devices>\n{implicit}\n{devices}\n</devices></domain>".encode(),
            release=R9_0,
        ),
        R9_0,
    )


def assigned(machine: str, devices: str = "", head: str = "", *, new: bool = True) -> Draft:
    draft = draft_of(machine, devices, head)
    arch = MACHINES[machine][0]
    assign_addresses(draft, snapshot(_SNAPSHOTS.get(arch, arch)).capabilities, new=new)
    return draft


_SHORT: dict[str, Callable[[Any], str]] = {
    "pci": lambda a: f"pci {a.bus:02x}:{a.slot:02x}.{a.function}{'+' if a.multifunction else ''}",
    "usb": lambda a: f"usb {a.bus}:{a.port}",
    "virtio-serial": lambda a: f"port {a.controller}:{a.port}",
    "ccw": lambda a: f"ccw {a.cssid:x}.{a.ssid:x}.{a.devno:04x}",
    "spapr-vio": lambda a: f"vio {a.reg:#x}",
    "dimm": lambda a: f"dimm {a.slot}",
}


def short(device: Device) -> str:
    """The address of a device: pci 01:02.3, usb 0:1.2, and so on; + for multifunction."""
    address = device.address
    if address is None:
        return "-"
    show = _SHORT.get(address.type)
    return address.type if show is None else show(address)


def shorts(devices: Iterable[Device]) -> list[str]:
    return [short(device) for device in devices]


def controllers(draft: Draft, kind: str = "pci") -> list[str]:
    """The controllers of one type as "index model address"."""
    return [f"{c.index} {c.model or '-'} {short(c)}" for c in draft.of(Controller) if c.type == kind]


def everything(draft: Draft) -> list[str]:
    return [write(device) for device in draft.devices()]


def disks(count: int) -> str:
    return "".join(
        f"<disk type='file'><source file='/d{i}'/><target dev='{_name(i)}' bus='virtio'/></disk>"
        for i in range(count)
    )


def _name(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return "vd" + letters
