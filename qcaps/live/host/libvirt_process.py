"""A process that holds libvirt, seen from outside: requests go in, what they cost comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import qcaps
from qcaps.live import errors
from qcaps.live.counting import shim
from qcaps.live.counting.meter import Cost
from qcaps.live.errors import LibvirtDied, LiveError, NoCompiler, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from qcaps.live.host.installation import Installation
    from qcaps.live.host.live_folder import LiveFolder
    from qcaps.live.host.setup import Setup

Counting = Literal["interposer", "log", "uprobes", "none"]

_PATIENCE_S: Final = 70.0
"""More than the worker takes to give up a call that hangs, and to put back what it has changed."""
_ISOLATORS: Final = ("setpriv", "unshare", "mount", "mknod")

_FOREIGN: Final = ("LIBVIRT_", "VIRSH_", "LD_PRELOAD")
"""Settings of the user's that would make this libvirt another one."""


@dataclass(frozen=True)
class LiveDone:
    """One task on one domain. Counts are None where the way of counting does not show them.

    `xml` is what libvirt made of the domain; `ns` the call's nanoseconds, `lookup_ns` those spent in lookups.
    `sites` maps a function of libvirt to lookups, `phases` a phase to (calls, nanoseconds); `capabilities` is
    what the task of that name is answered with.
    """

    accepted: bool
    error: str | None = None
    xml: str | None = None
    lookups: int | None = None
    forks: int | None = None
    sites: Mapping[str, int] = field(default_factory=dict)
    ns: int = 0
    phases: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lookup_ns: int | None = None
    capabilities: str | None = None


@dataclass(frozen=True)
class Way:
    """A way of counting: interposer, log, uprobes, or none; `fallback` says why it is not the interposer."""

    name: str
    shim: str = ""
    fallback: str = ""


def way_of(counting: Counting | None, installation: Installation) -> Way:
    """The interposer, or the log where there is no compiler; what `counting` says if it says anything.

    Raises NoCompiler if the interposer is wished for and cannot be built, LiveError for uprobes.
    """
    if counting == "uprobes":
        raise LiveError("uprobes count a daemon that runs: name it with --uri, or count by interposer or log")
    if counting in (None, "interposer"):
        try:
            return Way("interposer", str(shim.compiled(installation.version)))
        except NoCompiler as error:
            if counting is not None:
                raise
            return Way("log", fallback=str(error))
    return Way(counting)


