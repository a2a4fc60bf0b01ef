"""Questions to QEMU's description of its own protocol (`query-qmp-schema`).

A path begins with a command or event and walks through the types it mentions, separated by "/":

    arg-type, ret-type   the type of a command's arguments, or of its reply
    member               a member of an object
    *member              the same, if it is optional
    +case                a variant of a union
    ^value               whether an enumeration has a value; may be followed by $feature
    $feature             whether the command, object or enumeration value before it has a feature
    !json                whether a built-in type is written as this type of JSON

Arrays stand for their elements, an alternate for any of its members. The notation is libvirt's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Entry = Mapping[str, Any]
Schema = Mapping[str, Entry]
Steps = tuple[str, ...]

DEEPEST: Final = 100
"""Types walked through before a schema is taken to refer to itself; real ones need fewer than 20."""


def indexed(reply: Iterable[Entry]) -> dict[str, Entry]:
    """The reply to `query-qmp-schema` by name."""
    return {entry["name"]: entry for entry in reply if isinstance(entry.get("name"), str)}


def has(schema: Schema, path: str) -> bool:
    """Whether `path` leads somewhere. A malformed schema leads nowhere."""
    name, *steps = path.split("/")
    return _reaches(schema, name, tuple(steps), 0)


def _reaches(schema: Schema, name: object, steps: Steps, depth: int) -> bool:
    entry = schema.get(name) if isinstance(name, str) else None
    if entry is None or depth > DEEPEST:
        return False
    if not steps:
        return True
    walk = _WALKS.get(str(entry.get("meta-type")))
    return walk is not None and walk(schema, entry, steps, depth + 1)


def _listed(entry: Entry, key: str) -> list[Any]:
    values = entry.get(key)
    return values if isinstance(values, list) else []


def _named(entry: Entry, key: str, name_key: str, name: str) -> Entry | None:
    """The object in the list `entry[key]` that calls itself `name` under `name_key`."""
    return next(
        (one for one in _listed(entry, key) if isinstance(one, Mapping) and one.get(name_key) == name), None
    )


def _featured(entry: Entry, steps: Steps) -> bool:
    return len(steps) == 1 and steps[0][1:] in _listed(entry, "features")


def _command(schema: Schema, entry: Entry, steps: Steps, depth: int) -> bool:
    if steps[0].startswith("$"):
        return _featured(entry, steps)
    return _reaches(schema, entry.get(steps[0]), steps[1:], depth)


def _object(schema: Schema, entry: Entry, steps: Steps, depth: int) -> bool:
    step = steps[0]
    if step.startswith("$"):
        return _featured(entry, steps)
    if step.startswith("+"):
        found = _named(entry, "variants", "case", step[1:])
    else:
        found = _named(entry, "members", "name", step.removeprefix("*"))
        if step.startswith("*") and found is not None and "default" not in found:
            return False
    return found is not None and _reaches(schema, found.get("type"), steps[1:], depth)


def _array(schema: Schema, entry: Entry, steps: Steps, depth: int) -> bool:
    return _reaches(schema, entry.get("element-type"), steps, depth)


def _alternate(schema: Schema, entry: Entry, steps: Steps, depth: int) -> bool:
    return any(
        _reaches(schema, member.get("type"), steps, depth)
        for member in _listed(entry, "members")
        if isinstance(member, Mapping)
    )


def _enumeration(_schema: Schema, entry: Entry, steps: Steps, _depth: int) -> bool:
    value, features = steps[0], steps[1:]
    if not value.startswith("^"):
        return False
    if "members" in entry:  # QEMU 6.2 and later; only these carry features
        member = _named(entry, "members", "name", value[1:])
        return member is not None and (not features or _featured(member, features))
    return not features and value[1:] in _listed(entry, "values")


def _builtin(_schema: Schema, entry: Entry, steps: Steps, _depth: int) -> bool:
    return len(steps) == 1 and steps[0] == f"!{entry.get('json-type')}"


_WALKS: Final[Mapping[str, Callable[[Schema, Entry, Steps, int], bool]]] = {
    "command": _command,
    "event": _command,
    "object": _object,
    "array": _array,
    "alternate": _alternate,
    "enum": _enumeration,
    "builtin": _builtin,
}
