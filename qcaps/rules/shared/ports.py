"""Numbers of consoles, parallel ports and ISA serial ports, which no single device can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Console, Parallel, Serial
from qcaps.domainxml.devices.console import ConsoleTarget
from qcaps.domainxml.devices.parallel import ParallelTarget
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


_MOST_ISA_PORTS: Final = 4


def number_consoles(draft: Draft) -> None:
    """A console's port is its place among consoles, whatever the file says.

    Follows: virDomainDefParseXML
    """
    consoles = draft.of(Console)
    for port, console in enumerate(consoles):
        target = console.target or ConsoleTarget()
        consoles[port] = evolve(console, target=evolve(target, port=port))


def number_parallels(draft: Draft) -> None:
    """A parallel port without a number gets the one after the highest before it.

    Follows: virDomainDefParseXML
    """
    parallels = draft.of(Parallel)
    highest = -1
    for position, one in enumerate(parallels):
        target = one.target or ParallelTarget()
        port = highest + 1 if target.port is None else target.port
        highest = max(highest, port)
        parallels[position] = evolve(one, target=evolve(target, port=port, type=None))


def number_isa_serials(draft: Draft) -> None:
    """There are four ISA serial ports; those that the file calls so by type share them, by whatever model.

    Follows: virDomainChrIsaSerialDefPostParse
    """
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
