"""What the libvirt of this machine does by its law."""

from __future__ import annotations

from qcaps.live.host.installation import find
from qcaps.lookups import libvirt_laws


def by_law(task: str, answer: str | None) -> int | None:
    """The lookups of a task whose answer is known, in the release that is installed."""
    return libvirt_laws.lookups(task, answer, find().nearest.release)
