"""The torn-task experiment: what tasks do while another process replaces the QEMU binary.

The "binary" is a stand-in file that says which of two capability sets it has; the prober reads it. Each arm
is a driver of its own; they take turns, a block of tasks each, in random order, so that all meet the same
machine.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.host_files import Host
from qcaps.cache.validity import by_name as validity_by_name
from qcaps.capabilities.snapshots import snapshot
from qcaps.content import SHIPPED, ContentFolders
from qcaps.driver.domain_store import DomainStore
from qcaps.driver.driver import QemuDriver
from qcaps.driver.phases import untimed
from qcaps.errors import UsageError
from qcaps.files import scratch_folder
from qcaps.lookups.policy import by_name as policy_by_name
from qcaps.measure.torn.swapper import install, swapping
from qcaps.rules.refusal import CapabilitiesChanged, Refused
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.capabilities.model import Capabilities

BLOCK = 50
QUIET_TASKS = 10
REFERENCE = "once"

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class TornArm:
    """A policy, how finely it looks at the binary, and how often an undone task is run again."""

    policy: str
    whole_seconds: bool = False
    retries: int = 0

    @property
    def name(self) -> str:
        """As tables and files call it."""
        retried = f" + {self.retries} retries" if self.retries else ""
        return f"{self.policy}{retried}{' (whole seconds)' if self.whole_seconds else ''}"


@dataclass(frozen=True)
class Experiment:
    """What is run: `tasks` defines an arm, `mean` seconds between replacements, flags the lean set lacks.

    Before that each arm is timed in `quiet_rounds` blocks while nothing is replaced.
    """

    scenario: str
    n: int
    removed: tuple[str, ...]
    arms: tuple[TornArm, ...]
    tasks: int = 500
    mean: float = 0.002
    seed: int = 0
    content: ContentFolders = SHIPPED
    quiet_rounds: int = 24


@dataclass
class Tally:
    """What became of an arm's tasks.

    Every task counts once in: `consistent` (committed on one set that was installed then), `stale`
    (committed on one set that had been replaced before), `torn` (used two sets; `torn_refused` of them were
    refused), `refused` (on one set), `aborted`. Beside these: `retried` tasks that were undone at least once
    and then came through; `late`, tasks whose binary was replaced between the start of the commit and the
    rename, which no policy can prevent. `swaps` met the arm. `seconds` are those of its blocks, `quiet` those
    of blocks in which nothing was replaced, `window` those from the last check to the rename.
    """

    tasks: int = 0
    swaps: int = 0
    consistent: int = 0
    torn: int = 0
    torn_refused: int = 0
    stale: int = 0
    refused: int = 0
    aborted: int = 0
    retried: int = 0
    late: int = 0
    seconds: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    window: list[float] = field(default_factory=list)


def run(experiment: Experiment, progress: OnProgress = lambda _done, _of: None) -> dict[TornArm, Tally]:
    """Carries the experiment out in a temporary folder. Raises UsageError."""
    if experiment.tasks < 1 or not 0 < experiment.mean < 3600:  # noqa: PLR2004  # an hour is no race
        raise UsageError("expected at least one task and a mean interval above 0 and below an hour")
    tallies = {arm: Tally() for arm in experiment.arms}
    with (
        scratch_folder() as scratch,
        _subjects(experiment, scratch) as subjects,
    ):
        chance = random.Random(experiment.seed)
        done, of = 0, (experiment.quiet_rounds + experiment.tasks) * len(experiment.arms)
        for _ in range(experiment.quiet_rounds):
            for arm in chance.sample(experiment.arms, len(experiment.arms)):
                tallies[arm].quiet.append(subjects[arm].time_quietly())
                done += 1
                progress(done, of)
        with swapping(scratch / "qemu", experiment.mean, experiment.seed):
            for first in range(0, experiment.tasks, BLOCK):
                count = min(BLOCK, experiment.tasks - first)
                for arm in chance.sample(experiment.arms, len(experiment.arms)):
                    subjects[arm].run_block(count, tallies[arm])
                    done += count
                    progress(done, of)
    return tallies


@contextmanager
def _subjects(experiment: Experiment, scratch: Path) -> Iterator[dict[TornArm, _Subject]]:
    binary = scratch / "qemu"
    install(binary, 0)
    xml = scenario(experiment.scenario, experiment.content).xml(experiment.n, experiment.seed).encode()
    full = snapshot("x86_64").capabilities
    unknown = [flag for flag in experiment.removed if flag not in full.flags]
    if unknown:
        raise UsageError(f"the recorded capabilities lack {', '.join(unknown)} already; remove other flags")
    sets = {"full": full, "lean": replace(full, flags=full.flags - set(experiment.removed))}
    host = Host.from_machine()
    subjects = {
        arm: _Subject(arm, binary, sets, xml, folder=scratch / str(number), host=host)
        for number, arm in enumerate(experiment.arms)
    }
    try:
        yield subjects
    finally:
        for subject in subjects.values():
            subject.cache.close()


class _Cache(CapabilityCache):
    """Remembers which set each lookup of an attempt was answered from, and when the last check passed."""

    used: list[str]
    checked: float = 0.0

    def lookup(self, binary: str) -> Capabilities:
        found = super().lookup(binary)
        self.used.append(found.package)
        return found

    def why_invalid(self, binary: str, capabilities: Capabilities) -> str | None:
        why = super().why_invalid(binary, capabilities)
        self.checked = time.perf_counter()
        return why


class _Subject:
    """A driver under one arm. The capabilities' `package` says which contents of the binary they are of."""

    def __init__(
        self,
        arm: TornArm,
        binary: Path,
        sets: dict[str, Capabilities],
        xml: bytes,
        *,
        folder: Path,
        host: Host,
    ) -> None:
        def prober(path: str) -> Capabilities:
            contents = _contents(path)
            return replace(sets[contents.split()[0]], package=contents)

        validity = replace(validity_by_name("ctime"), whole_seconds=arm.whole_seconds)
        self.cache = _Cache(validity, host, prober)
        self.cache.used = []
        self._binary = str(binary)
        self._xml = xml
        self._driver = QemuDriver(
            DomainStore(folder),
            self.cache,
            policy_by_name(arm.policy),
            emulator=self._binary,
            retries=arm.retries,
        )
        self._at_commit = self._after = ""

    def time_quietly(self) -> float:
        """Seconds of one task, the mean of a few, while nothing is replaced and nobody watches."""
        self._driver.observe(phase=untimed)
        self.cache.used.clear()
        self._driver.define(self._xml)  # whatever was invalidated meanwhile is probed here
        start = time.perf_counter()
        for _ in range(QUIET_TASKS):
            self._driver.define(self._xml)
        return (time.perf_counter() - start) / QUIET_TASKS

    def run_block(self, count: int, tally: Tally) -> None:
        """Run `count` tasks while the binary is being replaced, and count what became of them."""
        self._driver.observe(phase=self._phase)
        before = _number(_contents(self._binary))
        start = time.perf_counter()
        for _ in range(count):
            self._run_task(tally)
        tally.seconds.append((time.perf_counter() - start) / count)
        tally.swaps += _number(_contents(self._binary)) - before

    def _run_task(self, tally: Tally) -> None:
        tally.tasks += 1
        try:
            done = self._driver.define(self._xml)
        except CapabilitiesChanged:
            tally.aborted += 1
            return
        except Refused:
            if self._is_torn():
                tally.torn += 1
                tally.torn_refused += 1
            else:
                tally.refused += 1
            return
        tally.retried += done.retried > 0
        tally.late += self._after != self._at_commit
        if self.cache.checked:
            tally.window.append(self._done_at - self.cache.checked)
        if self._is_torn():
            tally.torn += 1
        elif self.cache.used[-1] != self._at_commit:
            tally.stale += 1
        else:
            tally.consistent += 1

    def _is_torn(self) -> bool:
        return len({contents.split()[0] for contents in self.cache.used}) > 1

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """What is installed when an attempt begins to commit, and when it has committed."""
        if name == "parse":
            self.cache.used.clear()
            self.cache.checked = 0.0
        if name == "commit":
            self._at_commit = _contents(self._binary)
        yield
        if name == "commit":
            self._done_at = time.perf_counter()
            self._after = _contents(self._binary)

    _done_at = 0.0


def _contents(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 100).decode().strip()
    finally:
        os.close(file)


def _number(contents: str) -> int:
    return int(contents.split()[1])
