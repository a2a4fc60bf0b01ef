"""`<serial>`: the type and model that the machine has, and what goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Graphics, Serial
from qcaps.domainxml.devices.serial import SerialTarget, SerialTargetModel
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.machine import ARM_VIRT, RISCV, is_arm_virt, is_pseries, is_riscv_virt, is_s390, is_x86
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import character_checks, characters
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.character_checks import check_qemu_source, refuse_read_character, sources
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import unsupported
from qcaps.rules.start.address import placed
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def refuse_read(serial: d.Serial) -> None:
    """Refuses what no character device may be, and a usb-serial port with another address than USB.

    Follows: virDomainChrDefParseXML
    """
    refuse_read_character(serial)
    usb = serial.target is not None and serial.target.type == "usb-serial"
    if usb and address_type(serial) not in (None, "usb"):
        raise unsupported("a serial port of type 'usb-serial' takes an address of type 'usb'", serial)


_NO_TARGET: Final = SerialTarget()


_NO_MODEL: Final = SerialTargetModel()


_MODEL_OF_TYPE: Final = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vio-serial": "spapr-vty",
    "sclp-serial": "sclpconsole",
    "isa-debug": "isa-debugcon",
}


def complete(state: State, serial: Serial) -> Serial:
    """Type and model of serial port that the machine has, and the next number.

    Follows: qemuDomainChrDefPostParse, virDomainChrDefPostParse
    """
    domain = state.domain
    target = serial.target or _NO_TARGET
    kind: Any = target.type
    if kind in (None, "none", "isa-serial"):
        kind = _serial_type(domain)
    if kind == "isa-debug" and not is_x86(domain):
        raise Refused("unsupported configuration: isa-debug serial ports are x86's", serial)
    model = target.model
    if model is None or model.name in (None, "none"):
        name: Any = _serial_model(domain, kind)
        model = evolve(_NO_MODEL, name=name) if name is not None else None
    port = state.next_port(Serial) if target.port is None else target.port
    return evolve(serial, target=evolve(target, type=kind, port=port, model=model))


def _serial_type(domain: Domain) -> str | None:
    if is_x86(domain):
        return "isa-serial"
    if is_pseries(domain):
        return "spapr-vio-serial"
    if is_arm_virt(domain) or is_riscv_virt(domain):
        return "system-serial"
    return "sclp-serial" if is_s390(domain) else None


def _serial_model(domain: Domain, kind: str | None) -> str | None:
    if kind == "system-serial":
        return "pl011" if is_arm_virt(domain) else "16550a" if is_riscv_virt(domain) else None
    return _MODEL_OF_TYPE.get(kind or "")


# Follows: qemuValidateChrSerialTargetTypeToAddressType
_ADDRESS_OF_TYPE = {
    "isa-serial": "isa",
    "isa-debug": "isa",
    "usb-serial": "usb",
    "pci-serial": "pci",
    "spapr-vio-serial": "spapr-vio",
    "system-serial": None,
    "sclp-serial": None,
}
"""The type of address that each type of serial port has."""


# Follows: qemuValidateChrSerialTargetModelToTargetType
_TYPE_OF_MODEL = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vty": "spapr-vio-serial",
    "pl011": "system-serial",
    "16550a": "system-serial",
    "sclpconsole": "sclp-serial",
    "sclplmconsole": "sclp-serial",
    "isa-debugcon": "isa-debug",
}
"""The type of serial port that each model is."""


def refuse_by_qemu(serial: Serial, guest: Guest, caps: Capabilities) -> None:
    """What QEMU cannot do with a serial port.

    Follows: qemuValidateDomainChrDef, qemuValidateDomainChrTargetDef
    """
    check_qemu_source(serial.type, sources(serial), serial, guest, caps)
    target = serial.target
    kind = target.type if target is not None else None
    model = target.model.name if target is not None and target.model is not None else None
    if kind in _ADDRESS_OF_TYPE:
        expected, actual = _ADDRESS_OF_TYPE[kind], address_type(serial)
        if actual is not None and actual != expected:
            takes = f"an address of type '{expected}'" if expected is not None else "no address"
            raise unsupported(f"a serial port of type '{kind}' takes {takes}, not '{actual}'", serial)
    if model is not None and _TYPE_OF_MODEL[model] != kind:
        raise unsupported(
            f"serial model '{model}' goes with type '{_TYPE_OF_MODEL[model]}', not '{kind}'", serial
        )
    fits = (
        (model != "pl011" or kind != "system-serial" or guest.is_arm_virt)
        and (model != "16550a" or kind != "system-serial" or guest.is_riscv_virt)
        and ((kind != "spapr-vio-serial" and model != "spapr-vty") or guest.is_pseries)
        and ((kind != "sclp-serial" and model not in ("sclpconsole", "sclplmconsole")) or guest.is_s390)
    )
    if not fits:
        raise unsupported(
            f"there is no serial port of type '{kind}' and model '{model}' for {guest.where}", serial
        )


# Follows: qemuChrSerialTargetModelToCaps
_CHECKED: Final = {
    **{
        name: name
        for name in ("isa-serial", "usb-serial", "pci-serial", "spapr-vty", "sclplmconsole", "pl011")
    },
    "sclpconsole": "s390-sclp",
}
"""Models that not every QEMU has, and their flags."""


_PLATFORM: Final = frozenset({"pl011", "16550a", "none"})


def serials(launch: Launch) -> Iterator[str]:
    """Serial ports: a device, or one that the board has.

    Follows: qemuBuildSerialCommandLine, qemuBuildSerialChrDeviceProps
    """
    spice = any(graphics.type == "spice" for graphics in launch.of(Graphics))
    for serial in launch.of(Serial):
        if serial.type == "spiceport" and not spice:
            continue
        name = f"char{launch.alias(serial)}"
        yield from chardev(launch, serial, name)
        model = (serial.target.model.name if serial.target and serial.target.model else None) or "none"
        if model in _CHECKED and _CHECKED[model] not in launch.capabilities:
            raise Refused(f"this QEMU has no {model}", serial)
        if _is_on_board(launch, serial, model):
            yield from ("-serial", f"chardev:{name}")
            continue
        if model in _PLATFORM:
            raise Refused(f"a serial port of model '{model}' cannot be added to a machine", serial)
        port = serial.target.port if serial.target else None
        yield from launch.device(
            {
                "driver": model,
                "chardev": name,
                "id": launch.alias(serial),
                "index": port if model == "isa-serial" else None,
                **placed(launch, serial),
            }
        )


# Follows: qemuChrIsPlatformDevice
def _is_on_board(launch: Launch, serial: Serial, model: str) -> bool:
    kind = (serial.target.type if serial.target else None) or "none"
    if kind == "none":
        return True
    arch = launch.domain.arch
    return kind == "system-serial" and (
        (model == "pl011" and arch in ARM_VIRT) or (model == "16550a" and arch in RISCV)
    )


SERIAL = Kind(
    Serial,
    refuse_read=refuse_read,
    read=characters.read_character,
    complete=complete,
    refuse=character_checks.refuse_character,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda serial, way: way.pci if serial.target and serial.target.type == "pci-serial" else 0,
        wants=lambda serial: serial.target is not None and serial.target.type == "pci-serial",
    ),
    alias=by_place("serial"),
)
