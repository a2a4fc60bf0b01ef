"""A plan's errands on a cluster: a carrier with as many errands on as there are hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.carrying import Delivery
from qcaps.measure.cluster.connection import LostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from distributed import Future

    from qcaps.measure.carrying import Errand, OnLine
    from qcaps.measure.cluster.connection import Cluster
    from qcaps.measure.cluster.host import Plain
    from qcaps.measure.results.results_file import Metadata

_AHEAD = 4
"""Errands sent for each host, so that none waits while we write results."""


@dataclass(frozen=True)
class OnHosts:
    """The hosts of a cluster. `session` is metadata of this command, `scratch` a folder on each host."""

    cluster: Cluster
    session: Metadata
    scratch: Path | None = None

    @property
    def width(self) -> int:
        """One errand a host."""
        return len(self.cluster.hosts)

    def carry_out(self, errands: Iterable[Errand], _on_line: OnLine) -> Iterator[list[Delivery]]:
        """Each errand's delivery, once: an errand whose host is lost is carried out by another."""
        left = iter(errands)
        sent: dict[Future, Errand] = {}
        try:
            while True:
                while errand := next(left, None) if len(sent) < self._most(sent) else None:
                    sent[self._submit(errand)] = errand
                if not sent:
                    return
                done = {
                    future: self._delivery(future, sent[future]) for future in self.cluster.first_of(sent)
                }
                deliveries = [one for one in done.values() if one is not None]
                for future, one in done.items():
                    if one is not None:
                        del sent[future]
                if deliveries:
                    yield deliveries
        finally:
            self.cluster.cancel(sent)

    def _most(self, sent: dict[Future, Errand]) -> int:
        """With a limit on all, an errand is timed from when it is sent: it must not wait then."""
        limited = any(errand.limited for errand in sent.values())
        return self.width if limited else self.width * _AHEAD

    def _submit(self, errand: Errand) -> Future:
        scratch = str(self.scratch) if self.scratch else ""
        plain = {"errand": errand.to_plain(), "session": self.session, "scratch": scratch}
        return self.cluster.submit("job", plain)

    def _delivery(self, future: Future, errand: Errand) -> Delivery | None:
        """None while it is being made anew."""
        try:
            answer = self.cluster.answer(future)
        except LostError as error:
            return Delivery(errand.number, cut_short=f"lost: {error}")
        if answer is None:
            return None
        self.answered(answer)
        return Delivery.from_plain(answer["delivery"], f"results of host {answer['host']}")

    def answered(self, answer: Plain) -> None:
        """For who wants to know which host had an errand, and for how long."""
