"""Stand-ins for what a command line names outside QEMU, so that it runs anywhere and touches nothing.

Images, sockets, displays and directories are moved into one private directory; what would reach the network,
another process or a device of the host becomes something of QEMU's own. Devices and their buses stay as they
are. Each change is told.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

IMAGE_BYTES: Final = 1024 * 1024
"""The size of a disk that stands in for one."""

_CLUSTER_BITS: Final = 9
"""512 bytes, the least qcow2 allows: header, reference counts and tables take a cluster each."""
_BYTES: Final = frozenset({"node-name", "cache", "read-only", "auto-read-only", "discard"})
"""What a lower block node keeps when its driver changes."""


class NoStandInError(QcapsError):
    """Something on the command line that nothing can stand in for."""


@dataclass
class StandIns:
    """The work on one command line: where stand-ins are made, and each change so far (`what -> by what`)."""

    directory: Path
    formats: dict[str, str]
    changes: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """A place in the directory."""
        return str(self.directory / name)


def with_stand_ins(command: Sequence[str], directory: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`command` with stand-ins made in `directory`, and what was replaced. Raises NoStandInError, OSError."""
    work = StandIns(directory, _formats(command))
    changed = list(command)
    for place, option in enumerate(command[:-1]):
        replace = _OPTIONS.get(option)
        if replace is not None:
            changed[place + 1] = replace(work, command[place + 1])
    return tuple(changed), tuple(work.changes)


def write_qcow2(path: Path, size: int) -> None:
    """An empty qcow2 image of `size` bytes, which must need no more than one cluster of L1 table."""
    cluster = 1 << _CLUSTER_BITS
    entries = -(-size // (cluster * cluster // 8))
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, _CLUSTER_BITS, size, 0, entries, 3 * cluster, cluster, 1, 0, 0
    )
    counts = struct.pack(">4H", 1, 1, 1, 1)  # the four clusters there are
    parts = (header, struct.pack(">Q", 2 * cluster), counts, b"")
    path.write_bytes(b"".join(part.ljust(cluster, b"\0") for part in parts))


def _formats(command: Sequence[str]) -> dict[str, str]:
    """The format that is read from each lower block node."""
    nodes = [json.loads(value) for option, value in pairwise(command) if option == "-blockdev"]
    return {node["file"]: node["driver"] for node in nodes if isinstance(node.get("file"), str)}


def _block(work: StandIns, value: str) -> str:
    node = json.loads(value)
    if "file" in node:
        return value
    name = node["node-name"]
    form = work.formats.get(name, "raw")
    if form not in _IMAGES:
        raise NoStandInError(
            f"block node {name}: no image of format '{form}' can be made up; use qcow2 or raw"
        )
    path = work.directory / f"{name}.{form}"
    _IMAGES[form](path, IMAGE_BYTES)
    work.changes.append(f"{_described(node)} -> {path}, an empty {form} image of 1 MiB")
    kept = {key: given for key, given in node.items() if key in _BYTES}
    return json.dumps({"driver": "file", "filename": str(path), **kept})


def _described(node: dict[str, Any]) -> str:
    return str(node.get("filename") or node.get("dir") or f"{node['driver']} of {node['node-name']}")


def write_raw(path: Path, size: int) -> None:
    """An empty raw image of `size` bytes, which takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


_IMAGES: dict[str, Callable[[Path, int], None]] = {"qcow2": write_qcow2, "raw": write_raw}


def _words(value: str) -> list[str]:
    """The parts of an option's value; a comma that is doubled is none."""
    return [word.replace("\0", ",") for word in value.replace(",,", "\0").split(",")]


