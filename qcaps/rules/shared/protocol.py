"""Where the bytes of an image are: the lower `-blockdev` of a disk.

Passwords are in libvirt's keeping; only the names of the objects that would hold them are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.devices.disksource import DiskSource
    from qcaps.domainxml.devices.on_host import SourceHost
    from qcaps.rules.start.argument import Json, Properties

_PORTS: Final = {
    "nbd": 10809, "gluster": 24007, "http": 80, "https": 443, "ftp": 21, "ftps": 990, "tftp": 69,
    "ssh": 22, "sheepdog": 7000, "iscsi": 3260, "vxhs": 9999,
}  # fmt: skip

_GLUSTER_DEBUG: Final = 4
"""How much the gluster client logs, as qemu.conf has it by default."""


def located(kind: str, source: DiskSource, name: str, *, read_only: bool, floppy: bool) -> Properties:
    """Driver and place of an image of storage type `kind`, in the block node `name`. Raises Refused.

    Follows: qemuBlockStorageSourceGetBackendProps
    """
    if kind == "network":
        make = _PROTOCOLS.get(source.protocol or "")
        if make is None:
            raise Refused(f"QEMU reads nothing over '{source.protocol}'", source)
        return make(source, name)
    if kind == "dir":
        return {"driver": "vvfat", "dir": source.dir or "", "floppy": floppy, "rw": not read_only}
    if kind == "nvme":
        at = source.address
        if at is None:
            raise Refused("an NVMe disk needs the <address> of its device", source)
        place = f"{at.domain or 0:04x}:{at.bus or 0:02x}:{at.slot or 0:02x}.{at.function or 0}"
        return {"driver": "nvme", "device": place, "namespace": source.namespace or 0}
    if kind == "volume":
        raise Refused(
            f"the volume '{source.volume}' of pool '{source.pool}' is known to libvirt's daemon", source
        )
    return {
        "driver": "host_device" if kind == "block" else "file",
        "filename": (source.dev if kind == "block" else source.file) or "",
    }


def secret(node: str, purpose: str) -> str:
    """The name of the object that holds a password.

    Follows: qemuAliasForSecret
    """
    return f"{node}-{purpose}-secret0"


def _host(source: DiskSource) -> SourceHost:
    if len(source.host) != 1:
        raise Refused(f"{source.protocol} takes one host, not {len(source.host)}", source)
    return source.host[0]


def _port(source: DiskSource, host: SourceHost) -> int:
    return host.port or _PORTS.get(source.protocol or "", 0)


def _inet(source: DiskSource, host: SourceHost) -> dict[str, Json]:
    if host.transport not in (None, "tcp"):
        raise Refused(f"{source.protocol} is read over TCP, not '{host.transport}'", host)
    return {"host": host.name or "", "port": str(_port(source, host))}


def _socket(source: DiskSource, host: SourceHost) -> dict[str, Json]:
    if host.transport == "unix":
        return {"type": "unix", "path": host.socket or ""}
    return {"type": "inet", **_inet(source, host)}


def _tls(source: DiskSource, name: str) -> str | None:
    return f"obj{name}_tls0" if source.tls else None


# Follows: qemuBlockStorageSourceGetNBDProps
def _nbd(source: DiskSource, name: str) -> Properties:
    return {
        "driver": "nbd",
        "server": _socket(source, _host(source)),
        "export": source.name,
        "tls-creds": _tls(source, name),
        "tls-hostname": source.tls_hostname,
    }


# Follows: qemuBlockStorageSourceGetGlusterProps
def _gluster(source: DiskSource, _name: str) -> Properties:
    volume, _, path = (source.name or "").partition("/")
    return {
        "driver": "gluster",
        "volume": volume,
        "path": path,
        "server": [_socket(source, host) for host in source.host],
        "debug": _GLUSTER_DEBUG,
    }


# Follows: qemuBlockStorageSourceGetRBDProps
def _rbd(source: DiskSource, name: str) -> Properties:
    pool, _, image = (source.name or "").partition("/")
    has_key = source.encryption is not None and source.encryption.engine == "librbd"
    return {
        "driver": "rbd",
        "pool": pool,
        "image": image,
        "snapshot": source.snapshot.name if source.snapshot else None,
        "conf": source.config.file if source.config else None,
        "server": [{"host": host.name or "", "port": str(host.port or 6789)} for host in source.host] or None,
        "encrypt": {
            "format": source.encryption.format,
            "key-secret": secret(name.replace("-storage", "-format"), "encryption"),
        }
        if has_key and source.encryption
        else None,
        "user": source.auth.username if source.auth else None,
        "auth-client-required": ["cephx", "none"] if source.auth else None,
        "key-secret": secret(name, "auth") if source.auth else None,
    }


# Follows: qemuBlockStorageSourceGetISCSIProps
def _iscsi(source: DiskSource, name: str) -> Properties:
    host = _host(source)
    target, _, unit = (source.name or "").partition("/")
    if unit and not unit.isdecimal():
        raise Refused(f"'{unit}' is no logical unit of an iSCSI target", source)
    server = f"[{host.name}]" if ":" in (host.name or "") else host.name or ""
    return {
        "driver": "iscsi",
        "portal": f"{server}:{_port(source, host)}",
        "target": target,
        "lun": int(unit or 0),
        "transport": "tcp",
        "user": source.auth.username if source.auth else None,
        "password-secret": secret(name, "auth") if source.auth else None,
        "initiator-name": source.initiator.iqn.name if source.initiator and source.initiator.iqn else None,
    }


# Follows: qemuBlockStorageSourceGetCURLProps, qemuBlockStorageSourceGetURI
def _url(source: DiskSource, name: str) -> Properties:
    host = _host(source)
    path = source.name or ""
    slash = "" if path.startswith("/") else "/"
    query = f"?{source.query}" if source.query else ""
    return {
        "driver": source.protocol,
        "url": f"{source.protocol}://{host.name}:{_port(source, host)}{slash}{path}{query}",
        "username": source.auth.username if source.auth else None,
        "password-secret": secret(name, "auth") if source.auth else None,
        "sslverify": source.ssl.verify if source.ssl else None,
        "cookie-secret": secret(name, "httpcookie") if source.cookies and source.cookies.cookie else None,
        "timeout": (source.timeout.seconds if source.timeout else None) or None,
        "readahead": (source.readahead.size if source.readahead else None) or None,
    }


# Follows: qemuBlockStorageSourceGetSheepdogProps
def _sheepdog(source: DiskSource, _name: str) -> Properties:
    return {"driver": "sheepdog", "server": _socket(source, _host(source)), "vdi": source.name or ""}


# Follows: qemuBlockStorageSourceGetSshProps
def _ssh(source: DiskSource, _name: str) -> Properties:
    return {
        "driver": "ssh",
        "path": source.name or "",
        "server": _inet(source, _host(source)),
        "user": source.auth.username if source.auth else None,
    }


# Follows: qemuBlockStorageSourceGetVxHSProps
def _vxhs(source: DiskSource, name: str) -> Properties:
    return {
        "driver": "vxhs",
        "tls-creds": _tls(source, name),
        "vdisk-id": source.name or "",
        "server": _inet(source, _host(source)),
    }


# Follows: qemuBlockStorageSourceGetNFSProps
def _nfs(source: DiskSource, _name: str) -> Properties:
    if not source.host:
        raise Refused("nfs needs a <host>", source)
    given = source.identity
    return {
        "driver": "nfs",
        "server": {"host": source.host[0].name or "", "type": "inet"},
        "path": source.name,
        "user": _id(given.user if given else None),
        "group": _id(given.group if given else None),
    }


def _id(text: str | None) -> int | None:
    """The number in `+107` or `107`; a name is looked up on the host, which is not done here."""
    digits = (text or "").removeprefix("+")
    return int(digits) if digits.isdecimal() else None


_PROTOCOLS: dict[str, Callable[[DiskSource, str], Properties]] = {
    "nbd": _nbd,
    "gluster": _gluster,
    "rbd": _rbd,
    "iscsi": _iscsi,
    "sheepdog": _sheepdog,
    "ssh": _ssh,
    "vxhs": _vxhs,
    "nfs": _nfs,
    **dict.fromkeys(("http", "https", "ftp", "ftps", "tftp"), _url),
}
