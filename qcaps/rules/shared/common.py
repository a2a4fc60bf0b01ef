"""What the parser does to every device: aliases that are no user's go, addresses have no gaps."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qcaps.domainxml.address import (
    CcidAddress,
    DimmAddress,
    DriveAddress,
    IsaAddress,
    PciAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from qcaps.domainxml.codec import Element, evolve
from qcaps.domainxml.device import Alias, Device
from qcaps.rules.shared.labels import check_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.devices.on_host import SourceSeclabel
    from qcaps.domainxml.domain import Domain

_D = TypeVar("_D", bound=Device)
_E = TypeVar("_E", bound=Element)

USER_ALIAS: Final = "ua-"
_ALIAS_LETTERS: Final = frozenset(string.ascii_letters + string.digits + "-_")

_ZEROS: Final[dict[type[Element], dict[str, Any]]] = {
    DriveAddress: {"controller": 0, "bus": 0, "target": 0, "unit": 0},
    VirtioSerialAddress: {"controller": 0, "bus": 0, "port": 0},
    CcidAddress: {"controller": 0, "slot": 0},
    UsbAddress: {"bus": 0},
}
"""Addresses that libvirt writes in full."""

_PCI_ZEROS: Final = {"domain": 0, "bus": 0, "slot": 0, "function": 0}


def _pci(address: PciAddress) -> PciAddress:
    given = address.__dict__
    if all(given.get(name) is not None for name in _PCI_ZEROS):
        return address
    # one without numbers is an order to choose a PCI address
    return _filled(address, _PCI_ZEROS) if any(given.get(name) for name in _PCI_ZEROS) else address


def _isa(address: IsaAddress) -> IsaAddress:
    return evolve(address, iobase=address.iobase or None, irq=address.irq or None)


def _dimm(address: DimmAddress) -> DimmAddress:
    return evolve(address, base=address.base or None)


_SHAPES: Final[dict[type[Element], Callable[[Any], Any]]] = {
    PciAddress: _pci,
    IsaAddress: _isa,
    DimmAddress: _dimm,
}


def as_parsed(device: _D) -> _D:
    """`device` with an address in full, and without an alias that QEMU's side made up.

    Follows: virDomainDeviceInfoParseXML, virDomainDeviceInfoFormat
    """
    values = device.__dict__
    address = values.get("address")
    if address is not None:
        kind = type(address)
        zeros = _ZEROS.get(kind)
        if zeros is not None:
            shaped = _filled(address, zeros)
        else:
            shape = _SHAPES.get(kind)
            shaped = address if shape is None else shape(address)
        if shaped is not address:
            device = evolve(device, address=shaped)
    if "rom" in values or "acpi" in values or "driver" in values:
        device = _without_empty(device)
    alias = values.get("alias")
    if alias is not None and not _is_users(alias):
        device = evolve(device, alias=None)
    return device


def _without_empty(device: _D) -> _D:
    values = device.__dict__
    empty = [
        name
        for name in ("rom", "acpi", "driver")
        if isinstance(one := values.get(name), Element) and is_empty(one)
    ]
    return evolve(device, **dict.fromkeys(empty)) if empty else device


def _filled(element: Any, zeros: dict[str, Any]) -> Any:  # noqa: ANN401  # any address
    given = element.__dict__
    gaps = {name: value for name, value in zeros.items() if given.get(name) is None}
    return evolve(element, **gaps) if gaps else element


def filled_pci(address: Any) -> Any:  # noqa: ANN401  # the host's or the guest's
    """A PCI address in full."""
    return _filled(address, _PCI_ZEROS)


def source_labels(labels: tuple[SourceSeclabel, ...], domain: Domain) -> tuple[SourceSeclabel, ...]:
    """Labels of one file: they relabel unless told otherwise, and one without a label then says nothing.

    That they contradict the domain's labels has to be found here: later some are gone.

    Follows: virSecurityDeviceLabelDefParseXML
    """
    check_labels(labels, domain)
    kept = (one for one in labels if one.label is not None or one.relabel is False)
    return tuple(evolve(one, relabel=one.relabel is not False) for one in kept)


def says_something(element: Element) -> bool:
    """Whether anything is set but the line it stood on."""
    return any(value for name, value in element.__dict__.items() if name != "line")


def only(element: _E, counted: frozenset[str]) -> _E:
    """`element` with nothing set but what is `counted`; libvirt passes over what is for other types."""
    if counted.issuperset(element.__dict__):
        return element
    cls = type(element)
    return evolve(
        element, **{name: getattr(cls, name, None) for name in element.__dict__ if name not in counted}
    )


_OWN: Final = frozenset({"line", "unknown_attributes", "unknown_children"})
_OF_A_DEVICE: Final = _OWN | frozenset({"type", "boot", "alias", "master", "rom", "acpi", "address"})


def by_type(
    table: dict[str, set[str]], always: set[str] | frozenset[str] = _OWN
) -> dict[str, frozenset[str]]:
    """For `only`: what counts for each type, with what always does."""
    return {kind: frozenset(names | always | _OWN) for kind, names in table.items()}


def by_device_type(table: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    """The same for a device, with what every device has."""
    return by_type(table, _OF_A_DEVICE)


def is_empty(element: Element) -> bool:
    """Whether nothing is set, not even to no or 0."""
    return all(value in (None, ()) for name, value in element.__dict__.items() if name != "line")


# Follows: virDomainDeviceAliasIsUserAlias
def _is_users(alias: Alias) -> bool:
    name = alias.name
    return name is not None and name.startswith(USER_ALIAS) and _ALIAS_LETTERS.issuperset(name)
