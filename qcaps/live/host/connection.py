"""Three ways to a libvirt, from the process that holds it: embedded, a daemon of ours, a daemon that runs."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.live.counting.adminlog import AdminLog
from qcaps.live.counting.entries import (
    LOOKUP_FILTER,
    Activity,
    follow,
    of_all,
    of_seen_tag,
    of_thread,
)
from qcaps.live.counting.mapped import check_same_files
from qcaps.live.counting.meter import DebugLog, Interposer, Meter, Probed, UncountedMeter
from qcaps.live.counting.shared_log import SharedLog
from qcaps.live.counting.shim import ENVIRONMENT, create_counters
from qcaps.live.counting.uprobes import Uprobes
from qcaps.live.errors import LiveError, NoLibvirt
from qcaps.live.host.known_qemus import KnownQemus

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.live.host.setup import Setup

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
_DAEMON_CONF: Final = """\
unix_sock_dir = "{folder}"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""
_LOGGED_ERROR: Final = re.compile(r"^\S+ \S+ *: \d+: error : (?:\w+:\d+ : )?(.*)")
"""A line of libvirt's log. Group: what went wrong."""

_SOCKETS: Final = {"libvirtd": "libvirt-sock", "virtqemud": "virtqemud-sock"}
_DAEMON_START_S: Final = 30.0


@dataclass
class Connected:
    """An open connection. `tag`, unless empty, begins every name we may use; `activity` is what a daemon
    does for all; `keep` keeps what it has found out about QEMU; `release` undoes the rest. `check` raises
    LiveError where what was counted is not all; `others` says how many of us read the same log.
    """

    libvirt: Any
    connection: Any
    meter: Meter
    tag: str = ""
    activity: Activity | None = None
    keep: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    others: Callable[[], int] = lambda: 0


def connect(setup: Setup) -> Connected:
    """As `setup` says. Raises LiveError and its kinds."""
    if setup.uri:
        return _running(setup)
    return _private(setup) if setup.daemon else _embedded(setup)


def _embedded(setup: Setup) -> Connected:
    folder = Path(setup.folder)
    meter: Meter = UncountedMeter()
    if setup.counting == "interposer":
        # Before libvirt: what is bound already stays bound.
        counters = create_counters(folder / "counters")
        os.environ[ENVIRONMENT] = str(folder / "counters")
        ctypes.CDLL(setup.shim, ctypes.RTLD_GLOBAL)
        counters.check()
        meter = Interposer(counters)
    libvirt = _import_libvirt(setup.library)
    if setup.counting == "log":
        meter = DebugLog(_log_to(folder / "debug.log"), partial(of_thread, threading.get_native_id()))
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "qemu.conf").write_text((_QEMU_USER if os.geteuid() == 0 else "") + _QEMU_CONF)
    keep = _handed(setup, root / "cache")
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, args=(libvirt,), daemon=True).start()
    return Connected(libvirt, _open(libvirt, f"qemu:///embed?root={root}"), meter, keep=keep)


def _handed(setup: Setup, cache: Path) -> Callable[[], None]:
    """Hands a libvirt what is known, before it starts; what keeps what it finds out."""
    if not setup.known:
        return lambda: None
    return KnownQemus(Path(setup.known), cache / "qemu" / "capabilities").keep


def _run_events(libvirt: Any) -> None:  # noqa: ANN401  # libvirt has no types
    while True:
        libvirt.virEventRunDefaultImpl()


def _log_to(path: Path) -> Path:
    """Turns this process's own libvirt's log on."""
    library = ctypes.CDLL("libvirt.so.0")
    outputs = library.virLogSetOutputs(f"1:file:{path}".encode())
    if outputs < 0 or library.virLogSetFilters(LOOKUP_FILTER.encode()) < 0:
        raise LiveError(f"libvirt does not log to {path}: count with the interposer")
    return path


