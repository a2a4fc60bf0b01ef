"""Security labels of single images and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.refuse import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcaps.domain.devices.on_host import SourceSeclabel
    from qcaps.domain.domain import Domain
    from qcaps.domain.security import Seclabel


def check_labels(labels: Iterable[SourceSeclabel], domain: Domain) -> None:
    """A label of one image overrides the domain's, which must relabel at all.

    Follows: virSecurityDeviceLabelDefValidate
    """
    fixed = {of_domain.model for of_domain in domain.seclabel if not _relabels(of_domain)}
    for label in labels:
        if label.model in fixed:
            raise unsupported("a label of one image needs relabel='yes' in the domain's <seclabel>", label)


def _relabels(label: Seclabel) -> bool:
    """A dynamic label relabels; others do when told to."""
    return label.relabel if label.relabel is not None else label.type == "dynamic"
