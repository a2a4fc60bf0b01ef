"""Controllers: the buses that devices sit on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, LAST, ON_OFF, Element, Name, Newer
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.virtio import DriverIothreads, VirtioDriver
from qcaps.domainxml.element import LIBVIRT
from qcaps.domainxml.memory import Size
from qcaps.domainxml.numbers import ANY_I31, HEX_I31
from qcaps.domainxml.syntax import I31, U32
from qcaps.release import R11_3

ControllerType = Literal["ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa"]

MODELS: dict[str, tuple[str, ...]] = {
    "ide": ("piix3", "piix4", "ich6"),
    "fdc": (),
    "scsi": (
        "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "virtio-scsi", "lsisas1078",
        "virtio-transitional", "virtio-non-transitional", "ncr53c90", "dc390", "am53c974",
    ),
    "sata": (),
    "virtio-serial": ("virtio", "virtio-transitional", "virtio-non-transitional"),
    "ccid": (),
    "usb": (
        "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3",
        "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qusb1", "qusb2", "qemu-xhci", "none",
    ),
    "pci": (
        "pci-root", "pcie-root", "pci-bridge", "dmi-to-pci-bridge", "pcie-to-pci-bridge", "pcie-root-port",
        "pcie-switch-upstream-port", "pcie-switch-downstream-port", "pci-expander-bus", "pcie-expander-bus",
    ),
    "xenbus": (),
    "isa": (),
}  # fmt: skip
"""The models that libvirt 9.0.0 knows for each type of controller."""


class ControllerDriver(VirtioDriver):
    """How QEMU serves a SCSI controller's queues."""

    queues: U32 | None = None
    cmd_per_lun: U32 | None = None
    max_sectors: U32 | None = None
    ioeventfd: Annotated[bool, ON_OFF] | None = None
    iothread: U32 | None = None
    iothreads: Annotated[DriverIothreads, Newer(R11_3)] | None = None


class ControllerModel(Element):
    """The QEMU device of a PCI controller."""

    TAG: ClassVar[str] = "model"
    name: (
        Literal[
            "none", "pci-bridge", "i82801b11-bridge", "ioh3420", "x3130-upstream", "xio3130-downstream",
            "pxb", "pxb-pcie", "pcie-root-port", "spapr-pci-host-bridge", "pcie-pci-bridge",
        ]
        | None
    ) = None  # fmt: skip


class ControllerTarget(Element):
    """Numbers of a PCI controller that the guest sees."""

    TAG: ClassVar[str] = "target"
    chassis_nr: Annotated[ANY_I31, Name("chassisNr")] | None = None
    chassis: ANY_I31 | None = None
    port: HEX_I31 | None = None
    bus_nr: Annotated[ANY_I31, Name("busNr")] | None = None
    index: ANY_I31 | None = None
    hotplug: Annotated[bool, ON_OFF] | None = None
    mem_reserve: Annotated[U32, Name("memReserve"), Newer(R11_3)] | None = None
    node: Annotated[I31, CHILD] | None = None


class Controller(Device):
    """A bus, or what opens one."""

    TAG: ClassVar[str] = "controller"
    ONCE: ClassVar[frozenset[str]] = frozenset({"model", "target"})
    type: ControllerType = "ide"
    index: I31 | None = None
    model: str | None = None
    ports: I31 | None = None
    vectors: I31 | None = None
    max_grant_frames: Annotated[I31, Name("maxGrantFrames")] | None = None
    max_event_channels: Annotated[I31, Name("maxEventChannels")] | None = None
    model_element: Annotated[ControllerModel, Name("model")] | None = None
    target: ControllerTarget | None = None
    driver: ControllerDriver | None = None
    pcihole64: Annotated[Size, LAST] | None = None

    def refusal(self) -> str:
        """A model of another type of controller."""
        if self.model is None or self.model in MODELS[self.type]:
            return ""
        known = f"known: {', '.join(MODELS[self.type]) or 'none'} ({LIBVIRT})"
        return f"model '{self.model[:40]}' is unknown for a controller of type {self.type}; {known}"
