"""A worker seen from outside: started, read line by line, killed when its time is up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qcaps
from qcaps.child import dies_with
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.measure.worker.work import Job


@dataclass
class Answer:
    """What a worker said before it ended or was ended: `rounds` maps a round to nanoseconds by arm."""

    ready: dict[str, Any] | None = None
    rounds: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    done: dict[str, Any] | None = None
    spans: list[dict[str, Any] | None] | None = None
    trace: list[list[str]] | None = None

    def complete_rounds(self) -> list[dict[int, list[int]]]:
        """The rounds in which every arm was timed, in order."""
        arms = len(self.ready["counts"]) if self.ready else 0
        return [blocks for _, blocks in sorted(self.rounds.items()) if len(blocks) == arms]


class WorkerError(QcapsError):
    """A worker could not do its job."""


def run_worker(job: Job, hash_seed: int, patience: float, on_block: Callable[[], None]) -> Answer:
    """Run one job in a fresh process; `patience` seconds later it is killed, and what it said counts.

    Raises WorkerError with the worker's own complaint.
    """
    answer = Answer()
    errors = Path(job.directory) / "stderr"
    with errors.open("wb") as stderr, _worker(job, hash_seed, stderr, patience) as lines:
        for line in lines:
            if not line.endswith("\n"):
                break  # it was killed in the middle of a line
            take(answer, json.loads(line))
            on_block()
    complaint = errors.read_text(errors="replace").strip().splitlines()
    if complaint and answer.done is None:
        raise WorkerError(f"{job.cells[0].question.name}: the worker failed: {complaint[-1]}")
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


@contextmanager
def _worker(job: Job, hash_seed: int, stderr: Any, patience: float) -> Iterator[Iterator[str]]:  # noqa: ANN401
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
    timer = threading.Timer(patience, process.kill)
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
        yield process.stdout
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
