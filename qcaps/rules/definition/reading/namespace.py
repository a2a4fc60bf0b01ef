"""What stands in QEMU's own namespace: `<qemu:commandline>`, `<qemu:capabilities>`, `<qemu:override>`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

from qcaps.domainxml.namespace import QEMU, whole
from qcaps.rules.shared.refuse import internal, malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.domain import Domain

_Node = etree._Element  # noqa: SLF001  # lxml-stubs names the element class only so

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUES = {
    "string": re.compile(r"(?s).*"),
    "signed": re.compile(r"[ \t-\r]*[+-]?[0-9]+"),
    "unsigned": re.compile(r"[ \t-\r]*\+?[0-9]+"),
    "bool": re.compile(r"true|false"),
}
"""What the value of a property may be, by its type."""
_RANGES = {"signed": range(-(2**63), 2**63), "unsigned": range(2**64)}
"""What 64 bits hold."""


def check_parsed_namespace(domain: Domain) -> None:
    """Refuses arguments, variables, flags and properties without a name or of a wrong form.

    Follows: qemuDomainDefNamespaceParse
    """
    for raw in domain.unknown_children:
        if QEMU.encode() not in raw:
            continue
        node = etree.fromstring(raw)
        if (check := _ELEMENTS.get(etree.QName(node).localname)) is not None:
            check(node, domain)


def _all(node: _Node, path: str) -> list[_Node]:
    return node.findall("/".join(f"{{{QEMU}}}{tag}" for tag in path.split("/")))


# Follows: qemuDomainDefNamespaceParseCommandlineArgs, qemuDomainDefNamespaceParseCommandlineEnvValidate
def _check_commandline(node: _Node, domain: Domain) -> None:
    if any(arg.get("value") is None for arg in _all(node, "arg")):
        raise internal("<qemu:arg> needs a value", domain)
    for env in _all(node, "env"):
        name = env.get("name") or ""
        if not _VARIABLE.fullmatch(name):
            raise internal(f"'{name}' is no name of an environment variable", domain)


# Follows: qemuDomainDefNamespaceParseCaps
def _check_capabilities(node: _Node, domain: Domain) -> None:
    for tag in ("add", "del"):
        if any(flag.get("capability") is None for flag in _all(node, tag)):
            raise internal(f"<qemu:{tag}> needs a capability", domain)


# Follows: qemuDomainDefNamespaceParseDeviceOverride
def _check_override(node: _Node, domain: Domain) -> None:
    for device in _all(node, "device"):
        if device.get("alias") is None:
            raise malformed("<qemu:device> needs an alias", domain)
        for own in _all(device, "frontend/property"):
            _check_property(own, domain)


# Follows: qemuDomainDefNamespaceParseOverrideProperties
def _check_property(own: _Node, domain: Domain) -> None:
    name, kind, value = own.get("name"), own.get("type"), own.get("value")
    if name is None or name == "id":
        raise malformed("<qemu:property> needs a name other than 'id'", domain)
    if kind == "remove":
        if value is not None:
            raise malformed(f"property '{name}' is to be removed, and yet has a value", domain)
        return
    if kind not in _VALUES:
        raise malformed(f"property '{name}' has no type '{kind}'", domain)
    if (
        value is None
        or not _VALUES[kind].fullmatch(value)
        or (kind in _RANGES and whole(value) not in _RANGES[kind])
    ):
        raise malformed(f"property '{name}' of type '{kind}' cannot be '{value}'", domain)


_ELEMENTS: dict[str, Callable[[_Node, Domain], None]] = {
    "commandline": _check_commandline,
    "capabilities": _check_capabilities,
    "override": _check_override,
}
