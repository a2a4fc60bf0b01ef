"""The search for the first bad commit: what to ask next, and what is known. It measures nothing.

A commit that cannot be told (it does not build, it cannot be judged) is skipped, and another is asked. What
is left in the end is one commit, which is sure, or those that only skipped ones lie between.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Suspects = Callable[[Sequence[str], str], list[str]]


class BisectSide(enum.StrEnum):
    """What a step says of a commit."""

    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class BisectStep:
    """One commit that was asked: what it is, why, and what was found.

    `counts` of each benchmark by what is counted; `low`, `ratio` and `high` against the good end, from
    `pairs` pairs. `seconds` are those of building and measuring it.
    """

    commit: str
    side: BisectSide
    why: str = ""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    seconds: float = 0.0

    def to_plain(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> BisectStep:
        """The reverse. Raises TypeError or ValueError for what is none."""
        return cls(**{**plain, "side": BisectSide(plain["side"])})


@dataclass
class Search:
    """Steps in the order they were asked, the two ends first."""

    suspects: Suspects
    steps: list[BisectStep] = field(default_factory=list)

    def of(self, side: BisectSide) -> list[BisectStep]:
        """The steps that found so."""
        return [one for one in self.steps if one.side is side]

    @property
    def bad(self) -> BisectStep:
        """The earliest bad commit so far: each bad one that is asked comes before those known."""
        return self.of(BisectSide.BAD)[-1]

    def left(self) -> list[str]:
        """The commits that may be the first bad one, the one that halves them best first."""
        return self.suspects([one.commit for one in self.of(BisectSide.GOOD)], self.bad.commit)

    def next(self) -> str | None:
        """The commit to ask; None when there is none that would tell more."""
        asked = {one.commit for one in self.steps}
        left = self.left()
        open_ = [one for one in left if one not in asked]
        skipped = sum(one in asked for one in left) - 1  # the bad one is among them
        if not open_:
            return None
        # What does not build often has neighbours that do not: each one skipped, the next is further away.
        return open_[min(skipped * (skipped + 1) // 2, len(open_) // 2)]
