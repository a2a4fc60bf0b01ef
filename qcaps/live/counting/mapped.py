"""Which files a running daemon has mapped: probes on others would see nothing.

A file is the same if device and inode are. Where the list of mappings names an inode of a layer below
(an overlay, a subvolume), the link to the mapped file says which one it is.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qcaps.live.counting.adminlog import sockets_of
from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC: Final = Path("/proc")
_DRIVER: Final = "libvirt_driver_qemu.so"
_LIBRARY: Final = "libvirt.so.0"
_DELETED: Final = " (deleted)"
_CREDENTIALS: Final = struct.Struct("3i")
_FIELDS: Final = 6

Identity = tuple[int, int]


def check_same_files(uri: str, library: Path, driver: Path) -> None:
    """Raise LiveError if the daemon that this process is connected to by `uri` uses others than these."""
    for pid in _daemons(uri):
        check_process(pid, library, driver, uri)


def check_process(pid: int, library: Path, driver: Path, uri: str) -> None:
    """Likewise of one process; one that has none of them mapped, or may not be looked at, passes."""
    for name, probed in ((_LIBRARY, library), (_DRIVER, driver)):
        mapped = list(_mapped(pid, name))
        if not mapped:
            continue
        status = probed.stat()
        if (status.st_dev, status.st_ino) not in (identity for _, identity in mapped):
            used = mapped[0][0]
            what = (
                "restart the daemon: its file was replaced"
                if used.endswith(_DELETED)
                else "name the daemon's libvirt with --libvirt, or count by the log"
            )
            raise LiveError(
                f"{uri}: the daemon (process {pid}) uses {used}, not {probed.resolve()}, whose functions "
                f"would be probed: {what}"
            )


def _daemons(uri: str) -> list[int]:
    """Who answers at the socket, if it is a daemon; where systemd made the socket, each that may be it."""
    for path in sockets_of(uri):
        pid = _peer(path)
        if pid is not None and _mapped_any(pid):
            return [pid]
    found = [pid for pid in _processes() if _command(pid) in ("libvirtd", "virtqemud") and _mapped_any(pid)]
    return found if len(found) == 1 else []


def _mapped_any(pid: int) -> bool:
    return next(_mapped(pid, _DRIVER), None) is not None


def _peer(path: Path) -> int | None:
    """Who is at the other end of this process's connection to that socket; another one would be logged."""
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if not os.readlink(link).startswith("socket:"):  # noqa: PTH115  no path
                continue
        with suppress(OSError), socket.socket(fileno=os.dup(int(link.name))) as ours:
            if ours.family == socket.AF_UNIX and ours.getpeername() == str(path):
                packed = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                pid: int = _CREDENTIALS.unpack(packed)[0]
                return pid or None
    return None


def _processes() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def _mapped(pid: int, name: str) -> Iterator[tuple[str, Identity]]:
    """Mapped files whose names begin with `name`, each with every identity that it is said to have."""
    try:
        lines = (_PROC / str(pid) / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(None, _FIELDS - 1)
        if len(fields) < _FIELDS or not fields[5].rpartition("/")[2].startswith(name):
            continue
        identities = [_by_line(fields)]
        with suppress(OSError):
            status = os.stat(_PROC / str(pid) / "map_files" / _range(fields[0]))  # noqa: PTH116  follows a link
            identities.append((status.st_dev, status.st_ino))
        yield from ((fields[5], identity) for identity in identities)


def _range(text: str) -> str:
    """As map_files spells it: without leading zeros."""
    return "-".join(f"{int(part, 16):x}" for part in text.split("-"))


def _by_line(fields: list[str]) -> Identity:
    major, _, minor = fields[3].partition(":")
    return os.makedev(int(major, 16), int(minor, 16)), int(fields[4])
