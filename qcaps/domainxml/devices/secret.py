"""Secrets by reference: who logs in to a storage server, and how a volume is encrypted."""

from __future__ import annotations

from typing import ClassVar, Literal

from qcaps.domainxml.codec import Element
from qcaps.domainxml.syntax import U32


class AuthSecret(Element):
    """The secret that holds the password, by UUID or by usage."""

    TAG: ClassVar[str] = "secret"
    type: Literal["none", "volume", "ceph", "iscsi", "tls", "vtpm"] | None = None
    uuid: str | None = None
    usage: str | None = None


class Auth(Element):
    """A user of a storage server."""

    TAG: ClassVar[str] = "auth"
    type: Literal["none", "chap", "ceph"] | None = None
    username: str
    secret: AuthSecret


class EncryptionSecret(Element):
    """The passphrase of a volume."""

    TAG: ClassVar[str] = "secret"
    type: Literal["passphrase"]
    uuid: str | None = None
    usage: str | None = None


class EncryptionCipher(Element):
    """The cipher of a LUKS volume."""

    TAG: ClassVar[str] = "cipher"
    name: str
    size: U32
    mode: str | None = None
    hash: str | None = None


class EncryptionIvgen(Element):
    """How a LUKS volume makes initialisation vectors."""

    TAG: ClassVar[str] = "ivgen"
    name: str
    hash: str | None = None


class Encryption(Element):
    """How a volume is encrypted, and by whom it is decrypted."""

    TAG: ClassVar[str] = "encryption"
    format: Literal["default", "qcow", "luks", "luks2"]
    engine: Literal["qemu", "librbd"] | None = None
    secret: tuple[EncryptionSecret, ...] = ()
    cipher: EncryptionCipher | None = None
    ivgen: EncryptionIvgen | None = None
