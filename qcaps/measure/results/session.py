"""What is the same for all that one command measures: versions, the machine, where files are written."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import qcaps
from qcaps.git import git
from qcaps.measure import circumstances

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Metadata

_FSYNCS = 11
_COMMIT = "_commit.txt"
"""What hatch_build.py puts beside the package."""
_GIT_SECONDS = 10


def session_facts(scratch: Path) -> Metadata:
    """Metadata of every run; names that pyperf knows are spelt as pyperf spells them."""
    facts: Metadata = {
        "qcaps_version": qcaps.__version__,
        "command_line": command_line(),
        "python_version": platform.python_version(),
        "python_implementation": platform.python_implementation().lower(),
        "platform": platform.platform(),
        "hostname": platform.node() or "unknown",
        "cpu_count": os.cpu_count() or 1,
        "load_avg_1min": round(os.getloadavg()[0], 2),
        "fsync_us": round(fsync_cost_us(scratch), 1),
    }
    facts.update(circumstances.facts())
    if model := _cpu_model():
        facts["cpu_model_name"] = model
    if known := commit():
        facts["git_commit"] = known
    return facts


def command_line() -> str:
    """What the user typed, wherever qcaps is installed."""
    program = Path(sys.argv[0]).name
    started = ("python", "-m", "qcaps") if program == "__main__.py" else (program,)
    return shlex.join((*started, *sys.argv[1:]))


def fsync_cost_us(directory: Path) -> float:
    """Median microseconds to write 4 kB to a new file in `directory`, force it to the disk and remove it."""
    costs = []
    path = directory / "fsync"
    for _ in range(_FSYNCS):
        start = time.perf_counter_ns()
        with path.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        costs.append((time.perf_counter_ns() - start) / 1000)
        path.unlink()
    return statistics.median(costs)


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def commit() -> str | None:
    """The commit of the checkout this package lies in or was built from, `+` after it if files differ.

    None where neither is known.
    """
    package = Path(qcaps.__file__).resolve().parent
    root = package.parent
    if not (root / ".git").exists():
        built_from = package / _COMMIT
        return built_from.read_text(encoding="utf-8").strip() or None if built_from.is_file() else None
    try:
        head = git(root, "rev-parse", "HEAD", timeout=_GIT_SECONDS)
        changed = git(root, "status", "--porcelain", "--untracked-files=no", timeout=_GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    if head.returncode or changed.returncode:
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def newest_source() -> str:
    """When this package was last edited, in UTC: a commit does not say which changes are not in it."""
    newest = max(path.stat().st_mtime for path in Path(qcaps.__file__).parent.rglob("*.py"))
    return datetime.fromtimestamp(newest, UTC).isoformat(" ", "microseconds")
