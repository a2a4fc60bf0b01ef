"""A real libvirt: the embedded driver, a daemon of our own, or a daemon that runs.

    libvirt                    the embedded driver of the system's libvirt
    libvirt:/opt/libvirt       of a prefix or a build tree
    libvirt-daemon[:PLACE]     a daemon of our own, from there (as root)
    libvirt:qemu:///system     a daemon that runs, behind its URI

Its policies are `stock`, as it is, and `once`: one lookup a task, by interposition; a daemon that runs has
`stock` alone. Its validity is `ctime`. One process holds a libvirt for all arms of a worker, and for all jobs
of a forker: what shares a process shares its place in memory.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from qcaps.errors import QcapsError, UsageError, unknown
from qcaps.live.count import RUNS_TO_SETTLE
from qcaps.live.host.daemon import PrivateDaemon, RunningDaemon
from qcaps.live.host.embedded import Embedded
from qcaps.live.host.installation import find
from qcaps.live.host.setup import a_cpu
from qcaps.live.tasks import TASKS
from qcaps.lookups import libvirt_laws
from qcaps.lookups.policy import STOCK_OF
from qcaps.measure.cell import BASELINE, STOCK
from qcaps.measure.subject import Counts, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcaps.live.host.installation import Installation
    from qcaps.live.host.libvirt_process import LibvirtProcess, LiveDone
    from qcaps.measure.cell import Cell

ONCE = "once"
VALIDITY = "ctime"
"""Since about 4.10, and only 6.1.0 and later can be embedded."""

_RUNS_OF_PARTS: Final = 9


class LibvirtArm:
    """A task on a domain, again and again, on a libvirt in a process of its own."""

    def __init__(self, process: LibvirtProcess, cell: Cell, xml: str) -> None:
        self._process, self._cell, self._xml = process, cell, xml
        self._once = cell.policy == ONCE
        self._totals = [0, 0]
        self._last = self._counted()

    def time(self) -> int:
        """One run: nanoseconds of libvirt's call alone, set up before and undone after it."""
        (cost,) = self._process.costs(self._cell.task, self._xml, [self._once])
        self._totals[0] += cost.lookups or 0
        self._totals[1] += cost.forks or 0
        return cost.ns

    def run(self) -> None:
        """One run."""
        self.time()

    def reset(self) -> None:
        """Each run leaves nothing behind."""

    def counts(self) -> Counts:
        """What a run does once all is known: runs until two in a row agree. Raises QcapsError if none do."""
        for _ in range(RUNS_TO_SETTLE):
            before, self._last = self._last, self._counted()
            if (before.lookups, before.forks) == (self._last.lookups, self._last.forks):
                break
        else:
            raise QcapsError(
                f"{self._cell.name}: its counts do not settle: {before.lookups} lookups and {before.forks} "
                f"forks, then {self._last.lookups} and {self._last.forks}"
            )
        done = self._last
        lookups = done.lookups or 0
        return Counts(
            devices=libvirt_laws.devices(done.xml) if done.xml else 0,
            lookups=lookups,
            validations=lookups,  # a hit is validated each time
            forks=done.forks or 0,
            probes=0,
            sites=dict(done.sites),
        )

    def totals(self) -> tuple[int, ...]:
        """Lookups and forks so far."""
        return tuple(self._totals)

    def facts(self) -> dict[str, str | int | float]:
        """Which libvirt it is, how it is counted, and what it does by the law where there is one."""
        installed, done = self._process.installation, self._last
        answer = done.capabilities if self._cell.task == "capabilities" else done.xml
        law = libvirt_laws.lookups(self._cell.task, answer, installed.nearest.release)
        return {
            "libvirt_version": installed.version_name,
            "libvirt_driver": str(installed.driver),
            "counted_by": self._process.counted_by,
            **({"law": law} if law is not None and not self._once else {}),
            **({"lookup_ns": done.lookup_ns} if done.lookup_ns else {}),
        }

    def parts(self) -> dict[str, Any]:
        """Microseconds of phases and of lookups, medians of a few runs; a phase holds what runs within it."""
        runs = [self._counted() for _ in range(_RUNS_OF_PARTS)]
        names = [name for name, (calls, _) in runs[-1].phases.items() if calls]
        parts = {name: median(run.phases[name][1] / 1e3 for run in runs) for name in names}
        parts["lookups"] = median((run.lookup_ns or 0) / 1e3 for run in runs)
        return {"runs": len(runs), "total": median(run.ns / 1e3 for run in runs), "parts": parts}

    def close(self) -> None:
        """The process goes with the worker that has it."""

    def _counted(self) -> LiveDone:
        done = self._process.run(self._cell.task, self._xml, once=self._once)
        if not done.accepted:
            raise QcapsError(f"{self._cell.name}: libvirt refuses to {self._cell.task}: {done.error}")
        if self._once and done.lookups and not done.sites:  # what looks up unseen cannot be answered by us
            raise QcapsError(
                "one lookup a task cannot be tried on this libvirt: it binds its own calls when it is linked "
                "(-Bsymbolic-functions)"
            )
        return done


