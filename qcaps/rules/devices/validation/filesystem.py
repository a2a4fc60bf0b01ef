"""`<filesystem>`: 9p and virtiofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.definition.validation.memory import need_shared_memory
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.devices import Filesystem
    from qcaps.rules.shared.guest import Guest


def _driver(filesystem: Filesystem) -> str | None:
    return filesystem.driver.type if filesystem.driver is not None else None


def check_filesystem(filesystem: Filesystem, _guest: Guest) -> None:
    """What holds for a filesystem under any hypervisor."""
    if filesystem.target is None or filesystem.target.dir is None:
        raise Refused("<target dir=…> is missing for the filesystem", filesystem)
    if filesystem.boot is not None and _driver(filesystem) != "virtiofs":
        raise unsupported("a boot order is for filesystems with driver 'virtiofs'", filesystem)


def check_qemu_filesystem(filesystem: Filesystem, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, this QEMU or this host cannot do with a filesystem."""
    if filesystem.type not in (None, "mount"):
        raise unsupported(f"QEMU has no filesystem of type '{filesystem.type}'", filesystem)
    if _multidevs(filesystem):
        need(caps, "fsdev.multidevs", "multidevs", filesystem)
    modes = filesystem.fmode or filesystem.dmode
    if modes and filesystem.accessmode != "mapped":
        raise unsupported("fmode and dmode need accessmode='mapped'", filesystem)
    driver = _driver(filesystem)
    if driver == "virtiofs":
        _check_virtiofs(filesystem, guest, caps)
        return
    if driver == "handle" and filesystem.accessmode not in (None, "passthrough"):
        raise unsupported("driver 'handle' needs accessmode='passthrough'", filesystem)
    if driver in ("loop", "nbd", "ploop"):
        raise unsupported(f"QEMU has no filesystem driver '{driver}'", filesystem)


def _multidevs(filesystem: Filesystem) -> bool:
    return filesystem.multidevs not in (None, "default")


def _check_own_virtiofsd(filesystem: Filesystem, guest: Guest) -> None:
    if filesystem.readonly:
        raise unsupported("virtiofs cannot be read-only", filesystem)
    if not guest.host.privileged:
        raise unsupported("virtiofs needs a libvirt that runs as root", filesystem)
    if filesystem.accessmode not in (None, "passthrough"):
        raise unsupported("virtiofs needs accessmode='passthrough'", filesystem)
    if filesystem.driver is not None and filesystem.driver.wrpolicy not in (None, "default"):
        raise unsupported("virtiofs has no wrpolicy", filesystem)


def _check_virtiofs(filesystem: Filesystem, guest: Guest, caps: Capabilities) -> None:
    own = filesystem.driver
    if filesystem.source is None or filesystem.source.socket is None:
        _check_own_virtiofsd(filesystem, guest)
    if filesystem.model is not None:
        raise unsupported("virtiofs has no model", filesystem)
    if own is not None and own.format is not None:
        raise unsupported("virtiofs has no format", filesystem)
    need(caps, "vhost-user-fs", "virtiofs", filesystem)
    if _multidevs(filesystem):
        raise unsupported("virtiofs has no multidevs", filesystem)
    if filesystem.fmode or filesystem.dmode:
        raise unsupported("virtiofs has no fmode and dmode", filesystem)
    need_shared_memory(guest, caps, "virtiofs", filesystem)
    if filesystem.boot is not None:
        need(caps, "vhost-user-fs.bootindex", "a boot order of virtiofs", filesystem)
