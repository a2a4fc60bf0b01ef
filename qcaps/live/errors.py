"""What can go wrong with a real libvirt; each is one line that says what to do.

LiveError
├── NoLibvirt        it is not installed, too old, or its Python binding is missing
├── NoCompiler       the interposer cannot be built (the debug log counts without one)
├── NotPermitted     the kernel refuses what isolation needs
├── NotStartable     nothing can stand in for what the domain names on the host
└── LibvirtDied      the process that holds libvirt ended in the middle of a call
"""

from __future__ import annotations

from qcaps.errors import QcapsError


class LiveError(QcapsError):
    """A real libvirt could not be asked."""


class NoLibvirt(LiveError):
    """There is no libvirt here that qcaps can use."""


class NoCompiler(LiveError):
    """The interposer could not be compiled."""


class NotPermitted(LiveError):
    """A namespace, a mount or a device node was refused."""


class NotStartable(LiveError):
    """A domain names something on the host for which nothing can stand in: line, element, and why."""


class LibvirtDied(LiveError):
    """The process that holds libvirt is gone."""
