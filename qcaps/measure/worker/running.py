"""A worker seen from outside: started, read line by line, killed when its time is up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qcaps
from qcaps.child import dies_with
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.measure.worker.work import Job


HUNG = "stopped, since it hung"
INTERRUPTED = "interrupted"
_LAST_SECONDS = 5.0
"""How long a worker may take to end once its output is closed."""


@dataclass
class Answer:
    """What a worker said before it ended or was ended: `rounds` maps a round to nanoseconds by arm.

    `cut_short` says what ended it before it was done; "" where it was done.
    """

    ready: dict[str, Any] | None = None
    rounds: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    done: dict[str, Any] | None = None
    spans: list[dict[str, Any] | None] | None = None
    trace: list[list[str]] | None = None
    cut_short: str = ""

    def complete_rounds(self) -> list[dict[int, list[int]]]:
        """The rounds in which every arm was timed, in order."""
        arms = len(self.ready["counts"]) if self.ready else 0
        return [blocks for _, blocks in sorted(self.rounds.items()) if len(blocks) == arms]


class WorkerError(QcapsError):
    """A worker could not do its job."""


def run_worker(job: Job, hash_seed: int, patience: float, on_block: Callable[[], None]) -> Answer:
    """Run one job in a fresh process; `patience` seconds later it is killed, and what it said counts.

    So does what it said before Ctrl-C: the answer is then cut short as INTERRUPTED, and nothing is raised.
    Raises WorkerError with the worker's own complaint.
    """
    answer = Answer()
    errors = Path(job.directory) / "stderr"
    with errors.open("wb") as stderr, _worker(job, hash_seed, stderr, patience) as worker:
        try:
            for line in worker.lines:
                if not line.endswith("\n"):
                    break  # it was killed in the middle of a line
                take(answer, json.loads(line))
                on_block()
        except KeyboardInterrupt:
            answer.cut_short = INTERRUPTED  # what it has said so far counts; who asked for it ends then
            return answer
        answer.cut_short = worker.end() if answer.done is None else ""
    complaint = errors.read_text(errors="replace").strip().splitlines()
    if complaint and answer.done is None:
        raise WorkerError(f"{job.cells[0].comparison.name}: the worker failed: {complaint[-1]}")
    return answer


def take(answer: Answer, said: dict[str, Any]) -> None:
    """Add one line of a worker to its answer. Raises WorkerError if it says that it cannot go on."""
    if "error" in said:
        raise WorkerError(said["error"])
    if "block" in said:
        block = said["block"]
        answer.rounds.setdefault(block["round"], {})[block["arm"]] = block["ns"]
    answer.ready = said.get("ready", answer.ready)
    answer.done = said.get("done", answer.done)
    answer.spans = said.get("spans", answer.spans)
    answer.trace = said.get("trace", answer.trace)


@dataclass
class _Worker:
    """A running worker; `late` is set when its time is up, and it is killed."""

    process: subprocess.Popen[str]
    late: bool = False

    @property
    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        return iter(self.process.stdout)

    def kill_late(self) -> None:
        self.late = True
        self.process.kill()

    def end(self) -> str:
        """What ended it, in words, once it has said its last."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_SECONDS)
        status = self.process.returncode
        if self.late:
            return HUNG
        if status is None:
            return ""
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


@contextmanager
def _worker(job: Job, hash_seed: int, stderr: Any, patience: float) -> Iterator[_Worker]:  # noqa: ANN401
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "qcaps.measure.worker.work"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=_environment(hash_seed),
        text=True,
        # Ctrl-C is ours to handle: it must not strike the worker, or a child that it has just forked.
        start_new_session=True,
        preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  # the kernel offers no other place to ask for it
    )
    worker = _Worker(process)
    timer = threading.Timer(patience, worker.kill_late)
    timer.daemon = True
    timer.start()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        try:
            process.stdin.write(job.to_json())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already; its own words say why
        yield worker
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def _environment(hash_seed: int) -> dict[str, str]:
    """Ours, with a hash seed, and this very qcaps first on the path, wherever we were started."""
    home = str(Path(qcaps.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}
