"""Why a domain is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element


class Refused(QcapsError):
    """The domain cannot be defined: what is wrong, and the element (with its line) that is to blame."""

    def __init__(self, why: str, element: Element | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.element = element

    def __str__(self) -> str:
        if self.element is None or not self.element.line:
            return self._with_file(self.why)
        return self._with_file(f"line {self.element.line}: <{self.element.TAG}>: {self.why}")


class CapabilitiesChanged(QcapsError):
    """The capabilities that a task worked on were invalidated before it committed; nothing was committed.

    `reason` says what changed, from what to what: "binary changed: PATH: ctime 1700000000 -> 1700000007".
    """

    def __init__(self, binary: str, reason: str) -> None:
        super().__init__(
            f"{binary}: capabilities changed during the task, which was undone ({reason}); run it again"
        )
        self.binary = binary
        self.reason = reason
