"""The results file: a pyperf suite, one benchmark an arm, one run a worker process.

A run's values are all timed calls, in seconds, in the order they were made; `calls_a_block` says how many
make a block. Counts and parameters stand in each run's metadata, so `pyperf show --metadata` prints them.
A benchmark of pyperf's is of one machine; where runs are of several, what tells these apart has other names.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps.bounded import read_bounded
from qcaps.errors import QcapsError
from qcaps.files import replace_file
from qcaps.measure.cell import Cell
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Metadata = dict[str, str | int | float]

CUT_SHORT = "cut_short"
"""Metadata of a run whose worker was killed before it was done: by what."""

_OF_HOSTS = {
    "hostname": "host",
    "cpu_model_name": "host_cpu_model_name",
    "cpu_count": "host_cpu_count",
    "platform": "host_platform",
}
"""What pyperf wants to be the same in all runs of a benchmark, and its names where it is not."""

_COUNTS = ("devices", "lookups", "validations", "forks", "probes")


@dataclass(frozen=True)
class Run:
    """What one worker process measured of one arm.

    `worker` numbers the processes of a file: arms of one comparison share it, and their blocks of one index
    are a pair. `blocks` and `warmups` hold seconds of each call; `facts` is all other metadata.
    """

    worker: int
    blocks: tuple[tuple[float, ...], ...]
    warmups: tuple[float, ...]
    facts: Metadata

    @property
    def block_values(self) -> tuple[float, ...]:
        """A block's value is its quickest call: whatever disturbs a call makes it slower."""
        return tuple(min(block) for block in self.blocks)


@dataclass(frozen=True)
class Measured:
    """All that is known of one cell."""

    cell: Cell
    counts: Counts
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Results:
    """The contents of a results file."""

    measured: tuple[Measured, ...]

    def by_comparison(self) -> dict[Cell, dict[str, Measured]]:
        """The arms of each comparison by policy, in the order they were measured."""
        found: dict[Cell, dict[str, Measured]] = {}
        for one in self.measured:
            found.setdefault(one.cell.comparison, {})[one.cell.policy] = one
        return found


def add(results: Results, new: Iterable[Measured]) -> Results:
    """`results` with more runs, or more cells; the counts are those first seen."""
    cells = {one.cell: one for one in results.measured}
    for one in new:
        known = cells.get(one.cell)
        cells[one.cell] = Measured(one.cell, known.counts, known.runs + one.runs) if known else one
    return Results(tuple(cells.values()))


def write(path: Path, results: Results) -> None:
    """Replace the file at once: a reader sees the old contents or the new, and so does a crash."""
    replace_file(path, to_text(results))


def to_text(results: Results) -> str:
    """The contents of a results file; there must be a run in it."""
    import pyperf  # 0.1 s that only writers and readers of files pay

    suite = pyperf.BenchmarkSuite([_to_benchmark(pyperf, one) for one in results.measured])
    text = io.StringIO()
    suite.dump(text)
    return text.getvalue()


def looks_like_results(path: Path) -> bool:
    """Whether a file is named or begins as JSON, or is none that could hold a domain."""
    if path.suffix == ".json" or (path.exists() and not (path.is_file() or path.is_dir())):
        return True
    try:
        with path.open("rb") as file:
            return file.read(256).lstrip()[:1] == b"{"
    except OSError:
        return False


def read(path: Path) -> Results:
    """The results in a file. Raises QcapsError for one that is truncated or not written by `write`."""
    results, complaints = read_leniently(path)
    if complaints:
        raise QcapsError(complaints[0])
    return results


def read_leniently(path: Path) -> tuple[Results, tuple[str, ...]]:
    """The benchmarks of a file that `write` wrote, and a line for each other one.

    Raises QcapsError for a file that is truncated or none of pyperf's.
    """
    try:
        text = read_bounded(path).decode()
    except OSError as error:
        raise QcapsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise QcapsError(
            f"{path}: truncated, or not a results file ({error!s:.200}); measure again"
        ) from error
    return _parsed(text, str(path))


def from_text(text: str, origin: str) -> Results:
    """The reverse of `to_text`. Raises QcapsError that names where the text is from."""
    results, complaints = _parsed(text, origin)
    if complaints:
        raise QcapsError(complaints[0])
    return results


def _parsed(text: str, path: str) -> tuple[Results, tuple[str, ...]]:
    import pyperf  # likewise

    if not text.lstrip().startswith("{"):
        what = f"it begins with {text.split(maxsplit=1)[0][:20]!r}" if text.strip() else "it is empty"
        raise QcapsError(f"{path}: no results file: {what}; results are JSON, as 'qcaps run' writes them")
    try:
        suite = pyperf.BenchmarkSuite.loads(text)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise QcapsError(f"{path}: truncated, or not a results file ({why:.200}); measure again") from error
    measured, complaints = [], []
    for benchmark in suite:
        try:
            measured.append(_from_benchmark(path, benchmark))
        except QcapsError as error:
            complaints.append(str(error))
    return Results(tuple(measured)), tuple(complaints)


def _to_benchmark(pyperf: Any, one: Measured) -> Any:  # noqa: ANN401  # likewise
    differing = {name for name in _OF_HOSTS if len({run.facts.get(name) for run in one.runs}) > 1}
    return pyperf.Benchmark([_to_run(pyperf, one, run, differing) for run in one.runs])


def _to_run(pyperf: Any, one: Measured, run: Run, differing: set[str]) -> Any:  # noqa: ANN401  # likewise
    metadata: Metadata = {
        **{_OF_HOSTS[name] if name in differing else name: value for name, value in run.facts.items()},
        "name": one.cell.name,
        "unit": "second",
        **one.cell.to_plain(),
        **{name: getattr(one.counts, name) for name in _COUNTS},
        "sites": json.dumps(one.counts.sites),
        "calls_a_block": len(run.blocks[0]),
        "worker": run.worker,
    }
    return pyperf.Run(
        [value for block in run.blocks for value in block],
        warmups=[(1, value) for value in run.warmups],
        metadata=metadata,
        collect_metadata=False,
    )


def _from_benchmark(path: str, benchmark: Any) -> Measured:  # noqa: ANN401  # likewise
    try:
        runs = benchmark.get_runs()
        metadata = runs[0].get_metadata()
        counts = {name: int(metadata[name]) for name in _COUNTS}
        return Measured(
            Cell.from_plain(metadata),
            Counts(**counts, sites=json.loads(metadata["sites"])),
            tuple(_from_run(run.get_metadata(), run.values, run.warmups) for run in runs),
        )
    except (KeyError, ValueError, QcapsError) as error:
        name = benchmark.get_name()
        raise QcapsError(
            f"{path}: benchmark {name!r} was not measured by 'qcaps run' ({error!s:.200})"
        ) from error


def _from_run(
    metadata: Mapping[str, Any], values: Sequence[float], warmups: Sequence[tuple[int, float]]
) -> Run:
    calls = int(metadata["calls_a_block"])
    if calls < 1 or not values or len(values) % calls:
        raise ValueError(f"{len(values)} values are no whole number of blocks of {calls}")
    blocks = tuple(tuple(values[at : at + calls]) for at in range(0, len(values), calls))
    facts = {_FROM_HOSTS.get(name, name): value for name, value in metadata.items() if name not in _OWN}
    return Run(int(metadata["worker"]), blocks, tuple(value for _, value in warmups), facts)


_FROM_HOSTS = {name: known for known, name in _OF_HOSTS.items()}
_OWN = {
    *_COUNTS,
    *Cell("", 0).to_plain(),
    "name",
    "unit",
    "sites",
    "calls_a_block",
    "worker",
}
