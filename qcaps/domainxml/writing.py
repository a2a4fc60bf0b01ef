"""Writes an element by the plan of its class, laid out the way libvirt does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qcaps.domainxml.element import Element
from qcaps.domainxml.plan import Field, escape, plan_of

_Write = Callable[[Element, str, str, list[str]], None]

_XML = "http://www.w3.org/XML/1998/namespace"  # of the one prefix that is always there

_writers: dict[type[Element], _Write] = {}


def write(element: Element, tag: str = "", indent: str = "") -> str:
    """The XML text of `element`: two spaces a level, single quotes, only what is set."""
    out: list[str] = []
    _writer(type(element))(element, tag or element.TAG, indent, out)
    return "".join(out)


def _writer(cls: type[Element]) -> _Write:
    writer = _writers.get(cls)
    if writer is None:
        writer = _writers[cls] = _compile(cls)
    return writer


def _compile(cls: type[Element]) -> _Write:
    plan = plan_of(cls)
    attributes = tuple((i.field, f" {i.name}='", i.show) for i in plan if i.kind == "attribute")
    text = next((item for item in plan if item.kind == "text"), None)
    children = tuple(
        (item.field, _child_writer(item)) for item in plan if item.kind not in ("attribute", "text")
    )

    def writer(element: Element, tag: str, indent: str, out: list[str]) -> None:
        get = element.__dict__.get
        out.append(f"{indent}<{tag}")
        for field, opening, show in attributes:
            if (value := get(field)) is not None:
                out.append(f"{opening}{show(value)}'")
        for index, (key, value) in enumerate(element.unknown_attributes):
            out.append(_attribute(index, key, value))
        written = None if text is None or (value := get(text.field)) is None else text.show(value)
        inner = indent + "  " if written is None else ""  # a space before a child would belong to the text
        out.append(">\n" if written is None else f">{written}")
        mark = len(out)
        for field, write_child in children:
            if (value := get(field)) is not None:
                write_child(value, inner, out)
        out.extend(f"{inner}{raw.decode()}\n" for raw in element.unknown_children)
        if written is not None:
            out.append(f"</{tag}>\n")
        elif len(out) == mark:
            out[-1] = "/>\n"
        else:
            out.append(f"{indent}</{tag}>\n")

    return writer


def _attribute(index: int, key: str, value: str) -> str:
    """An attribute kept verbatim, with its namespace declared on the spot."""
    if key[0] != "{":
        return f" {key}='{escape(value)}'"
    namespace, _, name = key[1:].rpartition("}")
    if namespace == _XML:
        return f" xml:{name}='{escape(value)}'"
    return f" xmlns:ns{index}='{escape(namespace)}' ns{index}:{name}='{escape(value)}'"


def _child_writer(item: Field) -> Callable[[Any, str, list[str]], None]:
    name, show = item.name, item.show

    def elements(value: Any, indent: str, out: list[str]) -> None:  # noqa: ANN401  # a tuple of elements
        for member in value:
            _writer(type(member))(member, member.TAG, indent, out)

    def element(value: Any, indent: str, out: list[str]) -> None:  # noqa: ANN401  # an element
        _writer(type(value))(value, name, indent, out)

    def flag(value: Any, indent: str, out: list[str]) -> None:  # noqa: ANN401  # a bool
        if value:
            out.append(f"{indent}<{name}/>\n")

    def child_text(value: Any, indent: str, out: list[str]) -> None:  # noqa: ANN401  # what `show` takes
        out.append(f"{indent}<{name}>{show(value)}</{name}>\n")

    match item.kind:
        case "elements":
            return elements
        case "element":
            return element
        case "flag":
            return flag
        case _:
            return child_text
