"""The process that holds libvirt: JSON lines in, JSON lines out, until its input ends.

The first line says how to set up; every further one is a request, answered by one line. libvirt-python is
imported in this process and in no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import resource
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from qcaps.errors import QcapsError
from qcaps.live.counting.syscalls import Straced
from qcaps.live.errors import LiveError, NotStartable
from qcaps.live.host.connection import connect
from qcaps.live.host.setup import Setup
from qcaps.live.rewriting import renamed
from qcaps.live.tasks import TASKS, WITHOUT_A_DOMAIN, LiveRun

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S: Final = 60.0


class Worker:
    """A connection, and a way to count what its calls do."""

    def __init__(self, setup: Setup) -> None:
        """Connect. Raises LiveError and its kinds."""
        self.setup = setup
        self.folder = Path(setup.folder)
        self.link = connect(setup)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a request asks for; `{"error": ...}` where libvirt refuses, `{"failed": ...}` else."""
        libvirt, connection = self.link.libvirt, self.link.connection
        try:
            return REQUESTS[request.pop("ask")](self, **request)
        except libvirt.libvirtError as error:
            if not connection.isAlive():
                return _failure("LibvirtDied", f"the connection was lost: {error}")
            return {"error": error.get_error_message() or str(error), "code": error.get_error_code()}
        except NotStartable as error:
            return {"error": str(error)}
        except QcapsError as error:
            if lost := self._lost():
                return _failure("LibvirtDied", f"the connection was lost: {lost}")
            return _failure(type(error).__name__, str(error))

    def _lost(self) -> str:
        """What a daemon that runs no longer answers with, "" while it does."""
        if self.setup.uri:
            try:
                self.link.connection.getLibVersion()
            except self.link.libvirt.libvirtError as error:
                return str(error)
        return ""

    def run(
        self, task: str, xml: str, device: str | None, once: list[bool], *, syscalls: bool = False
    ) -> dict[str, Any]:
        """Runs the task as often as `once` is long, each time as it says; `syscalls` counts nothing else."""
        link = self.link
        if syscalls and self.setup.counting == "log":
            raise LiveError("the log makes system calls of its own: count them with --counting interposer")
        meter = Straced(self.folder) if syscalls else link.meter
        if link.tag:
            if task in WITHOUT_A_DOMAIN:
                raise LiveError(f"{task}: on a running daemon, our call cannot be told from others'")
            xml = renamed(xml, link.tag)
        costs = []
        kept: dict[str, str] = {}
        for each in once:
            run = LiveRun(link.libvirt, link.connection, meter, self.folder, xml, device or "", each)
            TASKS[task](run)
            assert run.cost is not None
            costs.append(run.cost)
            kept = run.kept
        link.check()
        link.keep()
        return {"costs": [cost().to_plain() for cost in costs], **kept}

    def probe(self, binary: str, arch: str | None) -> dict[str, Any]:
        """Have libvirt find out about a QEMU binary; what it wrote to its cache is the text, or null.

        Without `arch` libvirt takes the binary for one of the host's own architecture.
        """
        link = self.link
        cost = link.meter.measure(
            lambda: link.connection.getDomainCapabilities(binary, arch, None, None, 0), once=False
        )
        name = hashlib.sha256(binary.encode()).hexdigest()
        path = self.folder / "root" / "cache" / "qemu" / "capabilities" / f"{name}.xml"
        return {"cost": cost().to_plain(), "text": path.read_text() if path.is_file() else None}

    def stay_on(self, cpu: int) -> dict[str, Any]:
        """Make calls on this CPU from now on; what libvirt knows of its CPU is that of its start."""
        os.sched_setaffinity(0, {cpu})
        return {}

    def facts(self) -> dict[str, Any]:
        """The version that answers, and where the libraries that were loaded lie."""
        maps = Path("/proc/self/maps").read_text().splitlines()
        loaded = sorted({line.split(None, 5)[5] for line in maps if "/libvirt" in line and ".so" in line})
        version = self.link.connection.getLibVersion()
        cpus = sorted(os.sched_getaffinity(0))
        return {"libvirt": version, "loaded": loaded, "cpus": cpus, "others": self.link.others()}

    def activity(self) -> dict[str, Any]:
        """Lookups by task, whoever asked for it, since the last time; only of a running daemon."""
        assert self.link.activity is not None
        # one that is only asked whether it lives does not notice that its daemon is gone
        self.link.connection.getLibVersion()
        self.link.check()
        return {"lookups": self.link.activity.lookups()}

    def close(self) -> None:
        """End what this worker started, and nothing else."""
        link = self.link
        try:
            if not link.tag:  # a libvirt of our own: every guest is ours
                for domain in link.connection.listAllDomains(link.libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                    domain.destroy()
            link.connection.close()
        finally:
            self.undo()

    def undo(self) -> None:
        """Put back what was changed outside, also when nobody is left to do it."""
        try:
            self.link.release()
        finally:
            if self.setup.temporary:
                shutil.rmtree(self.folder, ignore_errors=True)


REQUESTS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "run": Worker.run,
    "probe": Worker.probe,
    "facts": Worker.facts,
    "stay_on": Worker.stay_on,
    "activity": Worker.activity,
}


def _failure(kind: str, message: str) -> dict[str, Any]:
    return {"failed": message, "kind": kind}


def settle(setup: Setup) -> None:
    """Everything libvirt and QEMU take from their environment is private, and always the same CPU's."""
    folder = Path(setup.folder)
    if not setup.uri:  # a running daemon has its own, and the client finds it by ours
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
            os.environ[name] = str(folder / name.lower())
            (folder / name.lower()).mkdir(mode=0o700)
    os.sched_setaffinity(0, {setup.cpu})
    if setup.most_memory:
        resource.setrlimit(resource.RLIMIT_AS, (setup.most_memory, setup.most_memory))


def _read(lines: TextIO, requests: queue.SimpleQueue[str | None], undo: Callable[[], None]) -> None:
    """Hand requests on; when they end, see to it that this process ends, also if a call of libvirt hangs."""
    for line in lines:
        requests.put(line)
    requests.put(None)
    time.sleep(_PATIENCE_S)
    undo()
    os._exit(1)


def main() -> int:
    """Answer requests until there are no more."""
    # Who started us closes our input when we are to end: in the middle of a call is no time for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What libvirt or QEMU prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    setup = Setup(**json.loads(sys.stdin.readline()))
    try:
        settle(setup)
        worker = Worker(setup)
    except (QcapsError, OSError) as error:
        print(json.dumps(_failure(type(error).__name__, str(error))), file=answers)
        return 1
    requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests, worker.undo), daemon=True).start()
    try:
        print(json.dumps({"ready": asdict(setup)}), file=answers)
        while (line := requests.get()) is not None:
            print(json.dumps(worker.answer(json.loads(line))), file=answers)
    except BrokenPipeError:
        pass  # nobody wants to know any more
    finally:
        worker.close()
    # libvirt's event loop runs in a thread that Python cannot wait for, and must not trip over
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
