"""`<controller type='pci'>`: which options belong to which model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.domainxml.memory import kib
from qcaps.rules.shared.refuse import internal, need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Controller
    from qcaps.rules.shared.guest import Guest

_ROOTS = frozenset({"pci-root", "pcie-root"})
_SPAPR = "spapr-pci-host-bridge"

_RANGES = {
    "index": (0, 30),
    "chassis_nr": (1, 255),
    "chassis": (0, 255),
    "port": (0, 255),
    "bus_nr": (1, 254),
}
"""Numbers that each option of `<target>` takes."""

_XML_NAMES = {"chassis_nr": "chassisNr", "bus_nr": "busNr"}

# Follows: virValidateControllerPCIModelNameToQEMUCaps
_NAME_FLAGS = {
    "pci-bridge": "pci-bridge",
    "i82801b11-bridge": "dmi-to-pci-bridge",
    "ioh3420": "ioh3420",
    "x3130-upstream": "x3130-upstream",
    "xio3130-downstream": "xio3130-downstream",
    "pxb": "pxb",
    "pxb-pcie": "pxb-pcie",
    "pcie-root-port": "pcie-root-port",
    "spapr-pci-host-bridge": "spapr-pci-host-bridge",
    "pcie-pci-bridge": "pcie-pci-bridge",
}
"""The flag that each QEMU device needs."""


class _Rules(NamedTuple):
    """What a model is made of: QEMU devices, options of `<target>` that must and that may be there."""

    names: tuple[str | None, ...]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    hotplug: str | None = None  # the flag that switching it needs; None where it cannot be switched


_PORT = ("chassis", "port")
_MODELS = {
    "pci-root": _Rules((None, _SPAPR), hotplug="piix4.acpi-root-pci-hotplug"),
    "pcie-root": _Rules((None,)),
    "pci-bridge": _Rules(("pci-bridge",), needs=("chassis_nr",)),
    "dmi-to-pci-bridge": _Rules(("i82801b11-bridge",)),
    "pcie-to-pci-bridge": _Rules(("pcie-pci-bridge",)),
    "pcie-root-port": _Rules(("ioh3420", "pcie-root-port"), needs=_PORT, hotplug="pcie-root-port.hotplug"),
    "pcie-switch-upstream-port": _Rules(("x3130-upstream",)),
    "pcie-switch-downstream-port": _Rules(
        ("xio3130-downstream",), needs=_PORT, hotplug="pcie-root-port.hotplug"
    ),
    "pci-expander-bus": _Rules(("pxb",), needs=("bus_nr",), may=("node",)),
    "pcie-expander-bus": _Rules(("pxb-pcie",), needs=("bus_nr",), may=("node",)),
}


def check_pci(controller: Controller, _guest: Guest) -> None:
    """What holds for a PCI controller under any hypervisor.

    Follows: virDomainControllerDefValidate
    """
    index = controller.index or 0
    if controller.model in _ROOTS and controller.address is not None:
        raise unsupported(f"a {controller.model} has no address", controller)
    if index > 255:  # noqa: PLR2004  # buses are numbered in a byte
        raise unsupported(f"index {index} of a PCI controller is above 255", controller)
    target = controller.target
    if target is None:
        return
    values = target.__dict__
    for name, (lowest, highest) in _RANGES.items():
        value = values.get(name)
        if value is not None and not lowest <= value <= highest:
            raise unsupported(
                f"{_XML_NAMES.get(name, name)} {value} is not between {lowest} and {highest}", controller
            )
    if target.index is not None and (index == 0) != (target.index == 0):
        raise unsupported("target index 0 belongs to the controller with index 0 alone", controller)
    if target.node is not None and index == 0:
        raise unsupported("the controller with index 0 belongs to no NUMA node", controller)


def check_qemu_pci(controller: Controller, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a PCI controller.

    Follows: qemuValidateDomainDeviceDefControllerPCI
    """
    model, index = controller.model or "", controller.index or 0
    rules = _MODELS[model]
    name = controller.model_element.name if controller.model_element is not None else None
    name = None if name == "none" else name
    host_bridge = model == "pci-root" and name == _SPAPR
    if name is None and (None not in rules.names or (model == "pci-root" and guest.is_pseries)):
        raise _missing(controller, "<model name=…>")
    if name is not None and model == "pci-root" and not guest.is_pseries:
        raise _misplaced(controller, "<model name=…>")
    if name not in rules.names:
        raise unsupported(f"a {model} with index {index} is no '{name}'", controller)
    if (index == 0) != (model in _ROOTS) and not host_bridge:
        raise unsupported(f"index {index} does not go with model '{model}'", controller)
    _check_target(controller, rules, host_bridge=host_bridge)
    _check_hole(controller, guest)
    target = controller.target
    if target is not None and target.hotplug is not None:
        if rules.hotplug is None:
            raise _misplaced(controller, "hotplug")
        need(caps, rules.hotplug, f"hotplug of a {model}", controller)
    if name is not None:
        need(caps, _NAME_FLAGS[name], f"'{name}'", controller)
    if host_bridge and target is not None and target.node is not None:
        need(caps, "spapr-pci-host-bridge.numa_node", "<node> of a PCI host bridge", controller)


def _check_target(controller: Controller, rules: _Rules, *, host_bridge: bool) -> None:
    given = {} if controller.target is None else controller.target.__dict__
    needs, may = rules.needs, rules.may
    if host_bridge:
        # the first host bridge is the machine's own and belongs to no NUMA node
        needs, may = ("index",), (("node",) if given.get("index") else ())
    for name in ("index", "bus_nr", "node", "chassis_nr", "chassis", "port"):
        there = given.get(name) is not None
        if there and name not in needs and name not in may:
            raise _misplaced(controller, _XML_NAMES.get(name, name))
        if not there and name in needs:
            raise _missing(controller, _XML_NAMES.get(name, name))


def _check_hole(controller: Controller, guest: Guest) -> None:
    if controller.pcihole64 is None:
        return
    fits = {"pci-root": guest.is_i440fx, "pcie-root": guest.is_q35}.get(controller.model or "")
    if fits is None:
        if kib(controller.pcihole64):
            raise _misplaced(controller, "pcihole64")
    elif not fits:
        raise unsupported(f"machine type '{guest.machine}' has no pcihole64 to set", controller)


def _missing(controller: Controller, option: str) -> Exception:
    return internal(
        f"{option} is missing from the {controller.model} with index {controller.index}", controller
    )


def _misplaced(controller: Controller, option: str) -> Exception:
    return unsupported(
        f"{option} does not belong to the {controller.model} with index {controller.index}", controller
    )
