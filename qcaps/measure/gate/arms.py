"""An arm of a gate: an interpreter with one version installed, and its process."""

from __future__ import annotations

import json
import os
import select
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from qcaps.child import dies_with
from qcaps.errors import QcapsError
from qcaps.measure.worker.forker import PROTOCOL
from qcaps.measure.worker.running import Answer, take

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.worker.chance import Chance
    from qcaps.measure.worker.work import Job

FORKER = "qcaps.measure.worker.forker"
START_SECONDS = 60.0
_LAST_LINES = 5
_CHUNK = 65536
_OTHER_JOB = "Job.__init__() got an unexpected keyword argument"
"""What Python says where a version's `Job` lacks a field of ours."""


class ArmError(QcapsError):
    """An arm crashed, hung or does not speak our language; there is no verdict then."""

    exit_status = 2


class RefusedError(ArmError):
    """The arm cannot do the task on this domain; `why` has its own words."""

    def __init__(self, who: str, why: str) -> None:
        super().__init__(f"{who}: {why}")
        self.why = why


class MismatchError(QcapsError):
    """Two things that cannot be compared: other machines, suites, interpreters, versions."""

    exit_status = 4


@dataclass(frozen=True)
class Arm:
    """One side of a comparison. `version` says what it is: a commit, a path.

    `path` goes first on the module path ("" for what the interpreter has installed). `slowdown` is a known
    one, put in to see whether it is noticed. `subject` is what it measures in place of a cell's own.
    """

    name: str
    python: str
    version: str = ""
    path: str = ""
    slowdown: float = 0.0
    subject: str = ""

    def own(self, cell: Cell) -> Cell:
        """The cell as this arm measures it."""
        return replace(cell, subject=self.subject or cell.subject)


