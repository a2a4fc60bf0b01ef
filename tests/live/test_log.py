"""A debug log read as libvirt writes it, and a daemon's log settings."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from qcaps.live.counting.adminlog import LogSettings, admin_uri
from qcaps.live.counting.entries import (
    LOOKUP,
    Activity,
    FunctionEntry,
    follow,
    logged,
    of_all,
    of_seen_tag,
    of_tag,
    of_thread,
)
from qcaps.live.counting.shared_log import FILTERS, without_the_dead
from qcaps.live.errors import LiveError
from qcaps.live.host.daemon import _way_of_running

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.live.host.libvirt_process import Counting


def line(thread: int, function: str, text: str) -> str:
    return f"2026-01-01 00:00:00.000+0000: {thread}: debug : {function}:60 : {text}\n"


def lookup(thread: int) -> str:
    return line(thread, "virQEMUCapsCacheLookup", "Returning caps 0x1 for /usr/bin/qemu-system-x86_64")


def define(thread: int, name: str) -> str:
    return line(
        thread, "virDomainDefineXMLFlags", f"conn=0x1, xml=<domain>\n  <name>{name}</name>\n</domain>"
    )


def test_a_window_begins_at_a_size(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lookup(7) * 3)
    start = log.stat().st_size
    with log.open("a") as file:
        file.write(
            lookup(7) + "a line of somebody's XML: 1: debug : virQEMUCapsCacheLookup:1 : no\n" + lookup(8)
        )
    assert of_all(logged(log, start, log.stat().st_size)) == 2
    assert of_all(logged(log, 0, start)) == 3


def test_one_thread_is_told_from_another(tmp_path: Path) -> None:
    log = tmp_path / "log"
    own = threading.get_native_id()
    log.write_text(lookup(own) * 2 + lookup(own + 1))
    assert of_thread(own, logged(log, 0, log.stat().st_size)) == 2


def test_calls_of_others_on_the_same_thread_do_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        lookup(1)
        + define(1, "qcaps-12-disks")
        + lookup(1)
        + define(2, "someone's")
        + lookup(2)
        + lookup(1)
        + define(1, "someone's")
        + lookup(1)
    )
    assert of_tag("qcaps-12", logged(log, 0, log.stat().st_size)) == 2


def test_what_is_ours_is_told_from_what_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / "qcaps-live-dead", tmp_path / "qcaps-live-alive"
    alive.mkdir()
    theirs = LogSettings("3:rpc 1:qemu.qemu_capabilities", "3:syslog:libvirtd 1:file:/var/log/debug.log")
    ours = [f"1:file:{folder}/debug.log" for folder in (dead, alive)]
    both = LogSettings(f"{' '.join(FILTERS)} {theirs.filters}", f"{theirs.outputs} {' '.join(ours)}")
    assert without_the_dead(both) == theirs  # neither is held
    lock = os.open(alive, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert without_the_dead(both) == LogSettings(both.filters, f"{theirs.outputs} {ours[1]}")
        assert without_the_dead(both, alive) == theirs
    finally:
        os.close(lock)


@pytest.mark.parametrize(
    ("name", "daemon"),
    [("libvirt-sock", "libvirtd"), ("virtqemud-sock", "virtqemud"), ("libvirt-sock-ro", "libvirtd")],
)
def test_the_admin_socket_lies_beside_the_other(tmp_path: Path, name: str, daemon: str) -> None:
    stem = name.partition("-sock")[0]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / f"{stem}-admin-sock"))
        found = admin_uri(f"qemu+unix:///system?socket={tmp_path}/{name}")
    assert found == f"{daemon}+unix:///system?socket={tmp_path}/{stem}-admin-sock"


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("qemu+ssh://elsewhere/system", "on this host"),
        ("xen:///system", "on this host"),
        ("qemu+unix:///system?socket=/nowhere/libvirt-sock", "is the daemon running"),
    ],
)
def test_a_uri_that_cannot_be_counted_is_named(uri: str, complaint: str) -> None:
    with pytest.raises(LiveError, match=complaint):
        admin_uri(uri)


def test_activity_goes_by_the_last_call_of_each_thread(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(lookup(1) * 9)
    activity = Activity(follow(log))
    with log.open("a") as file:
        file.write(
            lookup(1) + define(1, "a") + line(2, "virConnectGetCapabilities", "conn=0x1") + lookup(1) * 3
        )
    assert activity.lookups() == {"other": 1, "define": 3}
    assert activity.lookups() == {}
    with log.open("a") as file:
        file.write(lookup(2) + lookup(1) + line(1, "virDomainSomethingNew", "dom=0x1") + lookup(1) * 2)
    assert activity.lookups() == {"capabilities": 1, "define": 1, "virDomainSomethingNew": 2}


def test_what_follows_the_end_of_a_call_is_nobodys() -> None:
    found = [
        FunctionEntry(1, b"virDomainDefineXMLFlags", b"qcaps-12-disks"),
        FunctionEntry(1, LOOKUP, b""),
        FunctionEntry(1, b"", b""),
        FunctionEntry(1, LOOKUP, b""),
    ]
    assert of_tag("qcaps-12", found) == of_seen_tag("qcaps-12", found) == 1
    assert Activity(lambda: found).lookups() == {"define": 1, "other": 1}


def test_a_call_of_ours_that_was_not_seen_is_an_error() -> None:
    with pytest.raises(LiveError, match="--libvirt"):
        of_seen_tag(
            "qcaps-12",
            [FunctionEntry(1, b"virDomainDefineXMLFlags", b"qcaps-34"), FunctionEntry(1, LOOKUP, b"")],
        )


@pytest.mark.parametrize("counting", [None, "log", "uprobes"])
def test_a_daemon_elsewhere_is_not_counted(counting: Counting | None) -> None:
    with pytest.raises(LiveError, match="on this host"):
        _way_of_running("qemu+ssh://elsewhere/system", counting)
