"""`<controller>`: the default model of each type, and what the machine cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.device import DeviceMaster
from qcaps.rules.machine import has_builtin_esp, is_arm_virt, is_i440fx, is_ppc64, is_pseries, is_q35, is_s390
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import numa
from qcaps.rules.shared.common import by_device_type, only
from qcaps.rules.shared.sizes import in_kib

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Controller
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.state import State


_START_PORTS: Final = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}


_ROOTS: Final = frozenset({"pci-root", "pcie-root"})


_ZERO_MEANS_NONE: Final = ("queues", "cmd_per_lun", "max_sectors", "iothread")


_XHCI: Final = frozenset({"nec-xhci", "qemu-xhci"})


_ALL: Final = {"index", "model", "driver"}
_COUNTED: Final = by_device_type(
    dict.fromkeys(("ide", "fdc", "scsi", "sata", "ccid", "isa"), _ALL)
    | {
        "virtio-serial": _ALL | {"ports", "vectors"},
        "usb": _ALL | {"ports"},
        "xenbus": _ALL | {"max_grant_frames", "max_event_channels"},
        "pci": _ALL | {"model_element", "target", "pcihole64"},
    }
)
"""What a controller of each type may say."""


_MOST_XHCI_PORTS: Final = 15


_WITH_IOTHREAD: Final = frozenset({"virtio-scsi", "virtio-transitional", "virtio-non-transitional"})


def read(_domain: Domain, controller: Controller) -> Controller:
    """The port that a companion of the ICH9 EHCI controller is wired to; leaves out numbers of 0.

    Follows: virDomainControllerDefParseXML, virDomainControllerDefFormat
    """
    controller = only(controller, _COUNTED[controller.type])
    changes: dict[str, Any] = {"type": controller.type}
    if controller.model in _START_PORTS and controller.type == "usb" and controller.master is None:
        changes["master"] = DeviceMaster(startport=_START_PORTS[controller.model])
    elif controller.master is not None and controller.master.startport is None:
        changes["master"] = DeviceMaster(startport=0)
    if controller.type == "usb" and controller.model == "none":
        changes |= {"address": None, "master": None}
    given = controller.__dict__
    if (hole := given.get("pcihole64")) is not None:
        changes["pcihole64"] = in_kib(hole) if controller.model in _ROOTS else None
    if (driver := given.get("driver")) is not None:
        driver = evolve(driver, **{name: getattr(driver, name) or None for name in _ZERO_MEANS_NONE})
        said = any(value is not None for name, value in driver.__dict__.items() if name != "line")
        changes["driver"] = driver if said else None
    return evolve(controller, **changes)


def complete(state: State, controller: Controller) -> Controller:
    """The default model; refuses what the machine cannot have.

    Follows: qemuDomainControllerDefPostParse, virDomainControllerDefPostParse
    """
    step = _COMPLETE.get(controller.type or "")
    if step is not None:
        controller = step(state, controller)
    if (
        controller.driver is not None
        and controller.driver.iothread
        and controller.model not in _WITH_IOTHREAD
    ):
        raise Refused("XML error: only virtio SCSI controllers have an iothread", controller)
    return controller


# Follows: qemuDomainSetSCSIControllerModel
def _scsi(state: State, controller: Controller) -> Controller:
    if controller.model not in (None, "auto"):
        return controller
    model = _scsi_model(state.domain, state.caps)
    if model is None:
        raise Refused(f"internal error: no model for SCSI controller {controller.index}", controller)
    return evolve(controller, model=model)


# Follows: qemuDomainGetSCSIControllerModel
def _scsi_model(domain: Domain, caps: Capabilities) -> str | None:
    if is_pseries(domain):
        return "ibmvscsi"
    if is_s390(domain):
        return "virtio-scsi"
    if "lsi" in caps:
        return "lsilogic"
    if "virtio-scsi-pci" in caps:
        return "virtio-scsi"
    return "ncr53c90" if has_builtin_esp(domain) else None


# Follows: qemuDomainControllerDefPostParse
def _usb(state: State, controller: Controller) -> Controller:
    if controller.model is None:
        controller = evolve(controller, model=_usb_model(state.domain, state.caps, controller))
    if controller.model in ("qusb1", "qusb2"):
        raise Refused(f"unsupported configuration: QEMU has no USB model '{controller.model}'", controller)
    if controller.model in _XHCI and (controller.ports or 0) > _MOST_XHCI_PORTS:
        raise Refused(
            f"unsupported configuration: '{controller.model}' has up to {_MOST_XHCI_PORTS} ports", controller
        )
    return controller


# Follows: qemuDomainControllerDefPostParse
def _usb_model(domain: Domain, caps: Capabilities, controller: Controller) -> str | None:
    piix3 = "piix3-uhci" if "piix3-usb-uhci" in caps else None
    if is_s390(domain):
        return "none" if controller.address is None else piix3
    if is_ppc64(domain):
        return _xhci(caps) or ("pci-ohci" if "pci-ohci" in caps else None)
    if domain.arch == "aarch64":
        return _xhci(caps) or piix3
    return piix3


def _xhci(caps: Capabilities) -> str | None:
    return "qemu-xhci" if "qemu-xhci" in caps else "nec-xhci" if "nec-usb-xhci" in caps else None


# Follows: qemuDomainControllerDefPostParse
def _pci(state: State, controller: Controller) -> Controller:
    domain = state.domain
    if controller.model in _ROOTS and controller.index and not is_pseries(domain):
        raise Refused(f"XML error: the {controller.model} controller must have index 0", controller)
    if controller.model == "pci-expander-bus" and not is_i440fx(domain):
        raise Refused("unsupported configuration: pci-expander-bus needs a 440fx machine", controller)
    if controller.model == "pcie-expander-bus" and not (is_q35(domain) or is_arm_virt(domain)):
        raise Refused("unsupported configuration: pcie-expander-bus needs q35 or ARM's virt", controller)
    node = controller.target.node if controller.target is not None else None
    if node is not None and node >= numa.count(domain):
        raise Refused(f"XML error: the controller is on NUMA node {node}, which <cpu> lacks", controller)
    return controller


_COMPLETE: Final = {"scsi": _scsi, "usb": _usb, "pci": _pci}