@dataclass
class ArmProcess:
    """An arm's running process."""

    arm: Arm
    errors: Path
    _process: subprocess.Popen[bytes]
    python: str = field(default="", init=False)
    build: str = field(default="", init=False)
    _unread: bytearray = field(default_factory=bytearray, init=False)

    def greet(self) -> None:
        """Wait until it has imported what it needs. Raises ArmError or MismatchError."""
        try:
            hello = self._line(START_SECONDS, "starting")
        except ArmError as error:
            if f"No module named {FORKER}" in str(error) or "No module named 'qcaps" in str(error):
                raise MismatchError(
                    f"{self._who}: has no {FORKER}: too old to be gated, or no qcaps"
                ) from None
            raise
        if hello.get("protocol") != PROTOCOL:
            raise MismatchError(
                f"{self._who}: speaks version {hello.get('protocol')!r} of the protocol, not {PROTOCOL}"
            )
        self.python, self.build = str(hello["python"]), str(hello.get("build", ""))

    def run(self, job: Job, patience: float) -> Answer:
        """One job in a child. Raises ArmError with the child's last lines if it crashes or takes too long."""
        turn = Turn(self, job, patience)
        try:
            turn.finish()
        except RefusedError:
            self._line(patience, "refusing")  # the child's end; the next job is another child's
            raise
        return turn.answer

    def write(self, text: str, what: str) -> None:
        """Say something to the process. Raises ArmError if it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ArmError(f"{self._who}: {what}: it has ended{self._complaint()}") from None

    def read(self, patience: float, what: str) -> dict[str, Any]:
        """One line of the child. Raises RefusedError for a complaint, ArmError for a crash or silence."""
        said = self._line(patience, what)
        if "error" in said:
            raise RefusedError(self._who, str(said["error"]))
        if said.get("end", 0) != 0:
            complaint = self._complaint()
            if _OTHER_JOB in complaint:
                raise MismatchError(
                    f"{self._who}: knows no job of this form: too old, or too new, to be gated by this qcaps"
                )
            raise ArmError(f"{self._who}: {what}: ended with status {said['end']}{complaint}")
        return said

    @property
    def _who(self) -> str:
        return f"{self.arm.name} ({self.arm.version})" if self.arm.version else self.arm.name

    def _line(self, patience: float, what: str) -> dict[str, Any]:
        line, late = self._read_line(patience)
        if line.endswith(b"\n"):
            try:
                said = json.loads(line)
            except ValueError:
                raise ArmError(
                    f"{self._who}: {what}: said {line.decode(errors='replace').strip():.80}"
                ) from None
            assert isinstance(said, dict), "a protocol of JSON objects"
            return said
        why = f"hung for {patience:.0f} s, killed" if late else "crashed"
        raise ArmError(f"{self._who}: {what}: {why}{self._complaint()}")

    def _read_line(self, patience: float) -> tuple[bytes, bool]:
        """A line, or what there is of it when the process ends; whether it was killed for its silence."""
        assert self._process.stdout is not None
        pipe, end = self._process.stdout.fileno(), monotonic() + patience
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while (length := self._unread.find(b"\n") + 1) == 0:
            left = end - monotonic()
            if left <= 0 or not poll.poll(1000 * left):
                kill_group(self._process)
                return bytes(self._unread), True
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                return bytes(self._unread), False
            self._unread += chunk
        line = bytes(self._unread[:length])
        del self._unread[:length]
        return line, False

    def _complaint(self) -> str:
        lines = self.errors.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return ": " + " | ".join(line.strip() for line in lines) if lines else ""


class Turn:
    """A job under way in a child: begun when made, stepped through its rounds, then finished."""

    def __init__(self, process: ArmProcess, job: Job, patience: float) -> None:
        self._process = process
        self._what = job.cells[0].name
        self._patience = patience
        self.answer = Answer()
        process.write(job.to_json() + "\n", self._what)

    def until(self, key: str) -> None:
        """Read on up to and including a line of this kind. Raises ArmError."""
        while key not in (said := self._process.read(self._patience, self._what)):
            take(self.answer, said)
        take(self.answer, said)

    def step(self) -> None:
        """One round of a stepped job."""
        self._process.write("\n", self._what)
        self.until("block")

    def finish(self) -> None:
        """The rest of the job."""
        self.until("end")


def plain_environment() -> dict[str, str]:
    """Ours, without what says where Python finds modules and what was compiled of them."""
    without = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if name not in without}


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and the child it has forked; both are in a session of their own."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        process.kill()


def start(arm: Arm, code: str, work: str, chance: Chance, errors: Path) -> ArmProcess:
    """The arm's process; its code at `code` ("": as installed), complaints in `errors`. Raises ArmError.

    `work` is the line that says what it will be asked to do.
    """
    # It may be killed at any moment: what it leaves goes with our own folder.
    environment = chance.environment({**plain_environment(), "TMPDIR": str(errors.parent)})
    if code:
        environment["PYTHONPATH"] = code
    die_with_us = dies_with(os.getpid())

    def settle() -> None:
        die_with_us()
        chance.settle()
        _leave_to_timing()

    try:
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [arm.python, "-P", "-m", FORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                # Ctrl-C is ours to handle, and a hung child must die with its parent.
                start_new_session=True,
                preexec_fn=settle,  # noqa: PLW1509  # the kernel offers no other place for it
            )
    except OSError as error:
        raise ArmError(f"{arm.name}: {arm.python}: cannot be run: {error.strerror or error}") from error
    started = ArmProcess(arm, errors, process)
    with suppress(ArmError):  # one that has ended already is said to have crashed where it is to greet
        started.write(work + "\n", "starting")
    return started


def stop(process: ArmProcess) -> None:
    """End a process, its child too."""
    ended = process._process  # noqa: SLF001  # its own module
    kill_group(ended)
    ended.wait()
    for pipe in (ended.stdin, ended.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _leave_to_timing() -> None:
    """Import on another CPU than the one that times, where there is one; a child that times moves there."""
    others = sorted(os.sched_getaffinity(0))[:-1]
    if others:
        os.sched_setaffinity(0, others)
