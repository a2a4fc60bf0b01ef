"""Security labels of single images and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.refuse import malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.devices.on_host import SourceSeclabel
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.security import Seclabel


def refuse_read_labels(labels: Sequence[SourceSeclabel], element: Element) -> None:
    """Refuses two labels of one model, and a label that nothing gets.

    Follows: virSecurityDeviceLabelDefParseXML
    """
    models = [label.model for label in labels if label.model is not None]
    if len(set(models)) < len(models):
        raise malformed("there are two <seclabel> of one model", element)
    for label in labels:
        if label.label and label.relabel is False:
            raise malformed("a label does not go with relabel='no'", label)


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