_open: dict[str, LibvirtProcess] = {}


def warm(subject: str, xmls: Sequence[bytes]) -> None:
    """Open the libvirt that all children of this process ask, and have it know its QEMU."""
    process = _process(subject)
    if xmls:
        process.run("define", xmls[0].decode())


def prepare(cell: Cell, xml: bytes, directory: Path) -> LibvirtArm:
    """The arm of a cell. Raises UsageError for a task or a policy it does not have, LiveError."""
    del directory  # libvirt has folders of its own
    if cell.task not in TASKS:
        raise unknown("task of libvirt", cell.task, TASKS)
    if cell.policy not in policies(cell.subject):
        raise unknown(f"policy of {cell.subject}", cell.policy, policies(cell.subject))
    process = _process(cell.subject)
    # A gate's processes start on another CPU than the one that is timed on, where those of the next round do.
    process.stay_on(a_cpu())
    return LibvirtArm(process, cell, xml.decode())


def policies(subject: str) -> tuple[str, ...]:
    """What can be asked of it."""
    return (STOCK,) if is_running(subject) else (STOCK, ONCE)


def is_running(subject: str) -> bool:
    """Whether it is a daemon that serves others too."""
    return "://" in split(subject)[1]


def installation(subject: str) -> Installation:
    """The files of a subject's libvirt; of a running daemon, the client's. Raises NoLibvirt."""
    which = "" if is_running(subject) else split(subject)[1]
    return find(Path(which).expanduser() if which else None)


def described(subject: str) -> str:
    """Version and place: "libvirt 9.0.0 (/usr/lib/…/libvirt.so.0)"."""
    found = installation(subject)
    return f"{split(subject)[0]} {found.version_name} ({found.library})"


def canonical(subject: str) -> str:
    """The subject with its place as an absolute path: a worker may run elsewhere. Raises UsageError."""
    kind, which = split(subject)
    if not which or is_running(subject):
        if kind == "libvirt-daemon" and which:
            raise UsageError(f"--subject {subject}: a daemon that runs is libvirt:{which}")
        return subject
    place = Path(which).expanduser().absolute()
    if not place.is_dir():
        raise UsageError(f"subject {subject}: no such folder")
    return f"{kind}:{place}"


def _process(subject: str) -> LibvirtProcess:
    if subject not in _open:
        _open[subject] = opened(subject)
    return _open[subject]


def opened(subject: str, most_memory: int = 0) -> LibvirtProcess:
    """A libvirt of this subject, to be closed by the caller. Raises LiveError.

    One of ours may have `most_memory` bytes, if that is not 0.
    """
    kind, which = split(subject)
    if is_running(subject):
        return RunningDaemon(which)
    kinds = {"libvirt": Embedded, "libvirt-daemon": PrivateDaemon}
    return kinds[kind](None, Path(which) if which else None, most_memory=most_memory, known=True)


def on_libvirt(cells: Sequence[Cell], subject: str) -> tuple[Cell, ...]:
    """The cells as this libvirt can be asked them: other policies than its own fall together or away."""
    found = (
        replace(cell, subject=subject, validity=VALIDITY, policy=_policy(cell.policy))
        for cell in cells
        if cell.task in TASKS
    )
    return tuple(dict.fromkeys(cell for cell in found if cell.policy in policies(subject)))


def _policy(name: str) -> str:
    return STOCK if name == BASELINE or name in STOCK_OF else name
