"""What runs on a Dask worker: one portion at a time on its host, plain values in and plain values out.

Functions travel by name, so that a worker runs the qcaps it has. `identity` says which that is, and every
portion says which it was made by.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qcaps
from qcaps.child import run_guarded
from qcaps.errors import QcapsError
from qcaps.files import make_folder, scratch_folder
from qcaps.measure.carrying import Errand, carry_out, timing_cpu
from qcaps.measure.results.session import session_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from qcaps.measure.results.results_file import Metadata

Plain = dict[str, Any]

HOST = "QCAPS_HOST"
"""Names the host where its own name will not do: several on one machine, in tests."""
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours is made in it
_LOCKS = (Path("/run/lock"), Path(tempfile.gettempdir()))
_COMMAND_SECONDS = 600.0
_CPUS = os.sched_getaffinity(0)
"""As this process was given them, before its threads make room."""


class UnwantedError(QcapsError):
    """Who asked for the portion has gone, or takes it back."""


def name() -> str:
    """What this host is called."""
    return os.environ.get(HOST) or platform.node() or "unknown"


def digest() -> str:
    """Which qcaps this is: of the contents of its modules."""
    root = Path(qcaps.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


QCAPS = f"{qcaps.__version__} ({digest()})"
"""The one that this process imported: what is on the disk may be newer."""
NONE = "none: "
"""What the version of a libvirt that is not there begins with."""


def identity(subjects: Sequence[str] = ()) -> Plain:
    """What must be the same on all hosts, and the host's name."""
    return {
        "host": name(),
        "qcaps": QCAPS,
        "qcaps on its disk": f"{qcaps.__version__} ({digest()})",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{subject: _libvirt(subject) for subject in subjects},
    }


def carry_out_portion(portion: Plain) -> Plain:
    """Do what the portion says, alone on this host: an answer with the host's name, or with an "error"."""
    answer: Plain = {"host": name()}
    if portion["qcaps"] != QCAPS:
        why = f"has qcaps {QCAPS}, not {portion['qcaps']}: install the same, and restart its Dask worker"
        return {**answer, "error": why, "kind": "MismatchError"}
    try:
        with _alone(), scratch_folder(_scratch(portion)) as scratch:
            done = _DO[portion["do"]](portion, scratch)
    except UnwantedError as error:
        return {**answer, "error": str(error), "kind": "UnwantedError"}
    except QcapsError as error:
        return {**answer, "error": str(error), "kind": type(error).__name__}
    return {**answer, **done}


def session(portion: Plain, scratch: Path) -> Metadata:
    """Metadata of what this host measures for a command that was typed elsewhere."""
    return {**_facts(scratch.parent), **portion["session"], "hostname": name()}


def still_wanted() -> Callable[[], None]:
    """To be called between blocks: raises UnwantedError once nobody waits for the portion that is on."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def check() -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise UnwantedError("nobody waits for it any more")

    return check


@contextmanager
def _alone() -> Iterator[None]:
    """Hold this host: Dask counts a resource for each worker, and one host may have two.

    The kernel frees the lock with this process, whatever ends it, and kills what it measures with as well.
    """
    with _lock_file().open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _leave_the_timing_cpu()
        yield


def _lock_file() -> Path:
    folder = next(place for place in _LOCKS if place.is_dir() and os.access(place, os.W_OK))
    path = folder / f"qcaps-{name().replace('/', '_')}.lock"
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
    return path


def _leave_the_timing_cpu() -> None:
    """Move Dask's own threads off the CPU that times; the one that starts what is timed may go anywhere."""
    own = threading.get_native_id()
    os.sched_setaffinity(own, _CPUS)
    others = _CPUS - {timing_cpu()}
    for thread in os.listdir("/proc/self/task") if others else ():  # noqa: PTH208  # names, no paths
        with suppress(OSError):  # it has ended
            if int(thread) != own:
                os.sched_setaffinity(int(thread), others)


def _scratch(portion: Mapping[str, Any]) -> Path:
    """Where files are made: where the user says; else a gate's in memory, a run's in Dask's own folder."""
    from distributed import get_worker

    if portion.get("scratch"):
        return make_folder(Path(portion["scratch"]))
    if portion["do"] != "job" and os.access(_MEMORY, os.W_OK):
        return _MEMORY
    return Path(get_worker().local_directory)


@cache
def _facts(place: Path) -> Metadata:
    """Of this host, found once: it takes longer than a short cell."""
    return session_facts(place)


def _libvirt(subject: str) -> str:
    from qcaps.measure.subjects.libvirt import installation

    try:
        return installation(subject).version_name
    except QcapsError as error:
        return f"{NONE}{error}"


def _job(portion: Plain, scratch: Path) -> Plain:
    """One errand of a plan, and how many seconds its measuring took."""
    wanted = still_wanted()
    errand, facts = Errand.from_plain(portion["errand"]), session(portion, scratch)
    begun = time.monotonic()
    done = carry_out(errand, scratch, facts, lambda _errand, _lines: wanted())
    seconds = time.monotonic() - begun
    return {"delivery": done.to_plain(), "seconds": seconds}


def _command(portion: Plain, _scratch_folder: Path) -> Plain:
    """A command of qcaps: its status, and what it printed."""
    command = [sys.executable, "-P", "-m", "qcaps", *portion["arguments"]]
    try:
        status, said = run_guarded(command, dict(os.environ), _COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise QcapsError(f"qcaps {' '.join(portion['arguments'])}: takes too long") from None
    return {"status": status, "said": said}


def _count(portion: Plain, scratch: Path) -> Plain:
    from qcaps.measure.cluster import gate_portions  # numpy, which a job does without

    return gate_portions.count(portion, scratch, session(portion, scratch))


def _examine(portion: Plain, scratch: Path) -> Plain:
    from qcaps.measure.cluster import gate_portions

    return gate_portions.examine(portion, scratch, session(portion, scratch), still_wanted())


def _rounds(portion: Plain, scratch: Path) -> Plain:
    from qcaps.measure.cluster import gate_portions

    return gate_portions.rounds(portion, scratch, session(portion, scratch), still_wanted())


_DO: Mapping[str, Callable[[Plain, Path], Plain]] = {
    "job": _job,
    "command": _command,
    "count": _count,
    "examine": _examine,
    "rounds": _rounds,
}
