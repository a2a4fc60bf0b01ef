"""The codec: where values lie, what is kept verbatim, what errors say, and how long it takes."""

from __future__ import annotations

import time
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from qcaps.domainxml.codec import (
    CHILD,
    FLAG,
    LAST,
    ON_OFF,
    TEXT,
    Choose,
    Element,
    Hex,
    Name,
    Read,
    Show,
    XmlError,
    evolve,
    number,
    read,
    write,
    xml_names,
)
from qcaps.domainxml.devices import Devices, Disk
from qcaps.domainxml.element import Node, line_of


class Leaf(Element):
    TAG: ClassVar[str] = "leaf"
    TYPE: ClassVar[str] = "plain"
    type: Literal["plain"] | None = None
    text: Annotated[str, TEXT] | None = None
    child: Leaf | None = None


class Bud(Element):
    TAG: ClassVar[str] = "leaf"
    TYPE: ClassVar[str] = "bud"
    type: Literal["bud"]
    colour: str


def _by_colour(node: Node) -> type[Element]:
    return Bud if node.get("colour") else Leaf


def _even(text: str) -> int:
    if (value := number(text)) % 2:
        raise ValueError(f"{value} is odd")
    return value


class Base(Element):
    shared: Annotated[str, CHILD] | None = None


class Plant(Base):
    TAG: ClassVar[str] = "plant"
    name: str
    height: int | None = None
    code: Annotated[int, Hex(4)] | None = None
    wet: bool | None = None
    lit: Annotated[bool, ON_OFF] | None = None
    renamed: Annotated[str, Name("re-named")] | None = None
    even: Annotated[int, Read(_even), Show("<{}>".format)] | None = None
    kind: Literal["tree", "bush"] = "tree"
    late: Annotated[Leaf, LAST, Name("late")] | None = None
    note: Annotated[str, CHILD] | None = None
    dead: Annotated[bool, FLAG] = False
    chosen: Annotated[Leaf | Bud, Choose(_by_colour)] | None = None
    typed: Leaf | Bud | None = None
    many: tuple[Leaf, ...] = ()
    first: Annotated[Leaf, Name("twin")] | None = None
    second: Annotated[Leaf, Name("twin")] | None = None

    def refusal(self) -> str:
        return "a wet plant cannot be lit" if self.wet and self.lit else ""


def _plant(text: str) -> Plant:
    return read(Plant, etree.fromstring(text))


def test_values_are_found_where_they_are_declared() -> None:
    plant = _plant(
        "<plant name='oak' height='12' code='0x1f' wet='no' lit='on' re-named='x' kind='bush'>"
        "<note>n</note><dead/><typed type='bud' colour='red'/><chosen>t</chosen><leaf/><leaf>two</leaf>"
        "<twin>1</twin><twin>2</twin><shared>s</shared></plant>"
    )
    assert (plant.name, plant.height, plant.code, plant.wet, plant.lit) == ("oak", 12, 31, False, True)
    assert (plant.renamed, plant.kind, plant.note, plant.dead, plant.shared) == ("x", "bush", "n", True, "s")
    assert isinstance(plant.typed, Bud)
    assert isinstance(plant.chosen, Leaf)
    assert [leaf.text for leaf in plant.many] == [None, "two"]
    assert plant.first is not None
    assert plant.second is not None
    assert (plant.first.text, plant.second.text) == ("1", "2")


def test_own_fields_are_written_before_shared_ones_and_last_ones_after() -> None:
    plant = _plant("<plant name='a'><late/><shared>s</shared><note>n</note></plant>")
    assert write(plant) == ("<plant name='a'>\n  <note>n</note>\n  <shared>s</shared>\n  <late/>\n</plant>\n")


def test_only_what_is_set_is_written() -> None:
    assert write(_plant("<plant name='a'/>")) == "<plant name='a'/>\n"
    assert write(Plant(name="a")) == "<plant name='a' kind='tree'/>\n"
    assert Plant(name="a") == _plant("<plant name='a'/>")


def test_numbers_are_spelt_as_declared() -> None:
    assert write(_plant("<plant name='a' code='9' even='4'/>")) == (
        "<plant name='a' code='0x0009' even='<4>'/>\n"
    )


def test_indent_and_tag_can_be_given() -> None:
    assert write(Leaf(text="x"), "other", "    ") == "    <other>x</other>\n"


def test_text_beside_children_survives() -> None:
    text = "<leaf>words<child><child/>\n</child>\n</leaf>"
    leaf = read(Leaf, etree.fromstring(text))
    again = read(Leaf, etree.fromstring(write(leaf)))
    assert leaf.text == again.text == "words"
    assert leaf == again
    assert leaf.child is not None
    assert leaf.child.child is not None


def test_text_is_kept_to_the_letter_but_layout_is_no_text() -> None:
    assert read(Leaf, etree.fromstring("<leaf> a\n b </leaf>")).text == " a\n b "
    assert read(Leaf, etree.fromstring("<leaf>\n  <child/>\n</leaf>")).text is None


_XML_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r&<>'\"")
)


