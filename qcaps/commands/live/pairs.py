"""What `qcaps live gate` and `overhead` share: two libvirts, or two ways of counting, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.live.host.libvirt_process import Counting, LibvirtProcess

RUNS = 5
"""Runs a block."""


def opener(libvirt: Path | None, counting: Counting = "none") -> Callable[[], LibvirtProcess]:
    """What opens the embedded driver of a libvirt."""
    from qcaps.live.host.embedded import Embedded  # lxml, subprocess

    return lambda: Embedded(counting, libvirt)


def version(libvirt: Path | None) -> str:
    """The version of the libvirt in a folder."""
    from qcaps.live.host.installation import find

    return find(libvirt).version_name
