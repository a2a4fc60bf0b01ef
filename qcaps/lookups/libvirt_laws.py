"""How often libvirt 9.0.0 looks up, in closed form, from what it made of a domain.

Found by counting on stock libvirt 9.0.0 and confirmed in its source: post-parse looks up once, the validation
of the domain once, and the validation of every device once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

_POST_PARSE = 1
_DOMAIN = 1
_EMULATOR_OF_A_START = 1


def devices(xml: str) -> int:
    """D: the children of `<devices>` but the emulator, implicit and added ones included."""
    return _devices(etree.fromstring(xml))


def lookups(task: str, answer: str | None) -> int | None:
    """How often `task` looks up by the law; None where there is no law, or it needs an answer.

    `answer` is what libvirt made of the domain, or for the task capabilities its answer.
    """
    constant = CONSTANTS.get(task)
    law = LAWS.get(task)
    if law is None or answer is None:
        return constant
    return law(etree.fromstring(answer))


def _devices(domain: _Element) -> int:
    return sum(
        isinstance(child.tag, str) and child.tag != "emulator" for child in domain.iterfind("devices/*")
    )


def _parse(domain: _Element) -> int:
    # An interface that hands a host device through is validated once more as the host device it is; a filter
    # for redirected devices is no device.
    twice = len(domain.findall("devices/interface[@type='hostdev']"))
    never = len(domain.findall("devices/redirfilter"))
    return _POST_PARSE + _DOMAIN + _devices(domain) + twice - never


def _parse_and_start(domain: _Element) -> int:
    return _parse(domain) + _EMULATOR_OF_A_START


def _guests(capabilities: _Element) -> int:
    """One for each architecture that some QEMU on the host runs."""
    return len(capabilities.findall("guest"))


LAWS: Final[dict[str, Callable[[_Element], int]]] = {
    "define": _parse,
    "define-validated": _parse,
    "define+undefine": _parse,
    "redefine": _parse,
    "createXML": _parse_and_start,
    "xmlToNative": _parse_and_start,
    "capabilities": _guests,
}
CONSTANTS: Final = {
    "undefine": 0,
    "start": 1,
    "attach": 4,
    "detach": 3,
    "update": 4,
    "dumpxml": 0,
    "dumpxml-cpu": 2,
    "domcapabilities": 1,
}
