"""The host CPU as QEMU expands it, and the Hyper-V enlightenments it can offer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities import targets
from qcaps.capabilities.model import CpuProperty, HostCpu
from qcaps.release import DEFAULT, R9_0, R12_8, since

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qcaps.capabilities.answers import Exchange, Session
    from qcaps.release import Release, Since

_COMMAND: Final = "query-cpu-model-expansion"
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def host_cpu(session: Session, arch: str) -> HostCpu | None:
    """The expanded host CPU (TCG: the best CPU it can emulate); None where QEMU cannot say.

    On x86 QEMU is asked twice. What it turns on only when the guest need not migrate is on, and marked
    as not migratable; what is on in both is marked as migratable.
    """
    model = _expanded(session, migratable=True)
    if model is None:
        return None
    name = session.text(model, "name", _COMMAND)
    properties = tuple(_properties(session, model))
    unmigratable = _expanded(session, migratable=False) if arch in targets.X86 else None
    if unmigratable is None:
        return HostCpu(name, migratability=False, properties=properties)
    when_staying = {one.name: one for one in _properties(session, unmigratable)}
    return HostCpu(
        name,
        migratability=True,
        properties=tuple(_compared(one, when_staying.get(one.name)) for one in properties),
    )


_SWITCHES: Final[Since[tuple[str, ...]]] = {
    R9_0: (),
    R12_8: ("stimer_direct", "tlbflush_direct", "tlbflush_extended"),
}
"""Parts of an enlightenment that are written as on or off."""
_CALLED: Final = {"tlbflush_extended": "tlbflush_ext"}
"""QEMU's name of one where it is another."""


def enlightenments(session: Session, arch: str, release: Release = DEFAULT) -> str | None:
    """The `<hypervCapabilities>` element, or None where QEMU offers none or was not asked."""
    if arch not in targets.X86 | targets.ARM:
        return None
    model = _reply(session, _exchanges(session, migratable=False, passthrough=True))
    if model is None:
        return None
    props = session.as_mapping(model.get("props", {}), _COMMAND)
    offered = {
        name.removeprefix("hv-") for name, value in props.items() if name.startswith("hv-") and _on(value)
    }
    offered |= {name.replace("-", "_") for name in offered}
    known = [name for name in targets.HYPERV if name in offered]
    if not known:
        return None
    caps = "".join(f"    <cap name='{name}'/>\n" for name in known)
    for name in since(_SWITCHES, release):
        state = "on" if _CALLED.get(name, name) in offered else "off"
        caps += f"    <{name}>{state}</{name}>\n"
    return f"<hypervCapabilities supported='yes'>\n{caps}  </hypervCapabilities>"


def _on(value: object) -> bool:
    """Whether a property's value turns it on: true, a number above 0, or any string."""
    return isinstance(value, str) or (isinstance(value, int) and value > 0)


def _expanded(session: Session, *, migratable: bool) -> Mapping[str, Any] | None:
    return _reply(session, _exchanges(session, migratable=migratable, passthrough=False))


def _exchanges(session: Session, *, migratable: bool, passthrough: bool) -> list[Exchange]:
    """The expansions that were asked for with these two properties of the model."""
    found = []
    for one in session.exchanges:
        if one.command == _COMMAND:
            model = session.as_mapping(one.arguments.get("model", {}), _COMMAND)
            props = session.as_mapping(model.get("props", {}), _COMMAND)
            if (props.get("migratable", True), props.get("hv-passthrough", False)) == (
                migratable,
                passthrough,
            ):
                found.append(one)
    return found


def _reply(session: Session, exchanges: list[Exchange]) -> Mapping[str, Any] | None:
    """The model in the last answer, None if there is none or QEMU could not expand it."""
    reply = session.accepted(exchanges[-1]) if exchanges else None
    if reply is None:
        return None
    return session.as_mapping(session.as_mapping(reply, _COMMAND).get("model"), _COMMAND)


def _properties(session: Session, model: Mapping[str, Any]) -> Iterator[CpuProperty]:
    """The model's properties in QEMU's order, without what is neither boolean, string nor number."""
    for name, value in session.as_mapping(model.get("props", {}), _COMMAND).items():
        if isinstance(value, bool):
            yield CpuProperty(name, "boolean", "true" if value else "false")
        elif isinstance(value, str):
            yield CpuProperty(name, "string", value)
        elif isinstance(value, int) and _SMALLEST <= value <= _LARGEST:
            yield CpuProperty(name, "number", str(value))


def _compared(one: CpuProperty, staying: CpuProperty | None) -> CpuProperty:
    if staying is None or {one.kind, staying.kind} != {"boolean"}:
        return one
    if one.value == "true":
        return replace(one, migratable=True)
    if staying.value == "true":
        return replace(one, value="true", migratable=False)
    return one
