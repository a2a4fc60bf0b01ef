"""A running daemon's log settings: read, changed, put back, through its admin socket and virt-admin."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from qcaps.live.errors import LiveError, NoLibvirt

_DAEMONS: Final = {"libvirt": "libvirtd", "virtqemud": "virtqemud"}
"""How a socket's name begins, and the scheme of the admin URI that goes with it."""

ADMIN: Final = "virt-admin"

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class LogSettings:
    """A daemon's filters and outputs, in libvirt's own syntax."""

    filters: str
    outputs: str


class AdminLog:
    """The log of the daemon behind a URI of libvirt's QEMU driver."""

    def __init__(self, uri: str, admin: str = "") -> None:
        """Find the admin socket; `admin` is the program that goes with our library, if not the system's.

        Raises LiveError if there is no socket, NoLibvirt if virt-admin is missing.
        """
        self._program = admin or shutil.which(ADMIN)
        self._environment = dict(os.environ)
        if not admin:  # the system's needs the system's library
            for name in ("LD_LIBRARY_PATH", "LIBVIRT_DRIVER_DIR", "LIBVIRT_DIR_OVERRIDE"):
                self._environment.pop(name, None)
        if self._program is None:
            raise NoLibvirt(
                "no virt-admin on PATH, which changes a daemon's log: apt-get install libvirt-clients"
            )
        self._uri = admin_uri(uri)
        self.socket = Path(parse_qs(urlsplit(self._uri).query)["socket"][0])

    def settings(self) -> LogSettings:
        """What is set now."""
        filters = self._value("daemon-log-filters").split()
        return LogSettings(" ".join(map(_as_given, filters)), self._value("daemon-log-outputs"))

    def set(self, settings: LogSettings) -> None:
        """Set both; an output that logs nothing by itself first, so that nothing goes where it should not."""
        self._call("daemon-log-outputs", "--outputs", settings.outputs)
        self._call("daemon-log-filters", "--filters", settings.filters)

    def _value(self, command: str) -> str:
        """The answer is `Logging filters: ...`."""
        return self._call(command).partition(":")[2].strip()

    def _call(self, *arguments: str) -> str:
        assert self._program is not None
        try:
            done = subprocess.run(
                [self._program, "-c", self._uri, *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_TIMEOUT_S,
                env=self._environment,
            )
        except subprocess.TimeoutExpired:
            why = f"no answer to virt-admin {arguments[0]} in {_TIMEOUT_S:g} s"
            raise LiveError(f"{self._uri}: {why}") from None
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
            raise LiveError(f"{self._uri}: virt-admin {arguments[0]}: {said}")
        return done.stdout


def check_local(uri: str) -> None:
    """Raise LiveError for a daemon on another host, or one that is not QEMU's."""
    parts = urlsplit(uri)
    if parts.netloc or not parts.scheme.startswith("qemu"):
        raise LiveError(f"{uri}: only a QEMU daemon on this host can be counted")


def admin_uri(uri: str) -> str:
    """The admin URI of the daemon that serves `uri`. Raises LiveError for one on another host, or none."""
    check_local(uri)
    parts = urlsplit(uri)
    sockets = sockets_of(uri)
    for socket in sockets:
        stem = socket.name.partition("-sock")[0]
        admin = socket.with_name(f"{stem}-admin-sock")
        if stem in _DAEMONS and admin.is_socket():
            return f"{_DAEMONS[stem]}+unix:///{parts.path.strip('/')}?socket={admin}"
    raise LiveError(f"{uri}: no daemon's admin socket beside {sockets[-1]}: is the daemon running?")


def sockets_of(uri: str) -> list[Path]:
    """Where the daemon behind `uri` may listen, the likelier first."""
    parts = urlsplit(uri)
    named = parse_qs(parts.query).get("socket")
    if named:
        return [Path(named[0])]
    folder = Path("/run/libvirt") if parts.path == "/system" else _session_folder()
    return [folder / "virtqemud-sock", folder / "libvirt-sock"]


def _as_given(log_filter: str) -> str:
    """Libvirt puts stars around every pattern, and would put them around its own again."""
    level, _, pattern = log_filter.partition(":")
    return f"{level}:{pattern.removeprefix('*').removesuffix('*')}"


def _session_folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")) / "libvirt"
