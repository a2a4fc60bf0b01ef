"""A loop of pure Python, n turns long: a benchmark whose every slowdown is known, to judge judges by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell


class Loop:
    """The sum of squares below n, as it would be computed by hand."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    def run(self) -> None:
        """Once through, with a table, so that memory is part of it."""
        table: dict[int, int] = {}
        total = 0
        for number in range(self._turns):
            total = (total + number * number) & 0xFFFF
            table[total & 0xFF] = number

    def scaled(self, share: float) -> Loop:
        """A loop with so many more turns."""
        return Loop(round(self._turns * (1 + share)))

    def reset(self) -> None:
        """Nothing is left over."""

    def counts(self) -> Counts:
        """It looks nothing up."""
        return Counts(devices=0, lookups=0, validations=0, forks=0, probes=0)

    def totals(self) -> tuple[int, ...]:
        """Nothing grows."""
        return ()

    def facts(self) -> dict[str, str | int | float]:
        """No capabilities, and no user to change to."""
        return {}

    def close(self) -> None:
        """It holds nothing."""


def warm(subject: str, xmls: Sequence[bytes]) -> None:
    """It needs nothing."""
    del subject, xmls


def prepare(cell: Cell, xml: bytes, directory: Path) -> Loop:
    """A loop of `cell.n` turns."""
    del xml, directory
    return Loop(cell.n)
