"""Whether another user could open a file: asked by a child process that becomes that user."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from qcaps.errors import QcapsError

_YES, _NO, _COULD_NOT_ASK = 0, 1, 2
_ALL_SIGNALS = signal.valid_signals()


class AccessError(QcapsError):
    """The question could not be asked: no process, no such user, no right to become that user."""


@dataclass(frozen=True, slots=True)
class User:
    """Who runs QEMU; `groups` are the supplementary ones, where membership of `kvm` usually sits."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def user_named(name: str) -> User:
    """The user called `name`, with its groups; AccessError if the system has none."""
    import pwd

    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise AccessError(f"no user {name!r} on this system: name one that exists") from None
    return User(name, found.pw_uid, found.pw_gid, tuple(os.getgrouplist(name, found.pw_gid)))


def qemu_user(candidates: tuple[str, ...] = ("libvirt-qemu", "nobody")) -> User | None:
    """The first of `candidates` this process can become, or None (not root, or a confined root).

    A root that may not change its identity exists in containers; finding out costs one fork.
    """
    if os.geteuid() != 0:
        return None
    for name in candidates:
        try:
            user = user_named(name)
            accessible_as("/", os.F_OK, user)
        except AccessError:
            continue
        return user
    return None


def accessible_as(path: str, mode: int, user: User | None, folder: int | None = None) -> bool:
    """Whether `user` may access `path` with `mode` (`os.R_OK | os.W_OK`, ...), asked in a forked child.

    With `user` None the child asks as ourselves: the same price, without the change of identity.
    With `folder`, an open directory, `path` is looked for there.
    Raises AccessError if no process can be made, or if it may not become `user`.

    Follows: virFileAccessibleAs
    """
    _quieten_fork_warning()
    child = 0
    try:
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            # Neither the child nor Python's own work around a fork must meet a handler that raises.
            signal.pthread_sigmask(signal.SIG_SETMASK, _ALL_SIGNALS)
            child = os.fork()
            if child == 0:
                _answer_and_exit(path, mode, user, folder)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # the interpreter repeats it after a signal
    except ChildProcessError:
        raise AccessError(
            f"{path}: the child that checks access was reaped by someone else: do not ignore SIGCHLD"
        ) from None
    except OSError as error:
        raise AccessError(
            f"{path}: cannot fork to check access ({error.strerror}): allow more processes or memory"
        ) from error
    except BaseException:
        _reap(child)
        raise
    if code in (_YES, _NO):
        return code == _YES
    whom = f"user {user.name!r}" if user else "ourselves"
    raise AccessError(f"{path}: the child that checks access as {whom} failed (status {code}): run as root")


def _answer_and_exit(path: str, mode: int, user: User | None, folder: int | None) -> NoReturn:
    """The child's whole life: become the user, ask, and hand back an exit status."""
    try:
        if user is not None:
            os.setgroups(user.groups)
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
        os._exit(_YES if os.access(path, mode, dir_fd=folder) else _NO)
    finally:
        os._exit(_COULD_NOT_ASK)  # whatever went wrong, the child never returns into the parent's code


def _reap(child: int) -> None:
    """Collect `child`, if it was born and nobody else collected it."""
    if child > 0:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _quieten_fork_warning() -> None:
    """Python 3.12 warns of a fork beside threads, since the child might wait for a lock nobody holds.

    Our child takes none. We do not use `catch_warnings`: it is not safe beside threads.
    """
    if sys.version_info >= (3, 12) and threading.active_count() > 1:
        import warnings

        warnings.filterwarnings("ignore", r".*multi-threaded.*fork", DeprecationWarning, __name__)
