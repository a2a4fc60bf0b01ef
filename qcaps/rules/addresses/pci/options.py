"""What a PCI controller tells the guest and QEMU about itself: model name, chassis, port, bus number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import PciAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Controller
from qcaps.domainxml.devices.controller import ControllerModel, ControllerTarget
from qcaps.rules.machine import is_pseries
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.draft import Draft

_NAMES = {
    "pci-bridge": "pci-bridge",
    "dmi-to-pci-bridge": "i82801b11-bridge",
    "pcie-to-pci-bridge": "pcie-pci-bridge",
    "pcie-switch-upstream-port": "x3130-upstream",
    "pcie-switch-downstream-port": "xio3130-downstream",
    "pci-expander-bus": "pxb",
    "pcie-expander-bus": "pxb-pcie",
}
_HOST_BRIDGE = "spapr-pci-host-bridge"
_BUS_NUMBERS = 256
_HOST_BRIDGES = 32

_NO_TARGET = ControllerTarget()
_NO_MODEL = ControllerModel()


def fill_options(draft: Draft, caps: Capabilities) -> None:
    """Fills in what the user left open, controller by controller. Raises Refused where nothing is left.

    Follows: qemuDomainAssignPCIAddresses, qemuDomainPCIControllerSetDefaultModelName
    """
    controllers = draft.of(Controller)
    pseries = is_pseries(draft.domain)
    names = _NAMES | {"pcie-root-port": "pcie-root-port" if "pcie-root-port" in caps else "ioh3420"}
    if pseries:
        names["pci-root"] = _HOST_BRIDGE
    numbers = _Numbers(controllers)
    for place, controller in enumerate(controllers):
        if controller.type != "pci":
            continue
        changes = _options(controller, numbers, pseries=pseries)
        filled: dict[str, Any] = {}
        if changes:
            filled["target"] = evolve(controller.target or _NO_TARGET, **changes)
        name = names.get(controller.model or "")
        if name is not None and not name_of(controller):
            filled["model_element"] = evolve(_NO_MODEL, name=name)
            if name == _HOST_BRIDGE:
                numbers.bridges.add((controller.target or _NO_TARGET).index)
        if filled:
            controllers[place] = evolve(controller, **filled)
        _check_order(controller)


def name_of(controller: Controller) -> str | None:
    """The QEMU device that the controller is."""
    return None if controller.model_element is None else controller.model_element.name


class _Numbers:
    """The numbers that only one controller of a domain may have."""

    def __init__(self, controllers: list[Controller]) -> None:
        targets = [(one, one.target) for one in controllers if one.type == "pci" and one.target is not None]
        self.lowest = min((t.bus_nr for _, t in targets if t.bus_nr is not None), default=_BUS_NUMBERS)
        self.bridges = {target.index for one, target in targets if name_of(one) == _HOST_BRIDGE}

    def next_bus(self, controller: Controller) -> int:
        """Two below the lowest number: one for the expander bus, one for the bridge inside it.

        Follows: qemuDomainAddressFindNewBusNr
        """
        if self.lowest <= 2:  # noqa: PLR2004  # 0 is the root's
            raise Refused(
                "unsupported configuration: no bus number is free below the lowest in use; give the "
                "expander bus one in <target busNr=…>",
                controller,
            )
        self.lowest -= 2
        return self.lowest

    def next_host_bridge(self, controller: Controller) -> int:
        """The lowest target index; 0 is that of the controller with index 0.

        Follows: qemuDomainAddressFindNewTargetIndex
        """
        if not controller.index:
            return 0
        free = next((number for number in range(1, _HOST_BRIDGES) if number not in self.bridges), None)
        if free is None:
            raise Refused(
                f"unsupported configuration: all {_HOST_BRIDGES} host bridges of a pseries are in use",
                controller,
            )
        self.bridges.add(free)
        return free


def _options(controller: Controller, numbers: _Numbers, *, pseries: bool) -> dict[str, int]:
    """The fields of <target> to set."""
    target = controller.target or _NO_TARGET
    index = controller.index or 0
    address = controller.address
    # as libvirt: an address of another type, given in the file, stays
    slot, function = (address.slot or 0, address.function or 0) if isinstance(address, PciAddress) else (0, 0)
    options: dict[str, int] = {}
    match controller.model:
        case "pci-bridge":
            options = {"chassis_nr": index}
        case "pcie-root-port":
            options = {"chassis": index, "port": (slot << 3) + function}
        case "pcie-switch-downstream-port":
            options = {"chassis": index, "port": slot}
        case "pci-expander-bus" | "pcie-expander-bus" if target.bus_nr is None:
            options = {"bus_nr": numbers.next_bus(controller)}
        case "pci-root" if pseries and target.index is None:
            options = {"index": numbers.next_host_bridge(controller)}
    return {name: value for name, value in options.items() if getattr(target, name) is None}


def _check_order(controller: Controller) -> None:
    """A bridge comes after the bus it sits on: the guest numbers its buses that way."""
    bus = getattr(controller.address, "bus", None) or 0
    index = controller.index or 0
    if controller.model == "pci-bridge" and index <= bus:
        raise Refused(
            f"unsupported configuration: PCI controller {index} sits on bus {bus}; its index must be larger",
            controller,
        )
