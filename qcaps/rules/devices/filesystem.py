"""`<filesystem>`: directories of the host, by 9p or by virtiofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Filesystem
from qcaps.domainxml.memory import Size
from qcaps.release import R9_0, R11_3, R12_8, since
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.alias import by_count
from qcaps.rules.shared.common import by_type, is_empty, only
from qcaps.rules.shared.pci import VIRTIO_WAYS, Ways, by_model
from qcaps.rules.shared.refuse import malformed, need, need_shared_memory, unsupported
from qcaps.rules.shared.sizes import in_bytes
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import escaped
from qcaps.rules.start.backend import unix_socket
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices.filesystem import FilesystemDriver, FilesystemSource
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


_HIGHEST_MODE = 0o777


def refuse_read(filesystem: d.Filesystem) -> None:
    """Refuses a mode above 0777, and a source that lacks what its type needs.

    Follows: virDomainFSDefParseXML
    """
    source, kind = filesystem.source, filesystem.type
    for name in ("fmode", "dmode"):
        if (getattr(filesystem, name) or 0) > _HIGHEST_MODE:
            raise malformed(f"{name} is above {_HIGHEST_MODE:04o}", filesystem)
    if kind == "ram":
        if source is None or source.usage is None:
            raise malformed("a filesystem of type 'ram' needs <source usage=…>", filesystem)
        return
    if kind == "volume":
        if source is not None and (source.pool is None) != (source.volume is None):
            raise malformed("pool and volume go together", filesystem)
        return
    attribute = {"file": "file", "block": "dev", "template": "name"}.get(kind, "dir")
    if source is None or (source.socket is None and getattr(source, attribute) is None):
        raise Refused(f"a filesystem of type '{kind}' needs <source {attribute}=…>", filesystem)


_SOURCES: Final = by_type(
    {
        "mount": {"dir"}, "bind": {"dir"}, "block": {"dev"}, "file": {"file"}, "template": {"name"},
        "ram": {"usage", "units"}, "volume": {"pool", "volume"},
    }
)  # fmt: skip
"""What a source of each type may say."""

_OF_SOCKET: Final = frozenset({"mount", "bind"})
_SOCKET: Final = by_type({"": {"socket"}})[""]


def read(_domain: Domain, filesystem: Filesystem) -> Filesystem:
    """Leaves out values that are the default; writes sizes in bytes.

    Follows: virDomainFSDefParseXML, virDomainFSDefFormat
    """
    changes: dict[str, Any] = {"type": filesystem.type}
    if filesystem.multidevs == "default":
        changes["multidevs"] = None
    for name in ("fmode", "dmode"):
        if filesystem.__dict__.get(name) == 0:
            changes[name] = None
    for name in ("space_hard_limit", "space_soft_limit"):
        if (limit := filesystem.__dict__.get(name)) is not None:
            changes[name] = _bytes(limit)
    driver = filesystem.driver
    if driver is not None:
        changes["driver"] = _said(driver)
    if filesystem.binary is not None and (driver is None or driver.type != "virtiofs"):
        changes["binary"] = None
    if filesystem.source is not None:
        changes["source"] = _source(filesystem, filesystem.source)
    return evolve(filesystem, **changes)


def _said(driver: FilesystemDriver) -> FilesystemDriver | None:
    plain: dict[str, Any] = {
        name: None for name in ("type", "wrpolicy") if getattr(driver, name) == "default"
    }
    if driver.type in (None, "default"):
        plain |= dict.fromkeys(("format", "wrpolicy", "queue"))
    if driver.queue == 0:
        plain["queue"] = None
    changed = evolve(driver, **plain)
    return None if is_empty(changed) else changed


def _source(filesystem: Filesystem, source: FilesystemSource) -> FilesystemSource | None:
    by_socket = source.socket is not None and filesystem.type in _OF_SOCKET
    source = only(source, _SOCKET if by_socket else _SOURCES[filesystem.type])
    if filesystem.type == "ram" and source.usage is not None:
        usage = in_bytes(Size(value=source.usage, unit=source.units), "KiB") // 1024
        source = evolve(source, usage=usage, units="KiB")
    return None if is_empty(source) else source


def _bytes(size: Size) -> Size | None:
    if not size.value:
        return None
    return evolve(size, value=in_bytes(size, "bytes"), unit="bytes")


def complete(_state: State, filesystem: Filesystem) -> Filesystem:
    """The guest's owners are the host's, unless a daemon of the user's serves the directory.

    Follows: virDomainFSDefPostParse
    """
    daemon = filesystem.source is not None and filesystem.source.socket is not None
    if filesystem.accessmode is not None or daemon:
        return filesystem
    return evolve(filesystem, accessmode="passthrough")


def _driver(filesystem: Filesystem) -> str | None:
    return filesystem.driver.type if filesystem.driver is not None else None


def refuse(filesystem: Filesystem, _guest: Guest) -> None:
    """What holds for a filesystem under any hypervisor.

    Follows: virDomainFSDefValidate
    """
    if filesystem.target is None or filesystem.target.dir is None:
        raise Refused("<target dir=…> is missing for the filesystem", filesystem)
    if filesystem.boot is not None and _driver(filesystem) != "virtiofs":
        raise unsupported("a boot order is for filesystems with driver 'virtiofs'", filesystem)


def refuse_by_qemu(filesystem: Filesystem, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, this QEMU or this host cannot do with a filesystem.

    Follows: qemuValidateDomainDeviceDefFS
    """
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
    if driver in since(_FOREIGN_DRIVERS, guest.draft.release):
        raise unsupported(f"QEMU has no filesystem driver '{driver}'", filesystem)


