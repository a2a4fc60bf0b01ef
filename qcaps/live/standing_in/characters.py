"""Character devices: what they are connected to becomes a socket, a file, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.live.standing_in.work import Work, add, drop, refuse, unset

if TYPE_CHECKING:
    from lxml.etree import _Element

_OF_QEMU: Final = ("pty", "null", "vc", "spicevmc", "spiceport", "qemu-vdagent", "dbus")
_SOCKETS: Final = ("unix", "tcp", "udp")
_NOTHING: Final = ("dev", "pipe", "stdio")


def character(work: Work, element: _Element) -> None:
    """A serial port, console, channel, redirected USB device …: its kind stays, its other end is ours."""
    for log in element.findall("log"):
        log.set("file", str(work.place("log")))
    kind = element.get("type")
    if kind is None:
        return
    if kind == "unix" and element.tag == "channel" and element.find("source") is None:
        return  # libvirt makes one in a folder of its own
    if kind in _OF_QEMU:
        if kind not in ("spiceport", "qemu-vdagent"):
            drop(element, ("source",))
        unset(element, "tty")
        return
    drop(element, ("source", "protocol"))
    if kind == "file":
        add(element, "source", {"path": str(work.place("output"))})
    elif kind in _SOCKETS:
        element.set("type", "unix")
        add(element, "source", {"mode": "bind", "path": str(work.place("socket"))})
    elif kind in _NOTHING:
        element.set("type", "null")
    else:
        refuse(element, f"nothing stands in for a character device of type {kind}")


def smartcard(work: Work, element: _Element) -> None:
    """The host's reader or its certificates become a reader that a socket feeds."""
    if element.get("mode") != "passthrough":
        drop(element, ("certificate", "database", "source", "protocol"))
        element.set("mode", "passthrough")
        element.set("type", "unix")
        add(element, "source", {"mode": "bind", "path": ""})
    character(work, element)


def rng(_work: Work, element: _Element) -> None:
    """QEMU's own random numbers."""
    for backend in element.findall("backend"):
        tail = backend.tail
        for child in list(backend):
            backend.remove(child)
        backend.attrib.clear()
        backend.text, backend.tail = None, tail
        backend.set("model", "builtin")
