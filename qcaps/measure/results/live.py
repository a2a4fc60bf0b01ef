"""What a real libvirt cost, as results: beside the reference's in a file, a report, a comparison of files.

The subject is "embedded" or "daemon". The policy of libvirt as it is bears the name of its release
("libvirt-9.0"); "once" is the same libvirt with one lookup a domain parse, by interposition. Every call is a
block.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qcaps.lookups import libvirt_laws
from qcaps.measure.results.results_file import Measured, Run
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcaps.live.counting.meter import Cost
    from qcaps.live.host.installation import Installation
    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Metadata

ONCE = "once"
VALIDITY = "ctime"
"""Since about 4.10, and only 6.1.0 and later can be embedded."""


def policy_of(installation: Installation) -> str:
    """The name of what an unmodified libvirt does: "libvirt-9.0" for 9.0.0."""
    major, minor, _ = installation.version_name.split(".")
    return f"libvirt-{major}.{minor}"


def measured(cell: Cell, xml: str | None, costs: Sequence[Cost], facts: Metadata) -> Measured:
    """Calls of one task in the order they were made, the warm-up first; those of two policies are pairs.

    `xml` is what libvirt made of the domain. A hit is validated each time, so validations are lookups.
    """
    warmup, *timed = costs
    last = timed[-1]
    lookups = last.lookups or 0
    return Measured(
        cell,
        Counts(
            devices=libvirt_laws.devices(xml) if xml else 0,
            lookups=lookups,
            validations=lookups,
            forks=last.forks or 0,
            probes=0,
            sites=dict(last.sites),
        ),
        (
            Run(
                0,
                tuple((cost.ns / 1e9,) for cost in timed),
                (warmup.ns / 1e9,),
                {**facts, "date": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")},
            ),
        ),
    )
