"""Processes that are not to outlive the one that started them."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG: Final = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def dies_with(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: the child asks to be killed when `parent` dies, however that comes about.

    The kernel means the thread that started the child, so start it from one that lasts as long.
    """

    def ask() -> None:
        if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        if os.getppid() != parent:  # it died before we asked
            os._exit(errno.ECHILD)

    return ask
