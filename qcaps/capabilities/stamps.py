"""The circumstances of a probe: what must still hold for its capabilities to be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities


@dataclass(frozen=True)
class Stamps:
    """The binary, its helpers and the host at the time of the probe.

    Times are whole seconds since the epoch, as in libvirt's cache file; versions are
    major * 1_000_000 + minor * 1_000 + micro. None stands for what the file does not say.
    The last three fields identify the binary more finely than libvirt does; they are None in an
    entry that was read from a file of libvirt's own.
    """

    binary: str
    binary_ctime: int = 0
    module_dir_mtime: int | None = None
    self_ctime: int = 0
    self_version: int = 0
    microcode_version: int = 0
    host_cpu_signature: str | None = None
    kernel_version: str | None = None
    kvm_nested: bool = False
    kvm_secure_guest: bool = False
    binary_ctime_ns: int | None = None
    binary_inode: int | None = None
    binary_size: int | None = None


@dataclass(frozen=True)
class Entry:
    """One file of libvirt's capabilities cache: what the binary can do, and when that was found out."""

    capabilities: Capabilities
    stamps: Stamps