def _multidevs(filesystem: Filesystem) -> bool:
    return filesystem.multidevs not in (None, "default")


_FOREIGN_DRIVERS: Final[Since[tuple[str, ...]]] = {
    R9_0: ("loop", "nbd", "ploop"),
    R12_8: ("loop", "nbd", "ploop", "handle"),
}
"""Drivers that QEMU does not have."""
_READ_ONLY_VIRTIOFS: Final[Since[bool]] = {R9_0: False, R11_3: True}


def _check_own_virtiofsd(filesystem: Filesystem, guest: Guest) -> None:
    if filesystem.readonly and not since(_READ_ONLY_VIRTIOFS, guest.draft.release):
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


_SECURITY: Final = {"mapped": "mapped", "passthrough": "passthrough", "squash": "none"}


def filesystems(launch: Launch) -> Iterator[str]:
    """Directories of the host: by 9p, or by a virtiofsd of libvirt's or somebody else's.

    Follows: qemuBuildFilesystemCommandLine, qemuBuildFSDevCmd, qemuBuildVHostUserFsCommandLine
    """
    for shared in launch.of(Filesystem):
        name = launch.alias(shared)
        tag = shared.target.dir if shared.target else ""
        kind = (shared.driver.type if shared.driver else None) or "path"
        if kind == "virtiofs":
            path = (shared.source.socket if shared.source else None) or paths.own(
                launch.domain, f"{name}-fs.sock"
            )
            yield from ("-chardev", unix_socket(f"chr-vu-{name}", path, listens=False))
            base = "vhost-user-fs"
            own = {
                "chardev": f"chr-vu-{name}",
                "queue-size": (shared.driver.queue if shared.driver else None) or None,
                "tag": tag,
                "bootindex": (shared.boot.order if shared.boot else None),
            }
        elif kind in ("path", "default", "handle"):
            yield from ("-fsdev", _fsdev(shared, name, "handle" if kind == "handle" else "local"))
            base, own = "virtio-9p", {"fsdev": f"fsdev-{name}", "mount_tag": tag}
        else:
            raise Refused(f"QEMU serves no directory with '{kind}'", shared)
        yield from zpci(launch, shared)
        yield from launch.device(
            {
                **virtio(launch, shared, base, driver=shared.driver, model=shared.model),
                "id": name,
                **own,
                **placed(launch, shared),
            }
        )


# Follows: qemuBuildFSStr
def _fsdev(shared: Filesystem, name: str, kind: str) -> str:
    words = [kind]
    if kind == "local":
        words.append(f"security_model={_SECURITY[shared.accessmode or 'passthrough']}")
        if shared.multidevs not in (None, "default"):
            words.append(f"multidevs={shared.multidevs}")
        for key, mode in (("fmode", shared.fmode), ("dmode", shared.dmode)):
            if mode:
                words.append(f"{key}={mode:04o}")
    if shared.driver and shared.driver.wrpolicy not in (None, "default"):
        words.append(f"writeout={shared.driver.wrpolicy}")
    path = (shared.source.dir if shared.source else None) or ""
    words += [f"id=fsdev-{name}", f"path={escaped(path)}"]
    if shared.readonly:
        words.append("readonly")
    return ",".join(words)


# Follows: qemuDomainDeviceCalculatePCIConnectFlags
def _flags(device: Filesystem, way: Ways) -> int:
    driver = None if device.driver is None else device.driver.type
    if driver == "virtiofs":
        return way.virtio
    return by_model(VIRTIO_WAYS, device.model, way) if driver in (None, "path", "handle") else 0


FILESYSTEM = Kind(
    Filesystem,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=_flags, wants=lambda _: True),
    on_virtio_bus=lambda _: True,
    alias=by_count("fs"),
    boots=True,
)
