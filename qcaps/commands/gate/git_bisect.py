"""The status that `git bisect run` wants: 0 good, 1 bad, 125 not to be told, 255 no fault of the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.terminal import say
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable

SKIP, ABORT = 125, 255
_GOOD_OR_BAD = (0, 1)


def translated(gate: Callable[[], int]) -> int:
    """The status of a gate for git. A fault of the call, the machine or of ours ends its bisection."""
    from qcaps.measure.gate.arms import ArmError, MismatchError

    try:
        status = gate()
    except (ArmError, MismatchError) as error:  # it does not build, crashes, or cannot be compared
        say(f"error: {error}")
        return SKIP
    except (QcapsError, OSError) as error:
        say(f"error: {error}")
        return ABORT
    except Exception:  # noqa: BLE001  # as main does it
        import traceback

        traceback.print_exc()
        return ABORT
    if status in _GOOD_OR_BAD:
        return status
    return SKIP if status < SKIP else ABORT