def _chardev(work: StandIns, value: str) -> str:
    kind, *words = _words(value)
    options = dict(word.partition("=")[::2] for word in words)
    name = options["id"]
    log = work.path(f"{name}.log")
    logged = f",logfile={log}" if "logfile" in options else ""
    if logged:
        work.changes.append(f"{options['logfile']} -> {log}")
    if kind in ("pty", "null", "vc", "spicevmc", "spiceport", "qemu-vdagent", "dbus"):
        return f"{kind},{','.join(word for word in words if not word.startswith('logfile='))}{logged}"
    if kind == "socket":
        path = work.path(f"{name}.sock")
        where = options.get("path") or f"{options.get('host')}:{options.get('port')}"
        work.changes.append(f"{where} -> {path}, on which QEMU listens")
        return f"socket,id={name},path={path},server=on,wait=off{logged}"
    if kind == "file":
        path = work.path(f"{name}.out")
        work.changes.append(f"{options['path']} -> {path}")
        return f"file,id={name},path={path}{logged}"
    work.changes.append(f"{kind} of {name} -> null")
    return f"null,id={name}{logged}"


def _vnc(work: StandIns, value: str) -> str:
    address, *words = value.split(",")
    if address == "none":
        return value
    path = work.path("vnc.sock")
    work.changes.append(f"VNC on {address} -> {path}")
    return ",".join((f"unix:{path}", *(word for word in words if not word.startswith("websocket="))))


def _spice(work: StandIns, value: str) -> str:
    path = work.path("spice.sock")
    work.changes.append(f"SPICE on {value.partition(',')[0]} -> {path}")
    dropped = ("unix", "addr=", "port=", "tls-port=", "x509-dir=", "tls-channel=", "plaintext-channel=")
    words = [word for word in value.split(",") if not word.startswith(dropped)]
    return ",".join(("unix=on", f"addr={path}", *words))


def _fsdev(work: StandIns, value: str) -> str:
    words = _words(value)
    name = next(word.removeprefix("id=") for word in words if word.startswith("id="))
    path = work.directory / name
    path.mkdir()
    for place, word in enumerate(words):
        if word.startswith("path="):
            work.changes.append(f"{word.removeprefix('path=')} -> {path}, an empty directory")
            words[place] = f"path={path}"
    return ",".join(words)


def _audio(work: StandIns, value: str) -> str:
    given = json.loads(value)
    if given["driver"] == "none":
        return value
    work.changes.append(f"sound to {given['driver']} -> none")
    return json.dumps({"id": given["id"], "driver": "none"})


def _netdev(work: StandIns, value: str) -> str:
    if not value.startswith("{"):
        return value
    given = json.loads(value)
    if given["type"] == "user":
        return value
    work.changes.append(f"network by {given['type']} -> user")
    return json.dumps({"type": "user", "id": given["id"]})


def _object(work: StandIns, value: str) -> str:
    if not value.startswith("{"):
        return value
    given = json.loads(value)
    if given["qom-type"] != "memory-backend-file":
        return value
    path = work.path(given["id"])
    work.changes.append(f"{given['mem-path']} -> {path}")
    return json.dumps({**given, "mem-path": path})


def _device(work: StandIns, value: str) -> str:
    """A USB device of the host becomes one that is not plugged in; its port in the guest stays."""
    if not value.startswith("{"):
        return _device_in_words(work, value)
    given = json.loads(value)
    places = [str(given[key]) for key in _USB_PLACES if key in given]
    if given["driver"] != "usb-host" or not places:
        return value
    work.changes.append(f"USB device {':'.join(places)} -> none plugged in")
    return json.dumps({key: one for key, one in given.items() if key not in _USB_PLACES})


def _device_in_words(work: StandIns, value: str) -> str:
    driver, *words = value.split(",")  # as it is: what is doubled stays so
    places = [word.partition("=")[2] for word in words if word.startswith(_USB_WORDS)]
    if driver != "usb-host" or not places:
        return value
    work.changes.append(f"USB device {':'.join(places)} -> none plugged in")
    return ",".join((driver, *(word for word in words if not word.startswith(_USB_WORDS))))


_USB_PLACES: Final = ("hostdevice", "hostbus", "hostaddr")
_USB_WORDS: Final = tuple(f"{key}=" for key in _USB_PLACES)


_OPTIONS: dict[str, Callable[[StandIns, str], str]] = {
    "-blockdev": _block,
    "-device": _device,
    "-chardev": _chardev,
    "-vnc": _vnc,
    "-spice": _spice,
    "-fsdev": _fsdev,
    "-audiodev": _audio,
    "-netdev": _netdev,
    "-object": _object,
}