class LibvirtProcess:
    """A libvirt to put questions to, one after another. Not to be shared between threads.

    `counted_by` says how lookups are counted, and `fallback` why not by the interposer.
    """

    def __init__(
        self, setup: Setup, place: LiveFolder, installation: Installation, fallback: str = ""
    ) -> None:
        """Start and connect. Raises LiveError and its kinds."""
        self.installation = installation
        self.counted_by = setup.counting
        self.fallback = fallback
        self._place = place
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this object
        try:
            self._process = subprocess.Popen(
                [*self._place.prefix, sys.executable, "-P", "-m", "qcaps.live.host.holder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(installation.environment),
                text=True,
                pass_fds=() if place.lock is None else (place.lock,),
                # Ctrl-C is ours to handle: it must not strike in the middle of a call of libvirt's
                start_new_session=True,
            )
        except OSError:
            self._place.remove()
            raise
        try:
            self.ask(asdict(setup))
        except BaseException:
            self.close()
            raise

    def define(self, xml: str) -> LiveDone:
        """Define a domain, and forget it again."""
        return self.run("define", xml)

    def run(self, task: str, xml: str, device: str | None = None, *, once: bool = False) -> LiveDone:
        """One task of `TASKS` on the domain `xml`; `device` is for attach, detach and update.

        `once` answers all but the first lookup of a domain parse with what the first one found.
        """
        answer = self.ask(_request(task, xml, device, [once]))
        if "error" in answer:
            return LiveDone(accepted=False, error=answer["error"])
        cost = Cost.from_plain(answer["costs"][0])
        return LiveDone(
            accepted=True,
            xml=answer.get("xml"),
            lookups=cost.lookups,
            forks=cost.forks,
            sites=cost.sites,
            ns=cost.ns,
            phases=cost.phases,
            lookup_ns=cost.lookup_ns,
            capabilities=answer.get("capabilities"),
        )

    def costs(
        self, task: str, xml: str, once: Sequence[bool] = (False,), device: str | None = None
    ) -> tuple[Cost, ...]:
        """The task again and again, without a pause for us in between; `once` says how, run by run.

        Raises LiveError where libvirt refuses.
        """
        answer = self.ask(_request(task, xml, device, list(once)))
        if "error" in answer:
            raise LiveError(f"libvirt refuses to {task}: {answer['error']}")
        return tuple(map(Cost.from_plain, answer["costs"]))

    def syscalls(self, task: str, xml: str) -> Mapping[str, int]:
        """System calls of the task, by name; only of the embedded driver. Raises LiveError."""
        answer = self.ask({**_request(task, xml, None, [False]), "syscalls": True})
        if "error" in answer:
            raise LiveError(f"libvirt refuses to {task}: {answer['error']}")
        return Cost.from_plain(answer["costs"][0]).syscalls

    def probe(self, binary: str, arch: str | None = None) -> tuple[Cost, str]:
        """Have libvirt find out about a QEMU binary: what that cost, and its cache file about the binary.

        `arch` is the guests' architecture, the host's own unless it is given.
        The cost is that of a probe the first time. Raises LiveError.
        """
        answer = self.ask({"ask": "probe", "binary": binary, "arch": arch})
        if "error" in answer:
            raise LiveError(f"{binary}: libvirt cannot probe it: {answer['error']}")
        if answer["text"] is None:
            raise LiveError(f"{binary}: libvirt probed it, but wrote no cache file about it")
        return Cost.from_plain(answer["cost"]), answer["text"]

    def stay_on(self, cpu: int) -> None:
        """Make calls on this CPU from now on."""
        self.ask({"ask": "stay_on", "cpu": cpu})

    def facts(self) -> Mapping[str, Any]:
        """`libvirt`: the version that runs, as libvirt counts; `loaded`: its files; `cpus`: where it runs."""
        return self.ask({"ask": "facts"})

    @property
    def folder(self) -> Path:
        """Its own folder, as libvirt sees it."""
        return self._place.folder

    def kill(self) -> None:
        """End it at once, in the middle of a call too; who waits for the answer is told that it died."""
        self._process.kill()

    def close(self) -> None:
        """End it and remove what it had; a guest that still runs ends too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        self._place.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._place.temporary:
            # Nobody waits for the call in progress, and what it does goes with its namespaces.
            self._process.kill()
        self.close()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request of the worker's, and its answer. Raises LiveError and its kinds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already; its own words say why
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._death(request)
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            kind = getattr(errors, answer["kind"], LiveError)
            raise kind(answer["failed"])
        return answer

    def _death(self, request: Mapping[str, Any]) -> LiveError:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        last = said[-1] if said else f"exit status {self._process.returncode}"
        if "ask" not in request:
            if last.split(":", 1)[0] in _ISOLATORS:
                return NotPermitted(f"isolation is refused ({last}): run qcaps live as an ordinary user")
            return LibvirtDied(f"libvirt cannot be started: {last}")
        return LibvirtDied(f"libvirt died in the middle of {request.get('task', request['ask'])}: {last}")


def _request(task: str, xml: str, device: str | None, once: list[bool]) -> dict[str, Any]:
    return {"ask": "run", "task": task, "xml": xml, "device": device, "once": once}


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours without what would change libvirt, with what this installation needs, and with this very qcaps."""
    home = str(Path(qcaps.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "PYTHONPATH": path, **own}
