"""A Dask scheduler and workers as processes on the loopback, with TLS; each worker is one host of a few.

They are one machine: a worker is told by QCAPS_HOST which host it stands for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 90.0
_SCHEDULER = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--no-show")
_WORKER = (sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard")


def certificates(folder: Path) -> None:
    """An authority, and one certificate of it for 127.0.0.1: ca.pem, me.pem, me.key."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    openssl("req", *key, "-keyout", "me.key", "-out", "me.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "me.csr", *signing, "-out", "me.pem", "-days", "2")


@dataclass
class Loopback:
    """A scheduler, its certificates in `folder`, and processes of its hosts by name."""

    folder: Path
    address: str
    tls: bool
    stack: ExitStack
    scheduler: subprocess.Popen[bytes]
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """`--on` and what goes with it."""
        if not self.tls:
            return ["--on", self.address]
        pem = {name: str(self.folder / file) for name, file in FILES.items()}
        return [
            "--on",
            self.address,
            "--tls-ca",
            pem["ca"],
            "--tls-cert",
            pem["cert"],
            "--tls-key",
            pem["key"],
        ]

    def start(self, worker: str, *more: str, host: str = "", resources: str = "", **environment: str) -> None:
        """A worker of that name, which stands for a host of the same name or another."""
        host = host or worker
        command = [
            *_WORKER, self.address, *_tls(self.folder, tls=self.tls), "--nthreads", "1", "--nworkers", "1",
            "--resources", resources or f"bench=1,{host}=1", "--name", worker, "--memory-limit", "0",
            "--local-directory", str(self.folder / "files"), *more,
        ]  # fmt: skip
        started = self.stack.enter_context(
            _process(command, self.folder / f"{worker}.log", QCAPS_HOST=host, **environment)
        )
        self.workers[worker] = started
        self.wait_for(worker, 1)

    def wait_for(self, worker: str, times: int) -> None:
        """Wait until a worker has registered so many times."""
        _wait_for(self.folder / f"{worker}.log", "Registered to:", times)

    def kill(self, worker: str) -> int:
        """SIGKILL the Dask worker below the nanny, which starts another; the process that was killed."""
        (pid,) = _children_of(self.workers[worker].pid, "spawn_main")
        os.kill(pid, signal.SIGKILL)
        return pid

    def end(self, worker: str) -> None:
        """End a worker for good."""
        process = self.workers.pop(worker)
        process.terminate()
        process.wait(30)


FILES = {"ca": "ca.pem", "cert": "me.pem", "key": "me.key"}


@contextmanager
def loopback(
    folder: Path, *hosts: str, tls: bool = True, preload: str = "", workers: tuple[str, ...] = ()
) -> Iterator[Loopback]:
    """A scheduler and a worker a host; all end with the context. `workers` are options of theirs."""
    if tls:
        certificates(folder)
    log = folder / "scheduler.log"
    address = f"{'tls' if tls else 'tcp'}://127.0.0.1"
    command = [*_SCHEDULER, "--host", address, "--port", "0", *_tls(folder, tls=tls)]
    with ExitStack() as stack:
        more = ("--preload", preload) if preload else ()
        scheduler = stack.enter_context(_process([*command, *more], log))
        _wait_for(log, "Scheduler at:", 1)
        (line,) = (one for one in log.read_text().splitlines() if "Scheduler at:" in one)
        found = Loopback(folder, line.split()[-1], tls, stack, scheduler)
        for host in hosts:
            found.start(host, *workers)
        yield found


def below(pid: int) -> list[int]:
    """The processes below another, however deep."""
    found = _children_of(pid)
    return [*found, *(one for child in found for one in below(child))]


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _tls(folder: Path, *, tls: bool) -> list[str]:
    options = {"--tls-ca-file": "ca.pem", "--tls-cert": "me.pem", "--tls-key": "me.key"}
    return [word for option, file in options.items() for word in (option, str(folder / file))] if tls else []


@contextmanager
def _process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            cwd=log.parent,  # not where a qcaps may lie
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _wait_for(log: Path, what: str, times: int) -> None:
    end = time.monotonic() + _PATIENCE
    while log.read_text().count(what) < times:
        if time.monotonic() > end:
            raise TimeoutError(f"{log.name}: not {times} times {what!r}: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _children_of(parent: int, command: str = "") -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            of = int(status.read_text().rpartition(")")[2].split()[1])
            if of == parent and command in (status.parent / "cmdline").read_text():
                found.append(int(status.parent.name))
    return found
