"""`<clock>`: what time the guest believes it is, and its timers."""

from __future__ import annotations

from typing import ClassVar, Literal

from qcaps.domainxml.codec import Element
from qcaps.domainxml.syntax import U64, signed_64


class TimerCatchup(Element):
    """How a timer makes up for lost ticks."""

    TAG: ClassVar[str] = "catchup"
    threshold: U64 | None = None
    slew: U64 | None = None
    limit: U64 | None = None


class Timer(Element):
    """One timer of the machine; frequency in hertz."""

    TAG: ClassVar[str] = "timer"
    name: Literal["platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"]
    present: bool | None = None
    tickpolicy: Literal["delay", "catchup", "merge", "discard"] | None = None
    track: Literal["boot", "guest", "wall", "realtime"] | None = None
    frequency: U64 | None = None
    mode: Literal["auto", "native", "emulate", "paravirt", "smpsafe"] | None = None
    catchup: TimerCatchup | None = None


class Clock(Element):
    """Where the guest's time comes from; UTC where no offset is given.

    `adjustment` is a number of seconds or `reset`; `start` is in seconds since 1970.
    """

    TAG: ClassVar[str] = "clock"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    offset: Literal["utc", "localtime", "variable", "timezone", "absolute"] | None = None
    adjustment: str | None = None
    basis: Literal["utc", "localtime"] | None = None
    timezone: str | None = None
    start: U64 | None = None
    timer: tuple[Timer, ...] = ()

    def refusal(self) -> str:
        """An offset without what it counts from."""
        if self.offset == "timezone" and not self.timezone:
            return "attribute timezone is missing"
        if self.offset == "absolute" and self.start is None:
            return "attribute start is missing"
        if self.offset in (None, "utc", "localtime") and self.adjustment not in (None, "", "reset"):
            try:
                signed_64(self.adjustment)
            except ValueError as error:
                return f"attribute adjustment: {error}"
        return ""
