"""Between what came before and a timed call: whatever makes what came before irrelevant to it.

Untimed set-up leaves the processor's caches, its branch predictor and the allocator's free lists as it likes,
and a call is up to 4 % quicker after one than after another. A fixed amount of other work, the same before
every call of every arm, takes their place. And a call that sleeps ends on a tick of the kernel, so that it is
shorter or longer by a whole tick as its set-up ended early or late in one: such calls begin at a moment that
is drawn.
"""

from __future__ import annotations

import random
import resource
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SWEPT: Final = bytearray(b"\1") * (1 << 20)
"""As large as the second-level cache of today's processors; written once, so that it is memory of its own."""
_WORDS: Final = tuple(f"word-{number}" for number in range(200))
_CLOCK_MONOTONIC_COARSE: Final = 6


def tick() -> float:
    """Seconds between two ticks of the kernel's timer."""
    return time.clock_getres(_CLOCK_MONOTONIC_COARSE)


def settle(longest_pause: float = 0.0) -> None:
    """A fixed amount of work, and a pause of a length that is drawn, up to `longest_pause` seconds."""
    if longest_pause:
        time.sleep(random.uniform(0.0, longest_pause))
    _SWEPT.count(0)
    {word: [word] for word in _WORDS}  # made and dropped


def pause_for(call: Callable[[], object]) -> float:
    """How long to pause before a call of this sort: up to a tick if this one slept, else not at all."""
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    call()
    return tick() if resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > before else 0.0
