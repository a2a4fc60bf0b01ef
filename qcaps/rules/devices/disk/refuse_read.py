"""`<disk>`: whether its source says what its type needs, as libvirt's parser sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.syntax import uuid
from qcaps.rules.shared.hosts import check_hosts
from qcaps.rules.shared.labels import refuse_read_labels
from qcaps.rules.shared.pci import check_pci_numbers
from qcaps.rules.shared.refuse import malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.devices import Disk
    from qcaps.domainxml.devices.disksource import DiskSource, DiskSourceCookies, DiskSourceReservations
    from qcaps.domainxml.devices.secret import Auth, AuthSecret, Encryption, EncryptionSecret

_SPLIT = ("gluster", "rbd")
"""Protocols whose name is a volume or pool, a slash, and an image."""

_NOT_IN_VALUE = frozenset(' \t\n\v\f\r",;\\')
_NOT_IN_NAME = _NOT_IN_VALUE | frozenset("()<>@:/[]?={}")


def refuse_read(disk: Disk) -> None:
    """Refuses sources, logins, ciphers and images behind that are incomplete, or given twice.

    Follows: virDomainDiskDefParseXML, virDomainDiskBackingStoreParse
    """
    source, driver = disk.source, disk.driver
    if source is not None:
        refuse_read_source(disk.type, source, disk)
        if disk.auth is not None and source.auth is not None:
            raise unsupported("there is an <auth> in the disk and one in its source", disk)
        if disk.encryption is not None and source.encryption is not None:
            raise unsupported("there is an <encryption> in the disk and one in its source", disk)
    if disk.auth is not None:
        _check_auth(disk.auth)
    if disk.encryption is not None:
        _check_encryption(disk.encryption)
    if driver is not None and driver.rerror_policy == "enospace":
        raise unsupported("rerror_policy cannot be 'enospace'", disk)
    behind = disk.backing_store
    while behind is not None and behind.type is not None:
        if behind.format is None or behind.format.type is None:
            raise malformed("<backingStore> needs a <format type=…>", behind)
        if behind.source is None:
            raise malformed("<backingStore> needs a <source>", behind)
        refuse_read_source(behind.type, behind.source, disk)
        behind = behind.backing_store


# Follows: virStorageAuthDefParse
def _check_auth(auth: Auth) -> None:
    _check_secret(auth.secret)


# Follows: virStorageEncryptionParseNode, virSecretLookupParseSecret
def _check_encryption(encryption: Encryption) -> None:
    for secret in encryption.secret:
        _check_secret(secret)
    if encryption.format == "luks" and encryption.ivgen is not None and encryption.cipher is None:
        raise malformed("<ivgen> needs a <cipher>", encryption)


def _check_secret(secret: AuthSecret | EncryptionSecret) -> None:
    if (secret.uuid is None) == (secret.usage is None):
        raise malformed("a secret is named by its uuid or by its usage", secret)
    if secret.uuid is not None:
        try:
            uuid(secret.uuid)
        except ValueError as error:
            raise malformed(str(error), secret) from None


# Follows: virDomainStorageSourceParse
def refuse_read_source(kind: str, source: DiskSource, disk: Element) -> None:
    """Refuses a source that does not say what its kind of storage needs."""
    if (check := _SOURCES.get(kind)) is not None:
        check(source, disk)
    if source.auth is not None:
        _check_auth(source.auth)
    if source.encryption is not None:
        _check_encryption(source.encryption)
    if source.reservations is not None:
        _check_reservations(source.reservations)
    refuse_read_labels(source.seclabel, source)


# Follows: virStoragePRDefParseXML
def _check_reservations(reservations: DiskSourceReservations) -> None:
    if reservations.managed is None:
        raise malformed("<reservations> needs managed", reservations)
    source = reservations.source
    given = (source.type, source.path, source.mode) if source is not None else (None, None, None)
    needed = not reservations.managed or any(one is not None for one in given)
    if needed and any(one is None for one in given):
        raise malformed("<reservations> needs a source with type, path and mode", reservations)


# Follows: virDomainDiskSourceNetworkParse
def _check_network(source: DiskSource, disk: Element) -> None:
    protocol, name = source.protocol, source.name
    if protocol is None:
        raise malformed("a source on the network needs a protocol", disk)
    if name is None and protocol != "nbd":
        raise malformed(f"a source of protocol '{protocol}' needs a name", disk)
    if name is not None and protocol in _SPLIT and name.find("/") < 1:
        raise malformed(f"'{name}' is no name of the form pool/image", disk)
    check_hosts(source.host)
    if source.cookies is not None and protocol in ("http", "https"):
        _check_cookies(source.cookies)


# Follows: virStorageSourceNetCookiesValidate, virStorageSourceNetCookieValidate
def _check_cookies(cookies: DiskSourceCookies) -> None:
    names = [cookie.name for cookie in cookies.cookie]
    if len(set(names)) < len(names):
        raise malformed("there are two cookies of one name", cookies)
    for cookie in cookies.cookie:
        value = cookie.text
        if not cookie.name or _NOT_IN_NAME & set(cookie.name):
            raise malformed(f"'{cookie.name}' is no name of a cookie", cookie)
        if value is None:
            raise malformed(f"cookie '{cookie.name}' has no value", cookie)
        if value[:1] == '"' and value[-1:] == '"':
            value = value[1:-1]
        if _NOT_IN_VALUE & set(value):
            raise malformed(f"the value of cookie '{cookie.name}' has characters that no cookie may", cookie)


# Follows: virDomainDiskSourcePoolDefParse
def _check_volume(source: DiskSource, disk: Element) -> None:
    if (source.pool is None) != (source.volume is None):
        raise malformed("pool and volume go together", disk)


# Follows: virDomainDiskSourceNVMeParse
def _check_nvme(source: DiskSource, disk: Element) -> None:
    if source.type != "pci":
        raise malformed("an NVMe source is of type 'pci'", disk)
    if source.namespace is None:
        raise malformed("an NVMe source needs a namespace", disk)
    if source.address is None:
        raise malformed("an NVMe source needs an <address>", disk)
    check_pci_numbers(source.address, disk)


# Follows: virDomainDiskSourceVHostUserParse
def _check_vhostuser(source: DiskSource, disk: Element) -> None:
    if source.type != "unix":
        raise malformed("a vhostuser source is of type 'unix'", disk)
    if source.path is None:
        raise malformed("a vhostuser source needs a path", disk)
    again = source.reconnect
    if again is not None and again.enabled and again.timeout is None:
        raise malformed("<reconnect> needs a timeout", disk)


_SOURCES: dict[str, Callable[[DiskSource, Element], None]] = {
    "network": _check_network,
    "volume": _check_volume,
    "nvme": _check_nvme,
    "vhostuser": _check_vhostuser,
}
