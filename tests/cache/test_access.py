from __future__ import annotations

import os
import resource
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.access import AccessError, User, accessible_as, qemu_user, user_named

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_WRITE = os.R_OK | os.W_OK


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A file in a folder that every user may enter (pytest's own are private)."""
    del tmp_path
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = Path(name) / "device"
        file.write_text("")
        yield file


def no_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_as_ourselves(public: Path) -> None:
    assert accessible_as(str(public), READ_WRITE, None)
    assert not accessible_as(str(public) + "-none", READ_WRITE, None)


def test_children_are_reaped(public: Path) -> None:
    for _ in range(5):
        accessible_as(str(public), READ_WRITE, None)
    assert no_children()


@pytest.mark.root
def test_root_becomes_the_other_user(public: Path) -> None:
    nobody = user_named("nobody")
    public.chmod(0o600)
    assert os.access(public, READ_WRITE)
    assert not accessible_as(str(public), READ_WRITE, nobody)
    public.chmod(0o666)
    assert accessible_as(str(public), READ_WRITE, nobody)
    assert (os.getuid(), os.geteuid()) == (0, 0)


@pytest.mark.root
def test_supplementary_groups_count(public: Path) -> None:
    public.chmod(0o660)
    os.chown(public, 0, 4242)
    assert not accessible_as(str(public), READ_WRITE, User("guest", 4243, 4243))
    assert accessible_as(str(public), READ_WRITE, User("guest", 4243, 4243, (4242,)))
    assert not accessible_as(str(public), READ_WRITE, User("root again", 4243, 4243, ()))


@pytest.mark.root
def test_without_the_right_to_change_identity(public: Path) -> None:
    """A child of ours gives root up for good, then asks as another user."""
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            accessible_as(str(public), READ_WRITE, User("libvirt-qemu", 1, 1))
        except AccessError as error:
            os._exit(7 if "user 'libvirt-qemu' failed" in str(error) and qemu_user() is None else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.root
def test_qemu_user_falls_through_names_the_system_lacks() -> None:
    found = qemu_user(("no-such-user-here", "nobody"))
    assert found is not None
    assert found.name == "nobody"


def test_an_unknown_user_is_a_clear_error() -> None:
    with pytest.raises(AccessError, match="no user 'no-such-user-here'"):
        user_named("no-such-user-here")


def test_no_more_processes_is_a_clear_error(public: Path) -> None:
    """In a child, as an ordinary user with a limit of no processes: the kernel itself refuses the fork."""
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setresgid(65533, 65533, 65533)
            os.setresuid(65533, 65533, 65533)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            accessible_as(str(public), READ_WRITE, None)
        except AccessError as error:
            os._exit(7 if "cannot fork to check access" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_ignored_children_are_a_clear_error(public: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(AccessError, match="do not ignore SIGCHLD"):
            accessible_as(str(public), READ_WRITE, None)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_signals_interrupt_nothing(public: Path) -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(300):
            assert accessible_as(str(public), READ_WRITE, None)
            if len(rung) > 20:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung
    assert no_children()


def test_a_handler_that_raises_leaves_no_child(public: Path) -> None:
    def raise_in_the_middle(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raise_in_the_middle)
    us = os.getpid()
    raised = 0
    try:
        for attempt in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + attempt * 0.00003)
                while True:
                    accessible_as(str(public), READ_WRITE, None)
            except KeyboardInterrupt:
                raised += 1
            assert os.getpid() == us
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == 60
    assert no_children()


@pytest.mark.filterwarnings("error")
def test_beside_other_threads_no_warning(public: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert accessible_as(str(public), READ_WRITE, None)
    finally:
        stop.set()
        thread.join()
