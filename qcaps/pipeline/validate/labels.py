"""Security labels of single images and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.pipeline.validate.refuse import unsupported

if TYPE_CHECKING:
    from qcaps.domain.codec import Element
    from qcaps.pipeline.validate.guest import Guest


def check_labels(source: Element | None, guest: Guest) -> None:
    """A label of one image overrides the domain's, which must relabel at all."""
    if source is None or not guest.domain.seclabel:
        return
    for label in source.__dict__.get("seclabel", ()):
        for of_domain in guest.domain.seclabel:
            # a label of type none does not relabel unless told to; the others do
            relabels = of_domain.relabel if of_domain.relabel is not None else of_domain.type != "none"
            if of_domain.model == label.model and not relabels:
                raise unsupported(
                    "a label of one image needs relabel='yes' in the domain's <seclabel>", label
                )
