"""The clock and its timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.clock import Clock
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.syntax import signed_64
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.clock import Timer
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.draft import Draft

_NO_TICKPOLICY: Final = frozenset({"kvmclock", "hypervclock"})
_TRACKED: Final = frozenset({"platform", "rtc"})


def parsed(domain: Domain) -> dict[str, Any]:
    """UTC unless told otherwise; an adjustment in seconds makes the clock variable.

    Follows: virDomainDefClockParse
    """
    clock = domain.clock or Clock()
    changes: dict[str, Any] = {"basis": None, "timezone": None, "start": None, "adjustment": None}
    match clock.offset or "utc":
        case "utc" | "localtime" as offset:
            changes["offset"] = offset
            if clock.adjustment == "reset":
                changes["adjustment"] = "reset"
            elif clock.adjustment is not None:
                changes |= {"offset": "variable", "adjustment": _seconds(clock), "basis": offset}
        case "variable":
            changes |= {"adjustment": _seconds(clock), "basis": clock.basis or "utc"}
        case "timezone":
            changes["timezone"] = clock.timezone
        case "absolute":
            changes["start"] = clock.start
    changes["timer"] = tuple(_timer(one) for one in clock.timer)
    return {"clock": evolve(clock, **changes)}


def _seconds(clock: Clock) -> str:
    """The adjustment; what is no number is none."""
    try:
        return str(signed_64(clock.adjustment or ""))
    except ValueError:
        return "0"


# Follows: virDomainTimerDefParseXML
def _timer(timer: Timer) -> Timer:
    catchup = timer.catchup
    if catchup is None:
        return timer
    kept = {name: getattr(catchup, name) or None for name in ("threshold", "slew", "limit")}
    return evolve(timer, catchup=evolve(catchup, **kept) if any(kept.values()) else None)


def check(draft: Draft) -> None:
    """Not every timer can do everything.

    Follows: virDomainDefPostParseTimer
    """
    for timer in draft.domain.clock.timer if draft.domain.clock is not None else ():
        if timer.tickpolicy is not None and timer.name in _NO_TICKPOLICY:
            raise Refused(f"unsupported configuration: timer {timer.name} has no tickpolicy", timer)
        if timer.catchup is not None and timer.tickpolicy != "catchup":
            raise Refused("XML error: <catchup> needs tickpolicy='catchup'", timer)
        if timer.name != "tsc" and (timer.frequency or timer.mode):
            raise Refused(f"unsupported configuration: timer {timer.name} has no frequency or mode", timer)
        if timer.track is not None and timer.name not in _TRACKED:
            raise Refused(f"unsupported configuration: timer {timer.name} cannot track", timer)
