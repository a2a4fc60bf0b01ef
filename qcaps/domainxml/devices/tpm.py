"""Trusted platform modules."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import FLAG, Element
from qcaps.domainxml.device import Device


class TpmBackendDevice(Element):
    """A device file of the host."""

    TAG: ClassVar[str] = "device"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    path: str | None = None


class TpmBackendEncryption(Element):
    """The secret that encrypts the state of the emulator."""

    TAG: ClassVar[str] = "encryption"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    secret: str


class TpmBackendActivePcrBanks(Element):
    """The banks of registers that the emulator has."""

    TAG: ClassVar[str] = "active_pcr_banks"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    sha1: Annotated[bool, FLAG] = False
    sha256: Annotated[bool, FLAG] = False
    sha384: Annotated[bool, FLAG] = False
    sha512: Annotated[bool, FLAG] = False


class TpmBackendSource(Element):
    """The socket of an emulator that somebody else runs."""

    TAG: ClassVar[str] = "source"
    type: Literal["unix"]
    mode: Literal["connect", "bind"] | None = None
    path: str | None = None


class TpmBackend(Element):
    """What answers the guest."""

    TAG: ClassVar[str] = "backend"
    type: Literal["passthrough", "emulator", "external"]
    version: Literal["1.2", "2.0"] | None = None
    persistent_state: bool | None = None
    device: TpmBackendDevice | None = None
    encryption: TpmBackendEncryption | None = None
    active_pcr_banks: TpmBackendActivePcrBanks | None = None
    source: TpmBackendSource | None = None


class Tpm(Device):
    """A trusted platform module."""

    TAG: ClassVar[str] = "tpm"
    ONCE: ClassVar[frozenset[str]] = frozenset({"backend"})
    model: Literal["tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"] | None = None
    backend: TpmBackend