def _private(setup: Setup) -> Connected:
    folder = Path(setup.folder)
    configuration = _DAEMON_CONF.format(folder=folder)
    environment = dict(os.environ)
    meter: Meter = UncountedMeter()
    if setup.counting == "interposer":
        meter = Interposer(create_counters(folder / "counters"), in_daemon=True)
        environment |= {ENVIRONMENT: str(folder / "counters"), "LD_PRELOAD": setup.shim}
    elif setup.counting == "log":
        log = folder / "debug.log"
        configuration += f'log_outputs = "1:file:{log}"\nlog_filters = "{LOOKUP_FILTER}"\n'
        meter = DebugLog(log, of_all)
    (folder / "daemon.conf").write_text(configuration)
    settings = Path(setup.settings) / "libvirt"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "qemu.conf").write_text(_QEMU_USER + _QEMU_CONF)
    keep = _handed(setup, Path(setup.state) / "cache" / "libvirt")
    said = folder / "daemon.err"
    with said.open("wb") as errors:
        daemon = subprocess.Popen(
            [setup.daemon, "--config", folder / "daemon.conf", "--pid-file", folder / "daemon.pid"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=errors,
        )
    socket = folder / _SOCKETS[Path(setup.daemon).name]
    _await(socket, daemon, setup.daemon, (folder / "debug.log", said))
    libvirt = _import_libvirt(setup.library)
    connection = _open(libvirt, f"qemu+unix:///system?socket={socket}")
    return Connected(libvirt, connection, meter, keep=keep, release=partial(_end, daemon))


def _await(socket: Path, daemon: subprocess.Popen[bytes], program: str, logs: tuple[Path, ...]) -> None:
    end = time.monotonic() + _DAEMON_START_S
    while not socket.is_socket():
        if daemon.poll() is not None:
            raise LiveError(f"{program} ended at once, with status {daemon.returncode}{_reason(logs)}")
        if time.monotonic() > end:
            raise LiveError(f"{program} made no socket {socket} in {_DAEMON_START_S:g} s{_reason(logs)}")
        time.sleep(0.01)


def _reason(logs: tuple[Path, ...]) -> str:
    """The last error that a daemon logged, else the last line that it printed, as the end of a sentence."""
    printed = ""
    for log in logs:
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        found = [match[1] for line in lines if (match := _LOGGED_ERROR.match(line))]
        if found:
            return f": {found[-1]}"
        printed = next((line for line in reversed(lines) if line.strip()), printed)
    return f": {printed}" if printed else " and said nothing"


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    daemon.wait()


def _running(setup: Setup) -> Connected:
    libvirt = _import_libvirt(setup.library)
    connection = _open(libvirt, setup.uri)
    tag = f"qcaps-{secrets.token_hex(6)}"
    if setup.counting == "uprobes":
        check_same_files(setup.uri, Path(setup.library), Path(setup.driver))
        probes = Uprobes(Path(setup.library), Path(setup.driver))
        meter: Meter = Probed(probes.take, partial(of_seen_tag, tag))
        return Connected(libvirt, connection, meter, tag, Activity(probes.take), release=probes.close)
    log = SharedLog(AdminLog(setup.uri, setup.admin), Path(setup.folder))
    activity = Activity(follow(log.path))
    meter = DebugLog(log.path, partial(of_seen_tag, tag))
    return Connected(
        libvirt,
        connection,
        meter,
        tag,
        activity,
        release=log.close,
        check=log.check,
        others=lambda: log.others,
    )


def _open(libvirt: Any, uri: str) -> Any:  # noqa: ANN401  # libvirt has no types
    try:
        return libvirt.open(uri)
    except libvirt.libvirtError as error:
        raise LiveError(f"{uri}: {error}") from error


def _import_libvirt(library: str) -> Any:  # noqa: ANN401  # libvirt has no types
    try:
        import libvirt  # an extra, and after the interposer
    except ModuleNotFoundError:
        raise NoLibvirt("libvirt-python is not installed: pip install 'qcaps[live]'") from None
    except ImportError as error:
        raise NoLibvirt(f"libvirt-python does not fit {library}: {error}") from error
    libvirt.registerErrorHandler(lambda *_: None, None)  # errors come as exceptions
    return libvirt
