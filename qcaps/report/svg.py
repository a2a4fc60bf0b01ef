"""Turns matplotlib's SVG into one that lives in a page: its own names, words for those who cannot see it,
colours that follow the page's, values that show when pointed at; and into a file that stands alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lxml.etree import _Element

HOVER = "hover:"
"""What the id of a group begins with that carries, as a JSON list, a text for each of its marks."""
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_FONT = re.compile(r"font: (?:(?:normal|italic) )?(?P<weight>[a-z0-9]+ )?(?P<size>[\d.]+px) [^;]+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PLAIN = re.compile(
    r"stroke-miterlimit: 100000; ?|stroke-linejoin: round; ?|(?<![\w-])font-family: [^;]+;? ?|; ?$"
)
_NOT_TURNED = re.compile(r"rotate\(-?0(?:\.0*)? [^)]*\)$")
_SHARED_FROM = 3


class PageLook(NamedTuple):
    """CSS variables by the colour (#rrggbb) of the style; what names in a figure mean, by name."""

    colours: Mapping[str, str]
    hints: Mapping[str, str]


def for_page(svg: bytes, name: str, title: str, description: str, look: PageLook) -> str:
    """The `<svg>` element alone. `name` begins all its ids and classes.

    A text that is one of the look's hints says what it means when pointed at. Numbers keep two decimals: a
    hundredth of a point cannot be seen. Fonts are left to the page.
    """
    root = _read(svg)
    for word in root.iter(f"{_SVG}text"):
        if (means := look.hints.get(word.text or "")) is not None:
            _tell(word, means)
    for element in root.iter(f"{_SVG}*"):
        _rewrite(element, name, look.colours)
    _unwrap(root)
    _share_styles(root, name)
    width, height = (root.get(side, "").removesuffix("pt") for side in ("width", "height"))
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, "")
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        said = etree.Element(f"{_SVG}{tag}", id=f"{name}-{tag}")
        said.text = text
        root.insert(place, said)
    return etree.tostring(root, encoding="unicode", with_tail=False).replace("xlink:href", "href")


def standing_alone(svg: bytes, lines: Sequence[str], size: float, head: float) -> bytes:
    """The drawing as a file, on white, with lines of text above it; `size` and `head` in points."""
    root = _read(svg)
    width, height = (float(root.get(side, "0").removesuffix("pt")) for side in ("width", "height"))
    root.set("height", f"{height + head}pt")
    root.set("viewBox", f"0 {-head} {width} {height + head}")
    white = etree.Element(
        f"{_SVG}rect", x="0", y=str(-head), width=str(width), height=str(height + head), fill="white"
    )
    root.insert(0, white)
    for number, line in enumerate(lines):
        place = {"x": "7", "y": f"{-head + 8 + size * (1 + 1.3 * number):.2f}"}
        text = etree.SubElement(root, f"{_SVG}text", place)
        text.set("style", f"font: 700 {size}px 'DejaVu Sans', sans-serif; fill: #1f2328")
        text.text = line
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _read(svg: bytes) -> _Element:
    """What matplotlib wrote, without its metadata, and with the values that its ids carry as titles."""
    root = etree.fromstring(svg, etree.XMLParser(remove_comments=True, resolve_entities=False))
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    for group in root.iter(f"{_SVG}g"):
        identity = group.get("id", "")
        if identity.startswith(HOVER):
            del group.attrib["id"]
            _tell_each(group, json.loads(identity.removeprefix(HOVER)))
    return root


def _tell_each(group: _Element, titles: Sequence[str]) -> None:
    """A title for each mark or line of a group; one title alone is the group's own."""
    marks = list(group.iter(f"{_SVG}use")) or [
        path for path in group.iter(f"{_SVG}path") if next(path.iterancestors()).tag != f"{_SVG}defs"
    ]
    if len(titles) == 1:
        _tell(group, titles[0])
    elif len(titles) == len(marks):
        for mark, title in zip(marks, titles, strict=True):
            _tell(mark, title)


def _tell(element: _Element, title: str) -> None:
    told = etree.Element(f"{_SVG}title")
    told.text = title
    if element.tag == f"{_SVG}g":
        element.insert(0, told)
    else:
        element.append(told)


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
    if (turned := element.get("transform")) is not None and _NOT_TURNED.match(turned):
        del element.attrib["transform"]
    if (style := element.get("style")) is not None:
        style = _FONT.sub(_without_family, _PLAIN.sub("", style))
        style = style.replace("url(#", f"url(#{name}-")
        element.set("style", _COLOUR.sub(lambda found: _follow(found[0], colours), style))


def _unwrap(root: _Element) -> None:
    """Without the groups that say nothing, and the room between elements: a third of what there is."""
    for group in [one for one in root.iter(f"{_SVG}g") if not one.attrib]:
        if group.find(f"{_SVG}title") is None:
            around = next(group.iterancestors())
            at = around.index(group)
            around[at : at + 1] = list(group)
    for element in root.iter(f"{_SVG}*"):
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None


def _share_styles(root: _Element, name: str) -> None:
    """What several elements look like is said once, in a style of the drawing's own."""
    count = Counter(element.get("style") for element in root.iter(f"{_SVG}*"))
    shared = [style for style, uses in count.items() if style and uses >= _SHARED_FROM]
    classes = {style: f"{name}-{number}" for number, style in enumerate(shared)}
    for element in root.iter(f"{_SVG}*"):
        if (known := classes.get(element.get("style", ""))) is not None:
            del element.attrib["style"]
            element.set("class", known)
    sheet = etree.Element(f"{_SVG}style")
    sheet.text = "".join(f".{one}{{{style}}}" for style, one in classes.items())
    root.insert(0, sheet)


def _without_family(found: re.Match[str]) -> str:
    weight = (found["weight"] or "").strip()
    bold = f"font-weight: {weight}; " if weight not in ("", "normal", "400") else ""
    return f"{bold}font-size: {found['size']}"


def _follow(colour: str, colours: Mapping[str, str]) -> str:
    variable = colours.get(colour.lower())
    return colour if variable is None else f"var({variable})"
