"""`<input>`: the bus of each type, and the virtio ones that QEMU may lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import S390, X86
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Input
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.common import by_type, is_empty, only
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.pci import VIRTIO_WAYS, by_model
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


def refuse_read(device: d.Input) -> None:
    """Refuses a USB input with another address than USB, and a passed-through one without a path.

    Follows: virDomainInputDefParseXML
    """
    if device.bus == "usb" and address_type(device) not in (None, "usb"):
        raise malformed("an input on bus 'usb' takes an address of type 'usb'", device)
    source = device.source
    if source is None:
        return
    path = {"passthrough": source.evdev, "evdev": source.dev}.get(device.type, "")
    if path is None:
        raise malformed(f"the path of the input of type '{device.type}' is missing", device)


def read(domain: Domain, device: Input) -> Input:
    """The bus that such a device sits on.

    Follows: virDomainInputDefParseXML
    """
    bus = device.bus
    if bus is None:
        if device.type in ("mouse", "keyboard") and domain.arch in X86:
            bus = "ps2"
        elif domain.arch in S390 or device.type == "passthrough":
            bus = "virtio"
        elif device.type != "evdev":
            bus = "usb"
    if bus == "none":
        bus = None
    changes: dict[str, Any] = {"bus": bus}
    if (source := device.source) is not None:
        own = only(source, _SOURCES.get(device.type, _NOTHING))
        changes["source"] = None if is_empty(own) else own
    return evolve(device, **changes)


_SOURCES: Final = by_type({"passthrough": {"evdev"}, "evdev": {"dev", "grab", "grab_toggle", "repeat"}})
"""What a source of each type may say."""

_NOTHING: Final = by_type({"": set()})[""]


_INPUT_FLAGS: dict[str, tuple[str, str, str | None]] = {
    "mouse": ("virtio-mouse", "virtio-mouse", "virtio-mouse-ccw"),
    "tablet": ("virtio-tablet", "virtio-tablet", "virtio-tablet-ccw"),
    "keyboard": ("virtio-keyboard", "virtio-keyboard", "virtio-keyboard-ccw"),
    "passthrough": ("virtio-input-host", "virtio-input-host", None),
    "evdev": ("input-linux", "input-linux", None),
}
"""QEMU's name of each virtio input, the flag it needs, and the one it needs beside that on CCW."""


def refuse(device: Input, _guest: Guest) -> None:
    """Which type goes on which bus.

    Follows: virDomainInputDefValidate
    """
    kind, bus = device.type, device.bus
    if bus == "ps2" and kind not in ("mouse", "keyboard"):
        raise internal(f"an input of type '{kind}' cannot be on bus 'ps2'", device)
    if bus in ("xen", "parallels"):
        raise internal(f"QEMU has no input on bus '{bus}'", device)
    if kind == "passthrough" and bus != "virtio":
        raise unsupported(f"an input of type 'passthrough' goes on bus 'virtio', not '{bus}'", device)
    if kind == "evdev" and bus not in (None, "none"):
        raise unsupported("an input of type 'evdev' has no bus", device)
    if device.model is not None and bus != "virtio":
        raise unsupported(f"input model '{device.model}' goes on bus 'virtio', not '{bus}'", device)


def refuse_by_qemu(device: Input, guest: Guest, caps: Capabilities) -> None:
    """Refuses inputs that this QEMU lacks.

    Follows: qemuValidateDomainDeviceDefInput
    """
    ps2 = guest.domain.features.ps2 if guest.domain.features is not None else None
    if device.bus == "ps2" and ps2 is not None and ps2.state is False:
        raise unsupported("an input on bus 'ps2' needs the feature <ps2>, which is off", device)
    if device.bus == "ps2" and not guest.is_x86:
        need(caps, "i8042", "an input on bus 'ps2'", device)
    if device.bus == "usb" and device.type == "keyboard":
        need(caps, "usb-kbd", "a USB keyboard", device)
    if device.bus != "virtio":
        return
    if device.model in ("virtio-transitional", "virtio-non-transitional"):
        raise unsupported(f"there is no input of type '{device.type}' and model '{device.model}'", device)
    name, flag, ccw_flag = _INPUT_FLAGS[device.type]
    need(caps, flag, f"'{name}'", device)
    if address_type(device) == "ccw":
        if ccw_flag is None:
            raise unsupported(f"'{name}' cannot be on CCW", device)
        need(caps, ccw_flag, f"'{name}' on CCW", device)


_USB_INPUTS: Final = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}


_VIRTIO_INPUTS: Final = {
    "mouse": "virtio-mouse",
    "tablet": "virtio-tablet",
    "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}


def inputs(launch: Launch) -> Iterator[str]:
    """Mice, tablets and keyboards but those every board has (PS/2).

    Follows: qemuBuildInputCommandLine, qemuBuildInputVirtioDevProps, qemuBuildInputUSBDevProps
    """
    for device in launch.of(Input):
        yield from zpci(launch, device)
        source = device.source
        if device.type == "evdev":
            yield from launch.backend(
                {
                    "qom-type": "input-linux",
                    "id": launch.alias(device),
                    "evdev": (source.dev if source else None) or "",
                    "repeat": source.repeat if source else None,
                    "grab_all": True if source and source.grab == "all" else None,
                    "grab-toggle": source.grab_toggle if source else None,
                }
            )
        elif device.bus == "usb":
            if device.type not in _USB_INPUTS:
                raise Refused(f"there is no USB input '{device.type}'", device)
            yield from launch.device(
                {"driver": _USB_INPUTS[device.type], "id": launch.alias(device), **placed(launch, device)}
            )
        elif device.bus == "virtio":
            base = _VIRTIO_INPUTS[device.type]
            yield from launch.device(
                {
                    **virtio(launch, device, base, driver=device.driver),
                    "id": launch.alias(device),
                    "evdev": source.evdev if source and device.type == "passthrough" else None,
                    **placed(launch, device),
                }
            )


INPUT = Kind(
    Input,
    refuse_read=refuse_read,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda device, way: by_model(VIRTIO_WAYS, device.model, way) if device.bus == "virtio" else 0,
        wants=lambda device: device.bus == "virtio",
    ),
    on_virtio_bus=lambda device: device.bus == "virtio",
    alias=by_place("input"),
)
