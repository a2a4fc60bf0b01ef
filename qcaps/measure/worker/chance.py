"""What chance decides of a process, drawn once for both processes of a pair: hash seed and memory layout.

Where its memory lies makes a process 1 to 2 % faster or slower for all its life, and so does the order of its
sets. Both of a pair have the same, the next pair has another: what two versions share cancels out in a pair,
the rest averages out over pairs. docs/gate.md has what that was measured to be worth.
"""

from __future__ import annotations

import ctypes
import resource
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

_PAGE: Final = 4096
_LEAST_STACK: Final = 128 << 20
"""The kernel maps memory downwards from below the stack's limit, which it takes to be this at least."""
_MOST_STACK: Final = 512 << 20
_LEAST_ROOM: Final = 64 << 20
"""What lies within less would lie in nearly the same places in every pair."""
_PADDING: Final = "QCAPS_PADDING"
_ADDR_NO_RANDOMIZE: Final = 0x0040000
_AS_IT_IS: Final = 0xFFFFFFFF
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Layout:
    """Where memory lies. `stack_limit` (bytes) moves what is mapped, `padding` (bytes) the stack.

    A padding of more than some 480 bytes moves large blocks of the heap too. The program itself stays.
    """

    stack_limit: int
    padding: int

    def __str__(self) -> str:
        return f"stack limit {self.stack_limit}, padding {self.padding}"


@dataclass(frozen=True)
class Chance:
    """One draw; without a layout the kernel draws one for each process."""

    hash_seed: int
    layout: Layout | None

    @classmethod
    def draw(cls, source: random.Random) -> Self:
        """Whatever this machine lets us decide."""
        hash_seed = source.randrange(1, 2**32)
        if why_random():
            return cls(hash_seed, None)
        pages = source.randrange(_LEAST_STACK // _PAGE, _most_stack() // _PAGE)
        return cls(hash_seed, Layout(pages * _PAGE, source.randrange(_PAGE)))

    def environment(self, of: Mapping[str, str]) -> dict[str, str]:
        """The environment `of` a process under this draw."""
        padding = {_PADDING: "x" * self.layout.padding} if self.layout else {}
        return {**of, "PYTHONHASHSEED": str(self.hash_seed), **padding}

    def settle(self) -> None:
        """In a child, before it becomes another program: fix where that program's memory will lie."""
        if self.layout is not None:
            _LIBC.personality(_LIBC.personality(_AS_IT_IS) | _ADDR_NO_RANDOMIZE)
            resource.setrlimit(resource.RLIMIT_STACK, (self.layout.stack_limit, _hard_limit()))

    def facts(self) -> dict[str, str]:
        """Metadata of what was measured under it."""
        return {"hash_seed": str(self.hash_seed), "memory_layout": str(self.layout or "random")}


@cache
def why_random() -> tuple[str, str] | None:
    """Why memory layouts are left to the kernel, and what to do about it; None if they are ours to draw."""
    if _most_stack() < _LEAST_STACK + _LEAST_ROOM:
        return "the stack's hard limit leaves no room", "raise it: ulimit -Hs unlimited, as root"
    now = _LIBC.personality(_AS_IT_IS)
    if now == -1 or _LIBC.personality(now | _ADDR_NO_RANDOMIZE) == -1:
        # Container runtimes often forbid it.
        return "personality(2) is refused", "allow it: docker run --security-opt seccomp=unconfined"
    _LIBC.personality(now)
    return None


def _most_stack() -> int:
    limit = _hard_limit()
    return _MOST_STACK if limit == resource.RLIM_INFINITY else min(limit, _MOST_STACK)


def _hard_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_STACK)[1]
