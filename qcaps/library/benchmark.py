"""Policies measured against each other, and what came out as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.cache.validity import by_name as validity_by_name
from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError, unknown
from qcaps.files import scratch_folder
from qcaps.lookups.policy import by_name as policy_by_name
from qcaps.measure.carrying import Here
from qcaps.measure.cell import BASELINE, TASKS
from qcaps.measure.domains import named
from qcaps.measure.results import results_file
from qcaps.measure.schedule import Log, Plan, measure, with_baseline
from qcaps.measure.suite import Choice, choose, suite
from qcaps.report.summary import MeasuredSpeedup, speedups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qcaps.measure.results.results_file import Results
    from qcaps.measure.schedule import OnProgress

_SUITE = "default"


@dataclass(frozen=True)
class Measurements:
    """What was measured: of a `benchmark`, or from a results file.

    Attributes:
        results: the times of every call and the counts of every cell; what it offers may change at any time.
        refused: why a comparison could not be measured, by its name.
    """

    results: Results
    refused: Mapping[str, str] = field(default_factory=dict)

    def speedups(self, baseline: str = BASELINE) -> tuple[MeasuredSpeedup, ...]:
        """How many times as fast as the baseline each policy is.

        Each has `scenario`, `n`, `devices`, `task`, `validity`, `policy`, `baseline`; `ratio`, with `low` and
        `high` as its 95 % interval and `pairs` as its ground; `lookups`, `forks` and `seconds` (the median)
        by policy, the baseline's too. A libvirt's are held against `stock`.
        """
        return speedups(self.results, baseline)

    def to_pandas(self, baseline: str = BASELINE) -> Any:  # noqa: ANN401  # pandas need not be there
        """The same as a DataFrame, a row each; what is by policy is a column for the policy and one for the
        baseline, as in `lookups` and `baseline_lookups`. Raises QcapsError where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise QcapsError("to_pandas() needs pandas: pip install pandas") from None
        return pd.DataFrame([_flat(one) for one in self.speedups(baseline)])

    def write(self, path: str | PathLike[str]) -> None:
        """Write a results file, which `qcaps report`, pyperf and `read_results` read."""
        results_file.write(Path(path), self.results)


def benchmark(
    what: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    *,
    n: Iterable[int] = (),
    tasks: str | Iterable[str] = (),
    policies: str | Iterable[str] = (),
    validities: str | Iterable[str] = (),
    baseline: str = BASELINE,
    grow: str = "",
    pairs: int = 20,
    processes: int = 1,
    seconds: float | None = None,
    seed: int = 0,
    content: str | PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Measurements:
    """Time policies side by side on the reference pipeline, each comparison in processes of its own::

        for one in qcaps.benchmark(["disks"], n=[1, 64], validities=["ctime"]).speedups():
            print(one.policy, one.n, one.ratio, one.low, one.high)

    What is left empty is as in `qcaps run`, but for one process a comparison in place of four; a comparison
    takes up to 6 s a process. Run it on a machine that is otherwise idle.

    Args:
        what: scenarios, domain files, folders of these.
        n: how many devices; by default the steps of each scenario.
        tasks: as in `define`, `start`, `define+undefine`.
        policies: what is compared; the baseline is added.
        validities: how a cached answer is checked.
        baseline: what the others are held against.
        grow: on top of a domain file, n devices of this scenario.
        pairs: how often all are timed side by side in a process.
        processes: fresh processes a comparison; differences between processes are only seen with several.
        seconds: end after so many; what was not reached is missing.
        seed: draws the order of calls and what is random in scenarios.
        content: a folder with `scenarios/` of your own.
        on_progress: told how much is done, of how much, and what is on.

    Raises:
        UsageError: a name that there is not.
        QcapsError: nothing could be measured.
    """
    folders = ContentFolders(Path(content)) if content else SHIPPED
    domains, scenarios = named(_several(what), folders, grow)
    choice = Choice(
        scenarios=scenarios,
        ns=tuple(n),
        tasks=_several(tasks),
        validities=_several(validities),
        policies=_several(policies),
    )
    _check(choice, baseline)
    cells = choose(suite(_SUITE, folders).cells, choice, domains)
    plan = Plan(
        cells=with_baseline(tuple(replace(cell, seed=seed) for cell in cells), baseline),
        pairs=pairs,
        processes=processes,
        seed=seed,
        limit=seconds,
        domains=domains,
    )
    log = Log()
    with scratch_folder() as scratch:
        measure(plan, scratch / "results.json", log, Here(scratch), on_progress or _nobody)
    refused = {comparison.name: why for comparison, why in log.refused.items()}
    if not log.results.measured:
        raise QcapsError("nothing was measured: " + next(iter(refused.values()), "there was no time"))
    return Measurements(log.results, refused)


def read_results(path: str | PathLike[str]) -> Measurements:
    """What `qcaps run` or `Measurements.write` left in a file. Raises QcapsError for another file."""
    return Measurements(results_file.read(Path(path)))


def _nobody(_done: float, _of: int, _what: str) -> None:
    return


def _several(names: str | PathLike[str] | Iterable[str | PathLike[str]]) -> tuple[str, ...]:
    """Names as text; one that stands alone is no sequence of letters."""
    return tuple(fspath(one) for one in ([names] if isinstance(names, str | PathLike) else names))


def _check(choice: Choice, baseline: str) -> None:
    """Raise UsageError for a name that there is not, before anything is measured."""
    for task in choice.tasks:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    for validity in choice.validities:
        validity_by_name(validity)
    for policy in (*choice.policies, baseline):
        policy_by_name(policy)


def _flat(one: MeasuredSpeedup) -> dict[str, Any]:
    plain = asdict(one)
    for name in ("lookups", "forks", "seconds"):
        by_policy = plain.pop(name)
        plain[name], plain[f"baseline_{name}"] = by_policy[one.policy], by_policy[one.baseline]
    return plain
