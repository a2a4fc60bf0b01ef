"""Capabilities recorded by our probe from real QEMUs, for use where none is installed.

QEMU 7.2.22 of Debian 12. The x86_64 one was probed with KVM and TCG, the others with TCG (`granted` adds
KVM). Their stamps are those of the machine they were recorded on, so no cache takes them for its own.

To renew one: `qcaps probe /usr/bin/qemu-system-s390x --release 9.0 -o s390x.xml`, then `gzip -9n s390x.xml`.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from qcaps.capabilities import cachefile
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from qcaps.capabilities.stamps import Entry

_NAMES: Final = ("aarch64", "armv7l", "ppc64", "s390x", "x86_64")


def names() -> tuple[str, ...]:
    """The architectures there is a snapshot of, as libvirt spells them."""
    return _NAMES


@cache
def snapshot(arch: str) -> Entry:
    """The snapshot for `arch`; QcapsError if there is none. Read once a process."""
    if arch not in _NAMES:
        raise QcapsError(f"no recorded capabilities for architecture {arch!r}; there are {', '.join(_NAMES)}")
    file = resources.files(__name__) / f"{arch}.xml.gz"
    return cachefile.parse(gzip.decompress(file.read_bytes()), f"{__name__}/{arch}.xml")
