"""`<redirfilter>`: which USB devices a client may hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Redirfilter
from qcaps.rules.kind import Kind
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.devices.redirfilter import RedirfilterUsbdev
    from qcaps.domainxml.domain import Domain


_ANY: Final = -1


_VERSION_DIGITS: Final = 2


def read(_domain: Domain, rules: Redirfilter) -> Redirfilter:
    """Leaves out what may be any; writes versions with two digits behind the dot.

    Follows: virDomainRedirFilterDefParseXML, virDomainRedirFilterUSBDevDefParseXML
    """
    return evolve(rules, usbdev=tuple(map(_rule, rules.usbdev)))


def _rule(rule: RedirfilterUsbdev) -> RedirfilterUsbdev:
    open_ = {name: None for name in ("class_", "vendor", "product") if getattr(rule, name) == _ANY}
    return evolve(rule, version=_version(rule), **open_)


# Follows: virDomainRedirFilterUSBVersionHelper
def _version(rule: RedirfilterUsbdev) -> str | None:
    if rule.version in (None, "-1"):
        return None
    major, _, minor = rule.version.partition(".")
    if not (major.isdecimal() and minor.isdecimal()) or max(len(major), len(minor)) > _VERSION_DIGITS:
        raise Refused(f"XML error: '{rule.version[:40]}' is no version of a USB device", rule)
    return f"{int(major)}.{int(minor) * (10 if len(minor) == 1 else 1):02d}"


REDIRFILTER = Kind(
    Redirfilter,
    read=read,
)
