"""The process that holds libvirt: JSON lines in, JSON lines out, until its input ends.

The first line says how to set up; every further one is a request, answered by one line. libvirt-python is
imported here and nowhere else.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from qcaps.errors import QcapsError
from qcaps.live.errors import LiveError, NoLibvirt
from qcaps.live.meter import Clock, DebugLog, Interposer, Meter
from qcaps.live.shim import ENVIRONMENT, create_counters
from qcaps.live.tasks import DEVICE, TASKS, Run

if TYPE_CHECKING:
    from collections.abc import Callable

_QEMU_CONF: Final = """\
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
security_driver = "none"
remember_owner = 0
seccomp_sandbox = 0
"""
_QEMU_USER: Final = """\
user = "libvirt-qemu"
group = "libvirt-qemu"
"""
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True)
class Setup:
    """How the worker is to be. `folder` is its own; `counting` is interposer, log or none.

    `uri` empty: the driver embedded in this process. `library` is the libvirt that must be the one loaded.
    """

    folder: str
    counting: str
    shim: str
    library: str
    cpu: int
    uri: str = ""


class Worker:
    """A connection, and a way to count what its calls do."""

    def __init__(self, setup: Setup) -> None:
        """Load the interposer if it is to be used, then libvirt, then connect."""
        self.folder = Path(setup.folder)
        counters = None
        if setup.counting == "interposer":
            # Before libvirt: what is already bound stays bound.
            os.environ[ENVIRONMENT] = str(self.folder / "counters")
            counters = create_counters(self.folder / "counters")
            ctypes.CDLL(setup.shim, ctypes.RTLD_GLOBAL)
            counters.check()
        self.libvirt = _import_libvirt(setup.library)
        self.libvirt.registerErrorHandler(lambda *_: None, None)  # errors come as exceptions
        self.meter: Meter = Interposer(counters) if counters else Clock()
        if setup.counting == "log":
            self.meter = DebugLog(ctypes.CDLL("libvirt.so.0"), self.folder / "debug.log")
        self.connection = self._connect(setup.uri)

    def _connect(self, uri: str) -> Any:  # noqa: ANN401  # libvirt has no types
        if not uri:
            _configure_driver(self.folder / "root")
            uri = f"qemu:///embed?root={self.folder / 'root'}"
            self.libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=self._run_events, daemon=True).start()
        try:
            return self.libvirt.open(uri)
        except self.libvirt.libvirtError as error:
            raise LiveError(f"{uri}: {error}") from error

    def _run_events(self) -> None:
        while True:
            self.libvirt.virEventRunDefaultImpl()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a request asks for; `{"error": ...}` where libvirt refuses."""
        try:
            return REQUESTS[request.pop("ask")](self, **request)
        except self.libvirt.libvirtError as error:
            return {"error": error.get_error_message() or str(error), "code": error.get_error_code()}

    def run(self, task: str, xml: str, device: str | None, once: list[bool]) -> dict[str, Any]:
        """Runs the task as often as `once` is long, each time as it says."""
        costs = []
        kept: dict[str, str] = {}
        for each in once:
            run = Run(self.libvirt, self.connection, self.meter, self.folder, xml, device or DEVICE, each)
            TASKS[task](run)
            assert run.cost is not None
            costs.append(run.cost.to_plain())
            kept = run.kept
        return {"costs": costs, **kept}

    def probe(self, binary: str) -> dict[str, Any]:
        """Have libvirt find out about a QEMU binary; what it wrote to its cache is the text, or null."""
        cost = self.meter.cost(
            lambda: self.connection.getDomainCapabilities(binary, None, None, None, 0), once=False
        )
        name = hashlib.sha256(binary.encode()).hexdigest()
        path = self.folder / "root" / "cache" / "qemu" / "capabilities" / f"{name}.xml"
        return {"cost": cost.to_plain(), "text": path.read_text() if path.is_file() else None}

    def facts(self) -> dict[str, Any]:
        """Versions, and where the libraries that were loaded lie."""
        maps = Path("/proc/self/maps").read_text().splitlines()
        loaded = sorted({line.split(None, 5)[5] for line in maps if "/libvirt" in line and ".so" in line})
        return {"libvirt": self.connection.getLibVersion(), "loaded": loaded}

    def close(self) -> None:
        """End what this worker started."""
        for domain in self.connection.listAllDomains(self.libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            domain.destroy()
        self.connection.close()


REQUESTS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "run": Worker.run,
    "probe": Worker.probe,
    "facts": Worker.facts,
}


def _import_libvirt(library: str) -> Any:  # noqa: ANN401  # libvirt has no types
    try:
        import libvirt  # noqa: PLC0415  # an extra, and after the interposer
    except ModuleNotFoundError:
        raise NoLibvirt("libvirt-python is not installed: pip install 'qcaps[live]'") from None
    except ImportError as error:
        raise NoLibvirt(f"libvirt-python does not fit {library}: {error}") from error
    return libvirt


def _configure_driver(root: Path) -> None:
    (root / "etc").mkdir(parents=True)
    user = _QEMU_USER if os.geteuid() == 0 else ""
    (root / "etc" / "qemu.conf").write_text(user + _QEMU_CONF)


def _settle(setup: Setup) -> None:
    """Everything libvirt and QEMU take from their environment is private, and always the same CPU's."""
    folder = Path(setup.folder)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        os.environ[name] = str(folder / name.lower())
        (folder / name.lower()).mkdir(mode=0o700)
    # libvirt keeps what a CPU says of itself: on another one, it would probe again
    os.sched_setaffinity(0, {setup.cpu})


def _read(lines: TextIO, requests: queue.SimpleQueue[str | None]) -> None:
    """Hand requests on; when they end, see to it that this process ends, also if a call of libvirt hangs."""
    for line in lines:
        requests.put(line)
    requests.put(None)
    time.sleep(_PATIENCE_S)
    os._exit(1)


def main() -> int:
    """Answer requests until there are no more."""
    # What libvirt or QEMU prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    setup = Setup(**json.loads(sys.stdin.readline()))
    try:
        _settle(setup)
        worker = Worker(setup)
    except (QcapsError, OSError) as error:
        print(json.dumps({"failed": str(error), "kind": type(error).__name__}), file=answers)
        return 1
    print(json.dumps({"ready": asdict(setup)}), file=answers)
    requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()
    try:
        while (line := requests.get()) is not None:
            print(json.dumps(worker.answer(json.loads(line))), file=answers)
        worker.close()
    except BrokenPipeError:
        worker.close()
    # libvirt's event loop runs in a thread that Python cannot wait for, and must not trip over
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
