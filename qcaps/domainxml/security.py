"""Labels, wrapped keys and encrypted guests."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, ON_OFF, Element, Name
from qcaps.domainxml.syntax import HEX32, U32


class Seclabel(Element):
    """The label of the QEMU process under one security model; without a type it says nothing."""

    TAG: ClassVar[str] = "seclabel"
    type: Literal["none", "dynamic", "static"] | None = None
    model: str | None = None
    relabel: bool | None = None
    label: Annotated[str, CHILD] | None = None
    baselabel: Annotated[str, CHILD] | None = None

    def refusal(self) -> str:
        """A label type and a relabelling that exclude each other, or a fixed label that is missing."""
        if self.type == "dynamic" and self.relabel is False:
            return "a dynamic label needs relabel='yes'"
        if self.type == "none" and self.relabel:
            return "no label cannot be relabelled"
        if self.type == "static" and self.model != "none" and not self.label:
            return "<label> is missing"
        return ""


class KeywrapCipher(Element):
    """Whether keys of one cipher are wrapped (s390)."""

    TAG: ClassVar[str] = "cipher"
    name: Literal["aes", "dea"]
    state: Annotated[bool, ON_OFF]


class Keywrap(Element):
    """Which keys are wrapped (s390)."""

    TAG: ClassVar[str] = "keywrap"
    MERGED: ClassVar[bool] = True
    cipher: tuple[KeywrapCipher, ...] = ()

    def refusal(self) -> str:
        """No cipher, or one twice."""
        names = [cipher.name for cipher in self.cipher]
        return "a <cipher> is named twice" if len(set(names)) < len(names) else ""


class LaunchSecurity(Element):
    """An encrypted guest: AMD SEV with its policy, or s390 protected virtualisation."""

    TAG: ClassVar[str] = "launchSecurity"
    type: Literal["sev", "s390-pv"]
    kernel_hashes: Annotated[bool, Name("kernelHashes")] | None = None
    cbitpos: Annotated[U32, CHILD] | None = None
    reduced_phys_bits: Annotated[U32, CHILD, Name("reducedPhysBits")] | None = None
    policy: Annotated[HEX32, CHILD] | None = None
    dh_cert: Annotated[str, CHILD, Name("dhCert")] | None = None
    session: Annotated[str, CHILD] | None = None

    def refusal(self) -> str:
        """SEV without a policy."""
        return "<policy> is missing" if self.type == "sev" and self.policy is None else ""