@given(value=_XML_TEXT, text=_XML_TEXT.filter(lambda text: bool(text.strip())))
def test_any_characters_survive(value: str, text: str) -> None:
    plant = Plant(name=value, note=text, many=(Leaf(text=text),))
    assert read(Plant, etree.fromstring(write(plant).encode())) == plant


def test_newlines_in_attributes_are_written_as_references() -> None:
    assert write(Plant(name="a\n'&'")) == "<plant name='a&#10;&apos;&amp;&apos;' kind='tree'/>\n"


def test_what_is_not_declared_is_kept_with_its_namespace() -> None:
    text = (
        "<plant xmlns:e='urn:e' xmlns:unused='urn:unused' name='a' odd='1' e:far='2' xml:lang='de'>"
        "<e:more e:x='1'>t<deep/></e:more><note>n</note><strange y='&amp;'/></plant>"
    )
    plant = _plant(text)
    assert dict(plant.unknown_attributes) == {
        "odd": "1",
        "{urn:e}far": "2",
        "{http://www.w3.org/XML/1998/namespace}lang": "de",
    }
    assert plant.unknown_children == (
        b'<e:more xmlns:e="urn:e" e:x="1">t<deep/></e:more>',
        b'<strange y="&amp;"/>',
    )
    again = _plant(write(plant))
    assert again == plant


def test_comments_are_dropped() -> None:
    assert write(_plant("<plant name='a'><!-- no --><note>n</note></plant>")).count("--") == 0


def test_of_two_single_children_the_first_counts() -> None:
    plant = _plant("<plant name='a'><note>1</note><note>2</note><late>1</late><late>2</late></plant>")
    assert plant.note == "1"
    assert plant.late is not None
    assert plant.late.text == "1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<plant/>", "line 1: /plant: attribute name is missing"),
        ("<plant name='a'\n height='x'/>", "line 2: /plant: attribute height: 'x' is not a number"),
        ("<plant name='a' wet='on'/>", "/plant: attribute wet: 'on' is not one of no, yes"),
        ("<plant name='a' lit='yes'/>", "attribute lit: 'yes' is not one of off, on"),
        ("<plant name='a' kind='fern'/>", "attribute kind: 'fern' is not one of bush, tree"),
        ("<plant name='a' even='3'/>", "attribute even: 3 is odd"),
        ("<plant name='a' wet='yes' lit='on'/>", "/plant: a wet plant cannot be lit"),
        (
            "<plant name='a'>\n<leaf/>\n<leaf><child type='no'/></leaf></plant>",
            "line 3: /plant/leaf[2]/child: ",
        ),
        ("<plant name='a'>\n\n<typed type='x'/></plant>", "line 3: /plant/typed: type 'x' is unknown; "),
        ("<plant name='a'><typed/></plant>", "attribute type is missing; it is one of bud, plain"),
        ("<plant name='a'><typed type='bud'/></plant>", "/plant/typed: attribute colour is missing"),
    ],
)
def test_errors_name_line_path_and_reason(text: str, why: str) -> None:
    with pytest.raises(XmlError) as caught:
        _plant(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_wrong_value_is_cut() -> None:
    with pytest.raises(XmlError) as caught:
        _plant(f"<plant name='a' height='{'9' * 5000}'/>")
    assert len(str(caught.value)) < 200


def test_lines_are_right_beyond_what_libxml2_holds() -> None:
    count = 20_000
    block = "<disk>\n  <target dev='sda'/>\n  <readonly/><shareable/>\n</disk>\n"
    devices = read(Devices, etree.fromstring(f"<devices>\n{block * count}</devices>"))
    assert [device.line for device in devices.all] == [2 + 4 * index for index in range(count)]
    disk = devices.all[-1]
    assert isinstance(disk, Disk)
    assert disk.target is not None
    assert disk.target.line == disk.line + 1 > 65535


def test_lines_without_text_between_are_right_too() -> None:
    root = etree.fromstring("<a>" + "\n" * 70_000 + "<b><c/><d><e/></d></b><f/>\n<g/>" + "</a>")
    assert [line_of(node) for node in root.iter()] == [1, 70_001, 70_001, 70_001, 70_001, 70_001, 70_002]


def test_evolve_changes_a_copy() -> None:
    plant = _plant("<plant name='a' height='1'/>")
    taller = evolve(plant, height=2)
    assert (plant.height, taller.height, taller.name, taller.line) == (1, 2, "a", plant.line)


def test_xml_names_are_the_child_elements() -> None:
    assert xml_names(Plant) == {"late", "note", "dead", "chosen", "typed", "leaf", "twin", "shared"}


def test_reading_takes_time_in_proportion() -> None:
    block = "<disk><source file='/a'/><target dev='sda' bus='scsi'/><address type='drive' unit='1'/></disk>"

    def seconds(count: int) -> float:
        root = etree.fromstring(f"<devices>{block * count}</devices>")
        spans = []
        for _ in range(3):
            start = time.process_time()
            read(Devices, root)
            spans.append(time.process_time() - start)
        return min(spans)

    seconds(10)  # compiles the readers
    assert seconds(8_000) < 16 * seconds(1_000)  # eight would be exact; a quadratic reader needs 64
