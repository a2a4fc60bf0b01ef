"""Security labels of single images and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.refuse import unsupported

if TYPE_CHECKING:
    from qcaps.domain.codec import Element
    from qcaps.domain.security import Seclabel
    from qcaps.rules.shared.guest import Guest


def check_labels(source: Element | None, guest: Guest) -> None:
    """A label of one image overrides the domain's, which must relabel at all.

    Follows: virSecurityDeviceLabelDefValidate
    """
    labels = () if source is None else source.__dict__.get("seclabel", ())
    if not labels or not guest.domain.seclabel:
        return
    fixed = {of_domain.model for of_domain in guest.domain.seclabel if not _relabels(of_domain)}
    for label in labels:
        if label.model in fixed:
            raise unsupported("a label of one image needs relabel='yes' in the domain's <seclabel>", label)


def _relabels(label: Seclabel) -> bool:
    """A dynamic label relabels; others do when told to, and the model `none` never does."""
    if label.model == "none":
        return False
    return label.relabel if label.relabel is not None else label.type in (None, "dynamic")
