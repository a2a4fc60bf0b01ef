"""Character devices: what they are connected to, their ports, the kind of serial port a machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from qcaps.domain.codec import evolve
from qcaps.domain.devices import Channel, Console, Parallel, Serial
from qcaps.domain.devices.chardev import (
    ChardevProtocol,
    ChardevSource,
    ConsoleTarget,
    ParallelTarget,
    SerialTarget,
    SerialTargetModel,
)
from qcaps.rules.devices.completion.common import says_something, source_labels
from qcaps.rules.machine import is_arm_virt, is_pseries, is_riscv_virt, is_s390, is_x86
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domain.domain import Domain
    from qcaps.rules.draft import Draft
    from qcaps.rules.shared.state import State

Character = Serial | Parallel | Console | Channel
_C = TypeVar("_C", bound=Character)

CHANNEL_FOLDER: Final = "/var/lib/libvirt/qemu/channel/target"
"""Where libvirt makes the sockets of channels; it never stores their paths."""

_ALWAYS: Final = {"line", "unknown_attributes", "unknown_children"}
_SOURCES: Final[dict[str, set[str]]] = {
    "dev": _ALWAYS | {"path", "seclabel"},
    "pipe": _ALWAYS | {"path", "seclabel"},
    "file": _ALWAYS | {"path", "append", "seclabel"},
    "udp": _ALWAYS | {"mode", "host", "service"},
    "tcp": _ALWAYS | {"mode", "host", "service", "tls", "reconnect"},
    "unix": _ALWAYS | {"mode", "path", "seclabel", "reconnect"},
    "spiceport": _ALWAYS | {"channel"},
    "dbus": _ALWAYS | {"channel"},
    "nmdm": _ALWAYS | {"master", "slave"},
    "qemu-vdagent": _ALWAYS | {"clipboard", "mouse"},
}
"""What a source of each kind may say; other kinds have none."""

_MOST_ISA_PORTS: Final = 4

_NO_TARGET: Final = SerialTarget()
_NO_MODEL: Final = SerialTargetModel()
_SERIAL_MODELS: Final = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vio-serial": "spapr-vty",
    "sclp-serial": "sclpconsole",
    "isa-debug": "isa-debugcon",
}


def parsed(_domain: Domain, device: _C) -> _C:
    """A source says how it connects; what only a running guest has is left out."""
    given = device.__dict__
    changes: dict[str, Any] = {"type": device.type}
    if given.get("tty") is not None:
        changes["tty"] = None
    source, protocol = normal_source(device.type, given.get("source"), given.get("protocol"))
    if source is not None and source.seclabel:
        source = evolve(source, seclabel=source_labels(source.seclabel))
    changes["source"], changes["protocol"] = source, protocol
    if device.type == "udp":
        both = sorted(filter(None, map(_udp, (given.get("source"), given.get("second_source")))), key=_mode)
        changes["source"], changes["second_source"] = (*both, None, None)[:2]
    if isinstance(device, Channel) and device.target is not None and device.target.state is not None:
        changes["target"] = evolve(device.target, state=None)
    if (log := given.get("log")) is not None and log.file is None:
        changes["log"] = None
    return evolve(device, **changes)


def normal_source(
    kind: str, source: ChardevSource | None, protocol: ChardevProtocol | None = None
) -> tuple[ChardevSource | None, ChardevProtocol | None]:
    """Source and protocol of a character device of type `kind` as libvirt writes them."""
    known = _SOURCES.get(kind)
    if known is None:
        return None, None
    if source is not None:
        source = _relevant(source, known)
    if kind == "tcp":
        source = source or ChardevSource()
        protocol = protocol or ChardevProtocol()
        return (
            evolve(source, mode=source.mode or "connect"),
            evolve(protocol, type=protocol.type or "raw"),
        )
    if kind == "unix" and source is not None:
        return (evolve(source, mode=source.mode or "connect") if source.path else None), None
    return (source if source is None or says_something(source) else None), None


def _relevant(source: ChardevSource, known: set[str]) -> ChardevSource:
    """What counts for its kind."""
    changes: dict[str, Any] = {
        name: () if name == "seclabel" else None for name in source.__dict__ if name not in known
    }
    again = source.reconnect
    if again is not None and "reconnect" in known:
        off = again.enabled is None
        changes["reconnect"] = (
            None if off else evolve(again, timeout=again.timeout if again.enabled else None)
        )
    return evolve(source, **changes) if changes else source


def _udp(source: ChardevSource | None) -> ChardevSource | None:
    if source is None or not (source.host or source.service):
        return None
    return evolve(source, mode=source.mode or "connect")


def _mode(source: ChardevSource) -> str:
    return source.mode or "connect"


def number_consoles(draft: Draft) -> None:
    """A console's port is its place among consoles, whatever the file says."""
    consoles = draft.of(Console)
    for port, console in enumerate(consoles):
        target = console.target or ConsoleTarget()
        consoles[port] = evolve(console, target=evolve(target, port=port))


