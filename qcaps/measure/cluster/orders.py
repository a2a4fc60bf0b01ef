"""A plan's orders on a cluster: a carrier with as many orders on as there are hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.carrying import Delivery
from qcaps.measure.cluster.connection import LostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from distributed import Future

    from qcaps.measure.carrying import OnLine, Order
    from qcaps.measure.cluster.connection import Cluster
    from qcaps.measure.cluster.host import Plain
    from qcaps.measure.results.results_file import Metadata

_AHEAD = 4
"""Orders sent for each host, so that none waits while we write results."""


@dataclass(frozen=True)
class OnHosts:
    """The hosts of a cluster. `session` is metadata of this command, `scratch` a folder on each host."""

    cluster: Cluster
    session: Metadata
    scratch: Path | None = None

    @property
    def width(self) -> int:
        """One order a host."""
        return len(self.cluster.hosts)

    def carry_out(self, orders: Iterable[Order], _on_line: OnLine) -> Iterator[list[Delivery]]:
        """Each order's delivery, once: an order whose host is lost is carried out by another."""
        left = iter(orders)
        sent: dict[Future, Order] = {}
        try:
            while True:
                while order := next(left, None) if len(sent) < self._most(sent) else None:
                    sent[self._submit(order)] = order
                if not sent:
                    return
                done = [(future, sent.pop(future)) for future in self.cluster.first_of(sent)]
                yield [self._delivery(future, order) for future, order in done]
        finally:
            self.cluster.cancel(sent)

    def _most(self, sent: dict[Future, Order]) -> int:
        """With a limit on all, an order is timed from when it is sent: it must not wait then."""
        limited = any(order.limited for order in sent.values())
        return self.width if limited else self.width * _AHEAD

    def _submit(self, order: Order) -> Future:
        scratch = str(self.scratch) if self.scratch else ""
        plain = {"order": order.to_plain(), "session": self.session, "scratch": scratch}
        return self.cluster.submit("job", plain)

    def _delivery(self, future: Future, order: Order) -> Delivery:
        try:
            answer = self.cluster.answer(future)
        except LostError as error:
            return Delivery(order.number, cut_short=f"lost: {error}")
        self.answered(answer)
        return Delivery.from_plain(answer["delivery"], f"results of host {answer['host']}")

    def answered(self, answer: Plain) -> None:
        """For who wants to know which host had an order, and for how long."""
