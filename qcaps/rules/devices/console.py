"""`<console>`: which device it is, and which are a serial port seen again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Console
from qcaps.domainxml.devices.console import ConsoleTarget
from qcaps.rules.kind import Kind
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import character_checks, characters
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.character_ports import port
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def complete(state: State, console: Console) -> Console:
    """A console without a type is a serial port's; one without a number gets the next one.

    Follows: virDomainChrDefPostParse
    """
    target = console.target or ConsoleTarget()
    changes: dict[str, Any] = {}
    if target.type in (None, "none"):
        changes["type"] = "serial"
    if target.port is None:
        changes["port"] = state.next_port(Console)
    return evolve(console, target=evolve(target, **changes)) if changes else console


_SCLP: Final = {"sclp": "sclpconsole", "sclplm": "sclplmconsole"}


def consoles(launch: Launch) -> Iterator[str]:
    """Consoles that are no serial port seen again.

    Follows: qemuBuildConsoleCommandLine, qemuBuildConsoleChrDeviceProps
    """
    for console in launch.of(Console):
        kind = console.target.type if console.target else None
        if kind == "serial":
            continue
        name = f"char{launch.alias(console)}"
        if kind == "virtio":
            yield from chardev(launch, console, name)
            yield from launch.device(port(launch, console, "virtconsole"))
        elif kind in _SCLP:
            yield from chardev(launch, console, name)
            yield from launch.device({"driver": _SCLP[kind], "chardev": name, "id": launch.alias(console)})
        else:
            raise Refused(f"QEMU has no console of type '{kind}'", console)


CONSOLE = Kind(
    Console,
    refuse_read=character_checks.refuse_read_character,
    read=characters.read_character,
    complete=complete,
    refuse=character_checks.refuse_character,
    refuse_by_qemu=character_checks.refuse_character_by_qemu,
    alias=by_place("console"),
)
