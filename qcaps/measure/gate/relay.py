"""The processes of a gate's rounds: a pair of them a round, the next pair starting while one is timed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from qcaps.measure.gate.arms import ArmProcess, start, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.worker.chance import Chance


class Started:
    """A process of each arm, all under one draw, started in `order`; they import side by side.

    An arm that has a `path` finds its code at a link whose name tells its turn, not what it is.
    """

    def __init__(
        self,
        arms: tuple[Arm, ...],
        work: Callable[[Arm], str],
        chance: Chance,
        scratch: Path,
        order: Sequence[int] = (0, 1),
    ) -> None:
        self.chance, self.order = chance, order[: len(arms)]
        self._processes: dict[int, ArmProcess] = {}
        scratch.mkdir(exist_ok=True)
        try:
            for place, number in enumerate(self.order):
                code = _linked(arms[number], scratch / f"code-{place}")
                self._processes[number] = start(
                    arms[number], code, work(arms[number]), chance, scratch / f"stderr-{place}"
                )
        except BaseException:
            self.close()
            raise

    def greeted(self) -> tuple[ArmProcess, ...]:
        """The processes in the order of their arms, all imported. Raises ArmError, MismatchError."""
        for process in self._processes.values():
            process.greet()
        return tuple(self._processes[number] for number in sorted(self._processes))

    def close(self) -> None:
        """End them."""
        for one in self._processes.values():
            stop(one)


class Relay:
    """Hands out the processes of one round after another; those of the next are importing meanwhile."""

    def __init__(self, bench: Bench, arms: tuple[Arm, Arm]) -> None:
        self._bench, self._arms = bench, arms
        self._count = 0
        self._next: Started | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            self._next.close()

    @contextmanager
    def round(self) -> Iterator[tuple[Started, tuple[ArmProcess, ...]]]:
        """The processes of this round; ended with it."""
        now, self._next = self._next or self._started(), None
        try:
            processes = now.greeted()
            self._next = self._started()
            yield now, processes
        finally:
            now.close()

    def _started(self) -> Started:
        self._count += 1
        bench = self._bench
        order = bench.draw.sample((0, 1), 2)
        # Two are there at a time; their names are as long as each other's.
        place = bench.scratch / f"round-{self._count % 2}"
        return Started(self._arms, bench.work, bench.chance(), place, order)


@contextmanager
def running(
    arms: tuple[Arm, ...], work: Callable[[Arm], str], chance: Chance, scratch: Path
) -> Iterator[tuple[ArmProcess, ...]]:
    """A process of each arm, for as long as the context lasts."""
    started = Started(arms, work, chance, scratch)
    try:
        yield started.greeted()
    finally:
        started.close()


def _linked(arm: Arm, link: Path) -> str:
    """The path of the arm's code by way of a link; "" where the interpreter has it installed."""
    if not arm.path:
        return ""
    link.unlink(missing_ok=True)
    link.symlink_to(arm.path)
    return str(link)
