"""The first console is the first serial port, seen again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Console, Serial
from qcaps.domainxml.devices.console import ConsoleTarget
from qcaps.domainxml.devices.serial import SerialTarget
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_SEEN_AGAIN: Final = frozenset(
    {None, "none", "isa-serial", "spapr-vio-serial", "system-serial", "sclp-serial"}
)
"""Serial ports that the guest's firmware takes for a console."""

_SHARED: Final = (
    "type",
    "source",
    "second_source",
    "protocol",
    "log",
    "alias",
    "address",
    "unknown_children",
)


def add_twin(draft: Draft) -> None:
    """A console of type serial makes the first serial port, and that port makes such a console.

    Follows: virDomainDefAddConsoleCompat
    """
    serials, consoles = draft.of(Serial), draft.of(Console)
    for console in consoles[1:]:
        if _type(console) == "serial":
            raise Refused(
                "unsupported configuration: a console of type serial must be the first one", console
            )
    if consoles and _type(consoles[0]) in (None, "none", "serial"):
        if not serials:
            serials.append(_serial_of(consoles[0]))
        consoles[0] = twin(serials[0])
    elif serials and _serial_type(serials[0]) in _SEEN_AGAIN:
        consoles.insert(0, twin(serials[0]))
        if since(_COUNTED_WITH_TWIN, draft.release):
            for port, console in enumerate(consoles[1:], start=1):
                target = console.target or ConsoleTarget()
                consoles[port] = evolve(console, target=evolve(target, port=port))


_COUNTED_WITH_TWIN: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether the console that mirrors a serial port moves the others on."""


def twin(serial: Serial) -> Console:
    """The console that `serial` is, too."""
    values = serial.__dict__
    shared = {name: values[name] for name in _SHARED if values.get(name)}
    port = serial.target.port if serial.target is not None else 0
    return evolve(Console(target=ConsoleTarget(type="serial", port=port)), **shared)


def renew_twin(draft: Draft) -> None:
    """Shows the first serial port as it is now in the console that mirrors it."""
    serials, consoles = draft.of(Serial), draft.of(Console)
    if serials and consoles and _type(consoles[0]) == "serial":
        consoles[0] = twin(serials[0])


def _serial_of(console: Console) -> Serial:
    values = console.__dict__
    shared = {name: values[name] for name in _SHARED if values.get(name)}
    return evolve(Serial(target=SerialTarget(port=0)), **shared)


def _type(console: Console) -> str | None:
    return console.target.type if console.target is not None else None


def _serial_type(serial: Serial) -> str | None:
    return serial.target.type if serial.target is not None else None
