"""What a domain asks of libvirt in QEMU's namespace: flags of its own, properties, what is deprecated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qcaps.capabilities import flag_rules
from qcaps.capabilities.flags import POSITION
from qcaps.domainxml.namespace import qemu_deprecation, qemu_flags
from qcaps.errors import meant
from qcaps.rules.shared.refuse import internal
from qcaps.rules.start import argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.start.launch import Launch

_DEPRECATED: Final = {
    "omit": {"deprecated-output": "hide"},
    "reject": {"deprecated-output": "hide", "deprecated-input": "reject"},
    "crash": {"deprecated-output": "hide", "deprecated-input": "crash"},
}
"""What `<qemu:deprecation behavior=…>` means to QEMU; whatever else is written there means nothing."""


class CustomFlags:
    """The flags that a domain adds and takes away when it starts. Raises Refused for one that is unknown.

    Follows: qemuProcessStartUpdateCustomCaps
    """

    def __init__(self, domain: Domain) -> None:
        added, taken = qemu_flags(domain)
        self._added, self._taken = frozenset(added), frozenset(taken)
        self._seen: Capabilities | None = None
        self._made: Capabilities | None = None
        for name in (*added, *taken):
            if name not in POSITION:
                raise internal(f"<qemu:capabilities>: no capability {name!r}{meant(name, POSITION)}", domain)

    def __call__(self, found: Capabilities) -> Capabilities:
        """The capabilities with these flags, and those that follow from them.

        Follows: qemuProcessPrepareQEMUCaps, virQEMUCapsInitProcessCapsInterlock
        """
        if self._made is None or self._seen is not found:
            flags = set(found.flags | self._added) - self._taken
            flags |= {flag for needed, flag in flag_rules.INTERLOCKED if needed <= flags}
            flags -= {old for old, new in flag_rules.SUPERSEDED.items() if new in flags}
            self._seen, self._made = found, replace(found, flags=frozenset(flags))
        return self._made


def custom_flags(domain: Domain) -> CustomFlags | None:
    """The domain's own flags; None where it has none. Raises Refused."""
    return CustomFlags(domain) if any(qemu_flags(domain)) else None


def deprecated(launch: Launch) -> Iterator[str]:
    """`-compat`.

    Follows: qemuBuildCompatDeprecatedCommandLine
    """
    asked = _DEPRECATED.get(qemu_deprecation(launch.domain) or "")
    if asked is not None and "compat-deprecated" in launch.capabilities:
        yield from ("-compat", argument.as_json(dict(asked)))