def number_parallels(draft: Draft) -> None:
    """A parallel port without a number gets the one after the highest before it."""
    parallels = draft.of(Parallel)
    highest = -1
    for position, one in enumerate(parallels):
        target = one.target or ParallelTarget()
        port = highest + 1 if target.port is None else target.port
        highest = max(highest, port)
        parallels[position] = evolve(one, target=evolve(target, port=port, type=None))


def number_isa_serials(draft: Draft) -> None:
    """There are four ISA serial ports; those that the file calls so by type share them, by whatever model."""
    serials = draft.of(Serial)
    isa = [position for position, one in enumerate(serials) if _type(one) == "isa-serial"]
    used: set[int] = set()
    for count, position in enumerate(isa):
        target = serials[position].target
        port = target.port if target is not None else None
        if count >= _MOST_ISA_PORTS or (port or 0) >= _MOST_ISA_PORTS:
            raise Refused(f"internal error: there are {_MOST_ISA_PORTS} ISA serial ports", serials[position])
        if port in used:
            raise Refused(f"internal error: two serial devices have port {port}", serials[position])
        if port is not None:
            used.add(port)
    free = iter([port for port in range(_MOST_ISA_PORTS) if port not in used])
    for position in isa:
        target = serials[position].target
        if target is not None and target.port is None:
            serials[position] = evolve(serials[position], target=evolve(target, port=next(free)))


def _type(serial: Serial) -> str | None:
    return serial.target.type if serial.target is not None else None


def complete_serial(state: State, serial: Serial) -> Serial:
    """The kind of serial port that the machine has."""
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
    return _SERIAL_MODELS.get(kind or "")


def complete_console(state: State, console: Console) -> Console:
    """A console is a serial port's unless it says otherwise."""
    target = console.target or ConsoleTarget()
    changes: dict[str, Any] = {}
    if target.type in (None, "none"):
        changes["type"] = "serial"
    if target.port is None:
        changes["port"] = state.next_port(Console)
    return evolve(console, target=evolve(target, **changes)) if changes else console


def complete_parallel(state: State, parallel: Parallel) -> Parallel:
    """A number after the highest."""
    target = parallel.target or ParallelTarget()
    if target.port is not None:
        return parallel
    return evolve(parallel, target=evolve(target, port=state.next_port(Parallel)))


def complete_channel(_state: State, channel: Channel) -> Channel:
    """A socket where libvirt makes its own is none of the user's."""
    target, source = channel.target, channel.source
    if channel.type == "unix" and source is not None and target is not None and target.type == "virtio":
        path = source.path or ""
        name = target.name or ""
        folder, _, last = path.rpartition("/")
        _, mark, domain = folder.rpartition("/")[2].partition("domain-")
        inside = path.removeprefix(CHANNEL_FOLDER + "/") if path.startswith(CHANNEL_FOLDER + "/") else ""
        if "." in inside.partition("/")[0][1:] or (mark and domain and last == name):
            # what else the source says still counts: whether it can reconnect is looked at in validation
            return evolve(channel, source=evolve(source, path=None) if source.reconnect is not None else None)
    return channel
