"""Controllers, type by type in the order QEMU has to meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Controller
from qcaps.rules.machine import (
    has_builtin_esp,
    has_builtin_ide,
    is_arm_virt,
    is_pseries,
    is_q35,
    is_riscv_virt,
    is_s390,
)
from qcaps.rules.refusal import Refused
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import on_off
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.rules.start.argument import Json, Properties
    from qcaps.rules.start.launch import Launch

_ORDER: Final = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial")

# Follows: qemuControllerModelUSBToCaps
_USB: Final = {
    "piix3-uhci": ("piix3-usb-uhci", "piix3-usb-uhci"),
    "piix4-uhci": ("piix4-usb-uhci", "piix4-usb-uhci"),
    "ehci": ("usb-ehci", "usb-ehci"),
    "ich9-ehci1": ("ich9-usb-ehci1", "ich9-usb-ehci1"),
    "ich9-uhci1": ("ich9-usb-uhci1", "ich9-usb-ehci1"),
    "ich9-uhci2": ("ich9-usb-uhci2", "ich9-usb-ehci1"),
    "ich9-uhci3": ("ich9-usb-uhci3", "ich9-usb-ehci1"),
    "vt82c686b-uhci": ("vt82c686b-usb-uhci", "vt82c686b-usb-uhci"),
    "pci-ohci": ("pci-ohci", "pci-ohci"),
    "nec-xhci": ("nec-usb-xhci", "nec-usb-xhci"),
    "qemu-xhci": ("qemu-xhci", "qemu-xhci"),
}
"""The QEMU device of a USB controller, and the flag that says there is one."""

_SCSI: Final = {
    "lsilogic": "lsi",
    "ibmvscsi": "spapr-vscsi",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    "am53c974": "am53c974",
    "dc390": "dc-390",
}
_VIRTIO: Final = frozenset({"virtio-scsi", "virtio-transitional", "virtio-non-transitional"})


def controllers(launch: Launch) -> Iterator[str]:
    """All controllers but those on the USB bus, and `-usb` where there is only the board's own.

    Follows: qemuBuildControllersCommandLine
    """
    for kind in _ORDER:
        yield from _of_type(launch, kind)
    yield from _legacy_usb(launch)


def smartcard_readers(launch: Launch) -> Iterator[str]:
    """The controllers that smartcards sit in, which are USB devices themselves.

    Follows: qemuBuildControllersByTypeCommandLine
    """
    yield from _of_type(launch, "ccid")


# Follows: qemuBuildControllersByTypeCommandLine
def _of_type(launch: Launch, kind: str) -> Iterator[str]:
    found = [one for one in launch.of(Controller) if one.type == kind]
    for controller in sorted(found, key=lambda one: one.index or 0):  # libvirt keeps them so
        yield from _root_hotplug(controller)
        if _is_on_board(launch, controller):
            continue
        properties = _TYPES.get(kind, _unsupported)(launch, controller)
        if not properties:
            continue
        yield from zpci(launch, controller)
        yield from launch.device({**properties, **placed(launch, controller)})


# Follows: qemuBuildPMPCIRootHotplugCommandLine
def _root_hotplug(controller: Controller) -> Iterator[str]:
    hotplug = controller.target.hotplug if controller.target else None
    if controller.model == "pci-root" and not controller.index and hotplug is not None:
        yield from ("-global", f"PIIX4_PM.acpi-root-pci-hotplug={on_off(state=hotplug)}")


def _is_on_board(launch: Launch, controller: Controller) -> bool:
    """The machine has this controller anyway, or it is to have none.

    Follows: qemuBuildSkipController
    """
    domain = launch.domain
    first = not controller.index
    match controller.type:
        case "pci":
            return controller.model == "pcie-root" or (
                controller.model == "pci-root" and not is_pseries(domain)
            )
        case "sata":
            return first and is_q35(domain)
        case "ide":
            return first and has_builtin_ide(domain)
        case "scsi":
            return first and controller.model == "ncr53c90" and has_builtin_esp(domain)
        case "usb":
            return controller.model == "none" or (
                controller.model is None and not _forbids_legacy_usb(launch)
            )
        case _:
            return False


# Follows: qemuBuildDomainForbidLegacyUSBController
def _forbids_legacy_usb(launch: Launch) -> bool:
    return is_q35(launch.domain) or is_arm_virt(launch.domain) or is_riscv_virt(launch.domain)


# Follows: qemuBuildLegacyUSBControllerCommandLine
def _legacy_usb(launch: Launch) -> Iterator[str]:
    found = [one for one in launch.of(Controller) if one.type == "usb"]
    if any(one.model == "none" for one in found):
        return
    legacy = [one for one in found if one.model is None]
    if len(legacy) > 1:
        raise Refused("there may be one USB controller without a model", legacy[1])
    if len(legacy) == len(found) and not _forbids_legacy_usb(launch) and not is_s390(launch.domain):
        yield "-usb"


def _unsupported(_launch: Launch, controller: Controller) -> Properties:
    raise Refused(f"QEMU has no {controller.type} controller to add", controller)


# Follows: qemuBuildUSBControllerDevProps, qemuValidateDomainDeviceDefControllerUSB
def _usb(launch: Launch, controller: Controller) -> Properties:
    if controller.model is None:
        raise Refused("the USB controller has no model", controller)
    driver, flag = _USB.get(controller.model, ("", ""))
    if flag not in launch.capabilities:
        raise Refused(f"this QEMU has no USB controller '{controller.model}'", controller)
    if controller.ports is not None and controller.model not in ("nec-xhci", "qemu-xhci"):
        raise Refused(f"a USB controller '{controller.model}' has a fixed number of ports", controller)
    properties: dict[str, Json] = {"driver": driver, "p2": controller.ports, "p3": controller.ports}
    if controller.master is None or controller.master.startport is None:
        return properties | {"id": launch.alias(controller)}
    main = launch.master(controller)
    if main is None:
        raise Refused("the companion has no USB 2 controller of the same index", controller)
    return properties | {
        "masterbus": f"{launch.alias(main)}.0",
        "firstport": controller.master.startport,
    }


# Follows: qemuBuildControllerSCSIDevProps
def _scsi(launch: Launch, controller: Controller) -> Properties:
    name = launch.alias(controller)
    model, driver = controller.model or "", controller.driver
    if model in _VIRTIO:
        return {
            **virtio(launch, controller, "virtio-scsi", driver=driver, model=model),
            "iothread": f"iothread{driver.iothread}" if driver and driver.iothread else None,
            "id": name,
            "num_queues": (driver.queues if driver else None) or None,
            "cmd_per_lun": (driver.cmd_per_lun if driver else None) or None,
            "max_sectors": (driver.max_sectors if driver else None) or None,
            "ioeventfd": driver.ioeventfd if driver else None,
        }
    if model not in _SCSI:
        raise Refused(f"QEMU has no SCSI controller '{model}' to add", controller)
    return {"driver": _SCSI[model], "id": name}


# Follows: qemuBuildControllerDevProps
def _serial(launch: Launch, controller: Controller) -> Properties:
    return {
        **virtio(launch, controller, "virtio-serial", driver=controller.driver, model=controller.model),
        "id": launch.alias(controller),
        "max_ports": controller.ports,
        "vectors": controller.vectors,
    }


def _named(driver: str) -> Callable[[Launch, Controller], Properties]:
    return lambda launch, controller: {"driver": driver, "id": launch.alias(controller)}


# Follows: qemuBuildControllerPCIDevProps
def _pci(launch: Launch, controller: Controller) -> Properties:
    driver = controller.model_element.name if controller.model_element else None
    target, name = controller.target, launch.alias(controller)
    index = (target.index if target else None) or 0
    if driver == "spapr-pci-host-bridge" and not index:
        return {}  # the board's own
    if driver is None:
        raise Refused("the PCI controller has no <model name=…>", controller)
    properties: dict[str, Json] = {"driver": driver}
    match controller.model:
        case "pci-bridge":
            properties |= {"chassis_nr": target.chassis_nr if target else None, "id": name}
        case "pci-expander-bus" | "pcie-expander-bus":
            properties |= {
                "bus_nr": target.bus_nr if target else None,
                "id": name,
                "numa_node": target.node if target else None,
            }
        case "pcie-root-port" | "pcie-switch-downstream-port":
            properties |= {
                "port": target.port if target else None,
                "chassis": target.chassis if target else None,
                "id": name,
                "hotplug": target.hotplug if target else None,
            }
        case "pci-root":
            properties |= {"index": index, "id": name, "numa_node": target.node if target else None}
        case _:
            properties |= {"id": name}
    return properties


_TYPES: dict[str, Callable[[Launch, Controller], Properties]] = {
    "pci": _pci,
    "usb": _usb,
    "scsi": _scsi,
    "sata": _named("ahci"),
    "ccid": _named("usb-ccid"),
    "virtio-serial": _serial,
}
