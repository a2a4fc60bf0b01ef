"""Turns matplotlib's SVG into one that lives in a page: its own names, words for those who cannot see it,
colours that follow the page's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_FONT = re.compile(r"font: (?:(?:normal|italic) )?(?P<weight>[a-z0-9]+ )?(?P<size>[\d.]+px) [^;]+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PLAIN = re.compile(r"stroke-miterlimit: 100000; ?|stroke-linejoin: round; ?|; ?$")


def for_page(svg: bytes, name: str, title: str, description: str, colours: Mapping[str, str]) -> str:
    """The `<svg>` element alone. `name` begins all its ids; `colours` maps #rrggbb to a CSS variable's name.

    Numbers keep two decimals: a hundredth of a point cannot be seen. Fonts are left to the page.
    """
    root = etree.fromstring(svg, etree.XMLParser(remove_comments=True, resolve_entities=False))
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    for element in root.iter(f"{_SVG}*"):
        _rewrite(element, name, colours)
    width, height = (root.get(side, "").removesuffix("pt") for side in ("width", "height"))
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, "")
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = etree.Element(f"{_SVG}{tag}", id=f"{name}-{tag}")
        element.text = text
        root.insert(place, element)
    return etree.tostring(root, encoding="unicode", with_tail=False).replace("xlink:href", "href")


def _rewrite(element: _Element, name: str, colours: Mapping[str, str]) -> None:
    if (identity := element.get("id")) is not None:
        # groups have ids that nothing refers to
        if element.tag == f"{_SVG}g":
            del element.attrib["id"]
        else:
            element.set("id", f"{name}-{identity}")
    if (target := element.get(_XLINK)) is not None and target.startswith("#"):
        element.set(_XLINK, f"#{name}-{target[1:]}")
    if (clip := element.get("clip-path")) is not None:
        element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))
    for attribute in ("d", "x", "y", "width", "height", "transform"):
        if (value := element.get(attribute)) is not None:
            element.set(attribute, " ".join(_LONG_NUMBER.sub(r"\1", value).split()))
    if (style := element.get("style")) is not None:
        style = _FONT.sub(_without_family, _PLAIN.sub("", style))
        style = style.replace("url(#", f"url(#{name}-")
        element.set("style", _COLOUR.sub(lambda found: _follow(found[0], colours), style))


def _without_family(found: re.Match[str]) -> str:
    weight = (found["weight"] or "").strip()
    bold = f"font-weight: {weight}; " if weight not in ("", "normal", "400") else ""
    return f"{bold}font-size: {found['size']}"


def _follow(colour: str, colours: Mapping[str, str]) -> str:
    variable = colours.get(colour.lower())
    return colour if variable is None else f"var({variable})"
