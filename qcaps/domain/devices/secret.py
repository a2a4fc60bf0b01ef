"""Secrets by reference: who logs in to a storage server, and how a volume is encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from qcaps.domain.codec import Element
from qcaps.domain.syntax import U32


@dataclass(frozen=True, kw_only=True)
class AuthSecret(Element):
    """The secret that holds the password, by UUID or by usage."""

    TAG: ClassVar[str] = "secret"
    type: Literal["none", "volume", "ceph", "iscsi", "tls", "vtpm"] | None = None
    uuid: str | None = None
    usage: str | None = None


@dataclass(frozen=True, kw_only=True)
class Auth(Element):
    """A user of a storage server."""

    TAG: ClassVar[str] = "auth"
    type: Literal["none", "chap", "ceph"] | None = None
    username: str
    secret: AuthSecret


@dataclass(frozen=True, kw_only=True)
class EncryptionSecret(Element):
    """The passphrase of a volume."""

    TAG: ClassVar[str] = "secret"
    type: Literal["passphrase"]
    uuid: str | None = None
    usage: str | None = None


@dataclass(frozen=True, kw_only=True)
class EncryptionCipher(Element):
    """The cipher of a LUKS volume."""

    TAG: ClassVar[str] = "cipher"
    name: str
    size: U32
    mode: str | None = None
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class EncryptionIvgen(Element):
    """How a LUKS volume makes initialisation vectors."""

    TAG: ClassVar[str] = "ivgen"
    name: str
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class Encryption(Element):
    """How a volume is encrypted, and by whom it is decrypted."""

    TAG: ClassVar[str] = "encryption"
    format: Literal["default", "qcow", "luks", "luks2"]
    engine: Literal["qemu", "librbd"] | None = None
    secret: tuple[EncryptionSecret, ...] = ()
    cipher: EncryptionCipher | None = None
    ivgen: EncryptionIvgen | None = None
