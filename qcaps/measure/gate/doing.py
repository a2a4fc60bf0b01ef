"""Which does more: calls by function and system calls by name, head against base. Exact, and never judged.

A count is exact where it is the same in all windows of two processes of an arm; what varies there is shown
as such. Calls are those of the reference's own Python. System calls are those of the thread that runs the
task, by strace; of a libvirt, of its embedded driver.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import QcapsError
from qcaps.measure.gate.arms import plain_environment
from qcaps.measure.subject import is_libvirt, split
from qcaps.measure.worker import doing as script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.rounds import Bench

    Windows = Sequence[Mapping[str, int]]

CALLS, SYSTEM_CALLS = "calls", "system calls"
_PROCESSES = 2
_SYSTEM_CALL = re.compile(r"^(\w+)\(")
_SECONDS = 300


class Between(NamedTuple):
    """How often something is done in a run: the fewest and the most of all windows."""

    fewest: int
    most: int

    @property
    def varies(self) -> bool:
        """Whether equal runs differ."""
        return self.fewest != self.most

    def __str__(self) -> str:
        return f"{self.fewest} to {self.most}" if self.varies else str(self.most)


@dataclass(frozen=True)
class Doing:
    """Something that base and head do otherwise, on one benchmark; `kind` is CALLS or SYSTEM_CALLS."""

    benchmark: str
    kind: str
    name: str
    base: Between
    head: Between

    @property
    def varies(self) -> bool:
        """Whether it differs between equal runs, so that the difference tells nothing."""
        return self.base.varies or self.head.varies

    @property
    def more(self) -> int:
        """How much more head does, at the least of each."""
        return self.head.fewest - self.base.fewest


def compare(bench: Bench, arms: tuple[Arm, Arm], note: Callable[[str], None]) -> list[Doing]:
    """All that base and head do otherwise on each benchmark, what differs most first.

    What cannot be counted is noted: a version that cannot be asked, no strace, no leave to trace.
    """
    found: list[Doing] = []
    for kind in (CALLS, SYSTEM_CALLS):
        try:
            base, head = (_of_arm(bench, arm, kind) for arm in arms)
        except QcapsError as error:
            note(f"{kind} are not compared: {error}")
            continue
        for cell in bench.sources:
            if cell in base and cell in head:
                found += differences(cell.name, kind, base[cell], head[cell])
    return found


def differences(benchmark: str, kind: str, base: Windows, head: Windows) -> list[Doing]:
    """The names that are done another number of times, exact ones first, then by how much."""
    names = {name for windows in (base, head) for window in windows for name in window}
    rows = (
        Doing(benchmark, kind, name, _between(base, name), _between(head, name)) for name in sorted(names)
    )
    differing = [row for row in rows if row.base != row.head]
    return sorted(differing, key=lambda row: (row.varies, -abs(row.more)))


def windows_of(trace: str) -> list[dict[str, int]]:
    """System calls by name in each window of what strace wrote."""
    found: list[dict[str, int]] = []
    counts: Counter[str] | None = None
    for line in trace.splitlines():
        if f'"{script.BEGIN}"' in line:
            counts = Counter()
        elif f'"{script.END}"' in line and counts is not None:
            found.append(dict(counts))
            counts = None
        elif counts is not None and (called := _SYSTEM_CALL.match(line)):
            counts[called[1]] += 1
    return found


def _between(windows: Windows, name: str) -> Between:
    values = [window.get(name, 0) for window in windows]
    return Between(min(values), max(values))


def _of_arm(bench: Bench, arm: Arm, kind: str) -> dict[Cell, Windows]:
    """The windows of each cell the arm can be asked about. Raises QcapsError."""
    if kind == SYSTEM_CALLS and shutil.which("strace") is None:
        raise QcapsError("no strace on PATH: apt-get install strace")
    live = {cell: arm.own(cell) for cell in bench.sources if is_libvirt(arm.own(cell).subject)}
    others = {cell: arm.own(cell) for cell in bench.sources if cell not in live}
    found: dict[Cell, Windows] = {}
    for cell, own in live.items() if kind == SYSTEM_CALLS else ():
        found[cell] = _of_libvirt(own, bench.sources[cell])
    for number in range(_PROCESSES if others else 0):
        folder = bench.scratch / f"doing-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        asked = [[own.to_plain(), bench.sources[cell]] for cell, own in others.items()]
        for cell, windows in zip(others, _asked(arm, kind, asked, folder), strict=True):
            found[cell] = [*found.get(cell, ()), *windows]
    return found


def _of_libvirt(cell: Cell, xml: str) -> Windows:
    from qcaps.live.host.embedded import Embedded
    from qcaps.measure.subjects import libvirt

    if split(cell.subject)[0] != "libvirt" or libvirt.is_running(cell.subject):
        raise QcapsError(f"{cell.subject}: system calls are counted of the embedded driver alone")
    which = split(cell.subject)[1]
    found: list[Mapping[str, int]] = []
    for _ in range(_PROCESSES):
        with Embedded(None, Path(which) if which else None) as process:
            for _ in range(3):
                process.run(cell.task, xml)
            found += [process.syscalls(cell.task, xml) for _ in range(script.WINDOWS)]
    return found


def _asked(arm: Arm, kind: str, cells: Sequence[object], folder: Path) -> list[Windows]:
    """What one process of the arm says, or what strace saw of it. Raises QcapsError."""
    trace = folder / "strace"
    command = [arm.python, "-P", str(Path(script.__file__))]
    if kind == SYSTEM_CALLS:
        command = ["strace", "-qq", "-e", "signal=none", "-o", str(trace), *command]
    environment = plain_environment() | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if arm.path:
        environment["PYTHONPATH"] = arm.path
    done = subprocess.run(
        command,
        input=json.dumps({"how": kind, "directory": str(folder / "files"), "cells": cells}),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise QcapsError(f"{arm.name} ({arm.version}) cannot be asked: {last}")
    if kind == CALLS:
        said: list[Windows] = json.loads(done.stdout)
        return said
    windows = windows_of(trace.read_text(errors="replace"))
    each = script.WINDOWS
    return [windows[n : n + each] for n in range(0, len(cells) * each, each)]


def names_of(rows: Iterable[Doing], most: int) -> tuple[list[Doing], int]:
    """The first `most` rows of each benchmark and kind, and how many more there are."""
    shown: list[Doing] = []
    taken: Counter[tuple[str, str]] = Counter()
    left = 0
    for row in rows:
        key = (row.benchmark, row.kind)
        taken[key] += 1
        if taken[key] <= most:
            shown.append(row)
        else:
            left += 1
    return shown, left
