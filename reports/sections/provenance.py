"""Where the numbers are from: commit, machine, versions, seeds, and the command that measures them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.report.section import Content

if TYPE_CHECKING:
    from qcaps.report.sources import ResultsSource, Sources

ORDER = 110
PART = "How it was measured"
HEADING = "Provenance"
MISSING = "no results file could be read"
TEMPLATE = "provenance.html.j2"
_FACTS = (
    ("commit", "git_commit"),
    ("qcaps", "qcaps_version"),
    ("command", "command_line"),
    ("host", "hostname"),
    ("CPU", "cpu_model_name"),
    ("CPUs", "cpu_count"),
    ("worker's CPU", "cpu_affinity"),
    ("load when it began", "load_avg_1min"),
    ("system", "platform"),
    ("Python", "python_version"),
    ("garbage collection", "gc"),
    ("QEMU", "qemu_version"),
    ("libvirt", "libvirt_version"),
    ("capabilities", "capabilities"),
    ("changes user to fork", "dropped_user"),
    ("fsync of 4 kB", "fsync_us"),
    ("counts steady", "counts_steady"),
)
_UNITS = {"fsync_us": " µs"}
_MOST_VALUES = 4


@dataclass(frozen=True)
class Origin:
    """One file: names and values, and the command."""

    label: str
    facts: tuple[tuple[str, str], ...]
    command: str


def data(sources: Sources) -> tuple[Origin, ...] | None:
    """Every file's own."""
    return tuple(_origin(file) for file in sources.files) or None


def content(value: tuple[Origin, ...]) -> Content:
    """Commit and command of the newest."""
    facts = dict(value[-1].facts)
    commit = facts.get("commit", "")
    at = f" of commit {commit[:12]}" if commit else ""
    return Content(
        f"Measured with qcaps {facts.get('qcaps', 'of unknown version')}{at} and Python"
        f" {facts.get('Python', 'of unknown version')} on {facts.get('host', 'an unknown host')}.",
        notes=("A + after a commit says that files differed from it.",) if "+" in commit else (),
    )


def _origin(file: ResultsSource) -> Origin:
    """All values a fact has in the file, the first few of many."""
    known: dict[str, dict[str, None]] = {}
    seeds: dict[str, None] = {}
    dates: list[str] = []
    for one in file.results.measured:
        seeds[str(one.cell.seed)] = None
        for run in one.runs:
            dates.append(str(run.facts.get("date", "")))
            for _, key in _FACTS:
                if key in run.facts:
                    known.setdefault(key, {})[f"{run.facts[key]}{_UNITS.get(key, '')}"] = None
    runs = sum(len(one.runs) for one in file.results.measured)
    blocks = sum(len(run.blocks) for one in file.results.measured for run in one.runs)
    facts = [(name, _few(list(known[key]))) for name, key in _FACTS if key in known]
    hashes = {run.facts.get("hash_seed") for one in file.results.measured for run in one.runs}
    facts += [
        ("measured", f"{min(filter(None, dates), default='?')[:19]} to {max(dates, default='?')[:19]} UTC"),
        ("seed of domains", _few(list(seeds))),
        ("seeds of hashes and orders", f"{len(hashes)} drawn, kept with each run"),
        ("arms, runs, blocks", f"{len(file.results.measured)}, {runs}, {blocks}"),
        ("file", file.name),
    ]
    return Origin(file.label or file.name, tuple(facts), next(iter(known.get("command_line", {})), ""))


def _few(values: list[str]) -> str:
    more = f" and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
    return "; ".join(values[:_MOST_VALUES]) + more
