"""What is kept verbatim in any letters, and what is dropped: the XML saved is read as the same domain."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml import document
from qcaps.domainxml.namespace import QEMU, qemu_arguments
from qcaps.driver.domain_store import DomainStore, DomainStoreError
from qcaps.driver.driver import QemuDriver
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError
from qcaps.lookups.policy import by_name
from qcaps.measure.fidelity.truth import stand_in
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

FULL = bool(os.environ.get("QCAPS_TESTS_FULL"))
RICH = scenario("kitchen-sink").xml(1).encode()
PLACES = (
    ".", "metadata", "os", "cpu", "clock", "sysinfo", "sysinfo/bios", "memoryBacking", "cputune",
    "devices", "devices/disk", "devices/disk/source", "devices/disk/driver", "devices/interface",
    "devices/interface/model", "devices/controller", "devices/graphics", "devices/memballoon",
)  # fmt: skip
BASE = (
    b"<domain type='qemu'><name>x</name><memory>262144</memory><metadata/><vcpu>1</vcpu><memoryBacking/>"
    b"<cputune><shares>2</shares></cputune><sysinfo type='smbios'><bios/></sysinfo>"
    b"<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><cpu mode='maximum'/>"
    b"<clock offset='utc'/><devices><disk type='file'><driver name='qemu' type='raw'/><source file='/x'/>"
    b"<target dev='vda' bus='virtio'/></disk><interface type='user'><model type='virtio'/></interface>"
    b"<controller type='usb' model='qemu-xhci'/><graphics type='vnc'/><memballoon model='virtio'/></devices>"
    b"</domain>"
)
ELEMENTS = {
    "a name": "<café/>",
    "an attribute's name": "<a größe='1'/>",
    "an attribute's value": "<a b='é&#10;\U0001f600&lt;'/>",
    "a text": "<a>é&amp;\u2028\U0001f600</a>",
    "a comment": "<a><!-- é --><b/></a>",
    "a processing instruction": "<a><?é é?><b/></a>",
    "a prefix": "<ü:a xmlns:ü='urn:u' ü:é='1'><ü:b/></ü:a>",
    "a namespace": "<m:größe xmlns:m='urn:e'/>",
    "a namespace without a prefix": "<größe xmlns='urn:e'><b xmlns=''/></größe>",
    "other scripts": "<文字 文='字'><имя/></文字>",
    "depth": "<é><é><é é='é'>é</é></é></é>",
}
MANY = "<m:größe xmlns:m='urn:e'/>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def driver(folder: Path) -> QemuDriver:
    return reference(folder, policy="once", validity="trust")


def survives(driver: QemuDriver, folder: Path, data: bytes) -> str:
    """Defined, and the same after a restart; its XML."""
    driver.warm(data)
    done = driver.define(data)
    try:
        again = QemuDriver(DomainStore(folder / "domains"), driver.cache, driver.policy)
        (found,) = again.domains.values()
        assert found == done.domain
        assert document.format(found) == done.xml
        assert not again.start(found.name).xml
    finally:
        driver.undefine(done.domain.name)
    return done.xml


def into(place: str, text: str, base: bytes = BASE) -> bytes:
    root = etree.fromstring(base)
    node = root.find(place) if place != "." else root
    assert node is not None
    node.append(etree.fromstring(text))
    return etree.tostring(root, encoding="utf-8")


def encoded(root: etree._Element, encoding: str) -> bytes:
    """The document in `encoding`, which it declares."""
    return f"<?xml version='1.0' encoding='{encoding}'?>{etree.tostring(root, encoding='unicode')}".encode(
        encoding, "xmlcharrefreplace"
    )


@pytest.mark.parametrize("what", ELEMENTS)
def test_an_unknown_element_is_kept_in_metadata_alone(what: str, driver: QemuDriver, folder: Path) -> None:
    wanted = etree.fromstring(ELEMENTS[what], etree.XMLParser(remove_comments=True, remove_pis=True))
    for place in PLACES:
        data = into(place, ELEMENTS[what])
        if place == "metadata":  # where a namespace is a must
            data = into(place, f"<k:k xmlns:k='urn:k'>{ELEMENTS[what]}</k:k>")
        xml = etree.fromstring(survives(driver, folder, data))
        kept = [etree.tostring(one, method="c14n2", with_tail=False) for one in xml.iter(str(wanted.tag))]
        assert (etree.tostring(wanted, method="c14n2") in kept) == (place == "metadata"), place


def test_of_several_metadata_the_first_is_kept(driver: QemuDriver, folder: Path) -> None:
    second = "<metadata><k:k xmlns:k='urn:k'/></metadata>"
    assert "urn:k" not in survives(driver, folder, into(".", second))


@pytest.mark.parametrize("name", ["größe", "{urn:e}größe", "{urn:x&y'z}文", "{urn:a}a"])
def test_an_unknown_attribute_is_dropped(name: str, driver: QemuDriver, folder: Path) -> None:
    for place in PLACES:
        if place in (".", "metadata", "devices"):
            continue
        root = etree.fromstring(BASE)
        root.findall(place)[0].set(name, "é\n\t'\"<")
        xml = etree.fromstring(survives(driver, folder, etree.tostring(root, encoding="utf-8")))
        assert {one.get(name) for one in xml.findall(place)} <= {None}, place


def test_every_element_of_a_rich_domain_may_hold_strangers(driver: QemuDriver, folder: Path) -> None:
    """Kept or dropped or refused; what is defined is there after a restart."""
    root = etree.fromstring(RICH)
    nodes = list(root.iter(etree.Element))
    defined = 0
    for node in nodes if FULL else nodes[::3]:
        node.append(etree.fromstring("<größe é='é'><ü:b xmlns:ü='urn:e'/></größe>"))
        node.set("größe", "é")
        try:
            survives(driver, folder, etree.tostring(root, encoding="utf-8"))
            defined += 1
        except QcapsError:
            assert not driver.domains
        node.remove(node[-1])
        del node.attrib["größe"]
    assert defined > len(nodes) // 6


def test_a_number_with_strangers_in_it_is_written_once(driver: QemuDriver, folder: Path) -> None:
    data = BASE.replace(b">262144<", "><größe>26</größe>2<b/>144<".encode())
    xml = survives(driver, folder, data)
    assert "<memory unit='KiB'>262144</memory>" in xml


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-8", "us-ascii", "windows-1252"])
def test_other_encodings_are_saved_as_utf_8(encoding: str, driver: QemuDriver, folder: Path) -> None:
    names = "<a b='é'>é</a>" if encoding == "us-ascii" else "<größe é='é'>é</größe>"
    root = etree.fromstring(into("metadata", f"<k:k xmlns:k='urn:k'>{names}</k:k>"))
    xml = survives(driver, folder, encoded(root, encoding))
    assert names.replace("'", '"') in xml


def test_metadata_of_one_namespace_is_kept_once(driver: QemuDriver, folder: Path) -> None:
    xml = survives(driver, folder, into("metadata", MANY, into("metadata", MANY)))
    assert xml.count("größe") == 1


def test_only_metadata_is_kept_as_metadata(driver: QemuDriver, folder: Path) -> None:
    assert "metadata-of" not in survives(driver, folder, into(".", "<metadata-of-é><a/></metadata-of-é>"))


def test_qemu_s_own_namespace_may_have_any_prefix(driver: QemuDriver, folder: Path) -> None:
    data = into(".", f"<ü:commandline xmlns:ü='{QEMU}'><ü:arg value='é' é='é'/><ü:größe/></ü:commandline>")
    xml = survives(driver, folder, data)
    assert qemu_arguments(document.parse(xml.encode())) == ("é",)
    assert "größe" not in xml, "libvirt writes what it knows of that namespace"


def test_a_stand_in_keeps_the_letters() -> None:
    assert "<café/>" in stand_in(into("devices/disk", "<café/>"), "/qemu").decode()


# ── at random ──────────────────────────────────────────────────────────────────────────────────────

_FIRST = "_é文я\u00c0\u0370\u2c00\U00010000"
_NAMES = st.builds(lambda first, rest: first + rest, st.sampled_from(_FIRST), st.text("-.0·é文", max_size=4))
_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff").filter(
        lambda char: char in "\t\n\r" or char >= " "
    ),
    max_size=12,
)


@st.composite
def strangers(draw: st.DrawFn, depth: int = 2) -> etree._Element:
    """An element with attributes, texts, namespaces, comments and others inside, all in any letters."""
    spaces = draw(st.dictionaries(_NAMES, st.sampled_from(("urn:a", "urn:a&b'c", QEMU)), max_size=2))
    uris = [None, *spaces.values()]

    def named() -> str:
        uri, name = draw(st.sampled_from(uris)), draw(_NAMES)
        return name if uri is None else f"{{{uri}}}{name}"

    node = etree.Element(named(), nsmap=spaces)
    for _ in range(draw(st.integers(0, 2))):
        node.set(named(), draw(_TEXTS))
    node.text = draw(_TEXTS)
    for _ in range(draw(st.integers(0, 2)) if depth else 0):
        kind = draw(st.sampled_from(("element", "comment", "instruction")))
        if kind == "element":
            node.append(draw(strangers(depth - 1)))
        elif kind == "comment":
            node.append(etree.Comment(draw(_NAMES).replace("-", "é")))
        else:
            node.append(etree.ProcessingInstruction(draw(_NAMES), draw(_NAMES)))
        node[-1].tail = draw(_TEXTS)
    return node


@settings(max_examples=1000 if FULL else 80, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(PLACES), node=strangers(), encoding=st.sampled_from(("utf-8", "utf-16")))
def test_random_strangers_survive(
    driver: QemuDriver, folder: Path, place: str, node: etree._Element, encoding: str
) -> None:
    root = etree.fromstring(BASE)
    (root.find(place) if place != "." else root).append(node)  # it is there
    survives(driver, folder, encoded(root, encoding))


# ── what cannot be saved ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("letter", ["\x01", "\x1f", "\udc80", "\ufffe", "\uffff"])
def test_an_emulator_that_no_xml_can_name_is_refused(letter: str, folder: Path) -> None:
    given = snapshot("x86_64")
    driver = reference(folder, policy="once", validity="trust")
    odd = QemuDriver(driver.store, driver.cache, by_name("oracle"), emulator=f"/usr/bin/qemu{letter}")
    odd._handed = given.capabilities
    with pytest.raises(DomainStoreError, match="has a character that no XML file can hold") as caught:
        odd.define(BASE)
    assert str(caught.value).isprintable()
    assert not reference(folder, policy="once", validity="trust").domains


def test_what_is_too_large_to_be_read_again_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcaps.driver.domain_store.MOST_BYTES", 1000)
    store = DomainStore(tmp_path)
    with pytest.raises(DomainStoreError, match="more than 1000 bytes"):
        store.prepare("x", "<domain/>" + " " * 1000)
    assert [one.name for one in tmp_path.iterdir()] == [".lock"]
