"""Checks the addresses that a file gives, before any is assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import CcwAddress, PciAddress, UsbAddress, VirtioSerialAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Controller
from qcaps.rules.addresses.order import addressed
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.device import Device
    from qcaps.rules.draft import Draft

_LAST_PCI = {"bus": 0xFF, "slot": 0x1F, "function": 7}
_LAST_CCW = {"cssid": 254, "ssid": 3, "devno": 0xFFFF}
_PCI_FIELDS = ("domain", "bus", "slot", "function")
_ROOTS = ("pci-root", "pcie-root")
_USB_DEPTH = 4


def check_given(draft: Draft) -> None:
    """Refuses numbers out of range and writes out what a PCI, USB or virtio-serial address leaves at 0.

    Follows: virPCIDeviceAddressIsValid, virCCWDeviceAddressIsValid
    """
    for devices, index, device in addressed(draft):
        address = device.address
        if address is None:
            continue
        full = _complete(address, device)
        if full is not address:
            devices[index] = evolve(device, address=full)
    for controller in draft.of(Controller):
        if controller.type == "pci":
            _check_controller(draft, controller)


def _complete(address: Any, device: Device) -> Any:  # noqa: ANN401  # one of the address classes
    kind = type(address)
    if kind is PciAddress:
        if not (address.domain or address.bus or address.slot):
            return address  # none at all: one will be found
        _check_range(address, _LAST_PCI, device)
        return _filled(address, _PCI_FIELDS)
    if kind is CcwAddress:
        _check_range(address, _LAST_CCW, device)
        given = [getattr(address, name) is not None for name in _LAST_CCW]
        if any(given) and not all(given):
            raise Refused("internal error: a ccw address has a cssid, an ssid and a devno, or none", device)
        return address
    if kind is UsbAddress:
        ports(address.port, device)
        return _filled(address, ("bus",))
    if kind is VirtioSerialAddress:
        return _filled(address, ("controller", "bus", "port"))
    return address


def ports(path: str | None, device: Device) -> tuple[int, ...]:
    """The ports that a USB address such as 1.2 passes; () if it names none. Raises Refused.

    Follows: virDomainDeviceUSBAddressParsePort
    """
    if not path:
        return ()
    parts = path.split(".")
    if len(parts) > _USB_DEPTH or not all(part.isascii() and part.isdigit() for part in parts):
        raise Refused(f"internal error: cannot parse USB port '{path[:40]}'; write it as 1.2", device)
    numbers = tuple(map(int, parts))
    # as libvirt: its array of ports ends at the first 0
    return numbers[: numbers.index(0)] if 0 in numbers else numbers


def _check_range(address: object, last: dict[str, int], device: Device) -> None:
    for name, most in last.items():
        value = getattr(address, name)
        if value is not None and not 0 <= value <= most:
            raise Refused(f"XML error: {name} {value:#x} of the address is above {most:#x}", device)


def _filled(address: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401  # one of the address classes
    missing = {name: 0 for name in names if getattr(address, name) is None}
    return evolve(address, **missing) if missing else address


# Follows: virDomainControllerDefValidate, qemuDomainControllerDefPostParse
def _check_controller(draft: Draft, controller: Controller) -> None:
    if controller.model in _ROOTS and controller.address is not None:
        raise Refused("unsupported configuration: a pci-root or pcie-root has no address", controller)
    node = controller.target.node if controller.target is not None else None
    if node is None:
        return
    cpu = draft.domain.cpu
    cells = len(cpu.numa.cell) if cpu is not None and cpu.numa is not None else 0
    if node >= cells:
        raise Refused(
            f"XML error: {controller.model} with index {controller.index or 0} is for NUMA node {node}, "
            f"and the guest has {cells}",
            controller,
        )
