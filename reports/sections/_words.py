"""Numbers as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qcaps.measure.statistics import FEWEST_PAIRS

if TYPE_CHECKING:
    from qcaps.report.fit import Estimate


class Paired(Protocol):
    """A ratio, its interval, and how many pairs it rests on."""

    @property
    def ratio(self) -> float: ...  # what the class says
    @property
    def low(self) -> float: ...  # likewise
    @property
    def high(self) -> float: ...  # likewise
    @property
    def pairs(self) -> int: ...  # likewise


_TWO_DIGITS, _ONE_DIGIT = 3.0, 20.0
_LARGE = 100.0


def times(ratio: float) -> str:
    """A ratio with the digits it deserves: 1.04, 2.5, 41."""
    if ratio < _TWO_DIGITS:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if ratio < _ONE_DIGIT else f"{ratio:.0f}"


def interval(low: float, high: float) -> str:
    """The ends of an interval of ratios."""
    return f"{times(low)} to {times(high)}"


def too_few(one: Paired) -> bool:
    """Whether there are too few pairs for an interval: then nothing is claimed."""
    return one.pairs < FEWEST_PAIRS


def sure_interval(one: Paired) -> str:
    """The interval, or how many pairs there are where these give none."""
    return count(one.pairs, "pair") if too_few(one) else interval(one.low, one.high)


def paired(one: Paired) -> str:
    """A ratio and how sure it is: 2.5 [2.3 to 2.7], or 2.5 (1 pair)."""
    if too_few(one):
        return f"{times(one.ratio)} ({count(one.pairs, 'pair')})"
    return f"{times(one.ratio)} [{interval(one.low, one.high)}]"


def estimate(value: Estimate, scale: float = 1.0) -> str:
    """A value and its interval."""
    numbers = (scale * one for one in (value.value, value.low, value.high))
    middle, low, high = (f"{one:.0f}" if abs(one) >= _LARGE else f"{one:.3g}" for one in numbers)
    return f"{middle} [{low} to {high}]"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"  # noqa: PLR2004  # two digits


def count(number: int, noun: str) -> str:
    """1 lookup, 2 lookups."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def task_name(task: str) -> str:
    """A task in a sentence."""
    return {"define+undefine": "define and undefine"}.get(task, task)


MEANING = {
    "fork": "a fork",
    "ctime": "14 system calls",
    "watch": "a look at what inotify told",
    "trust": "nothing more",
}
"""What a validity does on a hit, in few words."""

_HISTORY = {"fork": "before 4.10"}
"""What no release does any longer, and since when."""
_DEVICES = {
    "disks": "disk",
    "nics": "network interface",
    "channels": "channel",
    "serials": "serial port",
    "usb": "USB device",
    "scsi": "SCSI disk",
}


def validity_name(validity: str) -> str:
    """A validity as a label: what is history says so."""
    return f"{validity}, {_HISTORY[validity]}" if validity in _HISTORY else validity


def quoted_validity(validity: str) -> str:
    """Likewise within a sentence."""
    return f"'{validity}' ({_HISTORY[validity]})" if validity in _HISTORY else f"'{validity}'"


def domain_name(scenario: str, n: int) -> str:
    """A domain of a scenario as a reader would call it; a user's own file by its name."""
    family, _, machine = scenario.partition("@")
    on = f" on {machine}" if machine else ""
    if family == "simple":
        return f"the virt-install guest{on}"
    if family not in _DEVICES:
        return f"{scenario}/{n}" if n else scenario
    return f"{count(n, _DEVICES[family])}{on}" if n else f"an empty domain{on}"
