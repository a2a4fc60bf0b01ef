"""Hostile text becomes one line; whatever is read survives being written."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from qcaps.domainxml import document
from qcaps.domainxml.codec import Element, XmlError, read
from qcaps.domainxml.document import DomainError, load, parse
from qcaps.domainxml.domain import Domain
from qcaps.domainxml.element import fields_of
from qcaps.domainxml.plan import Field, _plain, plan_of
from qcaps.errors import QcapsError
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "<domain type='kvm'>\n<name>x</name>\n<os><type>hvm</type></os>\n"


def _domain(inside: str = "") -> bytes:
    return f"{HEAD}{inside}</domain>".encode()


BOMB = b"""<!DOCTYPE domain [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<domain type='kvm'><name>&c;</name></domain>"""

HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 1, "is empty"),
    "blank": (b" \n ", 1, "is empty"),
    "not XML": (b"hello", 1, "is not XML"),
    "cut off": (b"<domain type='kvm'>\n<name>", 2, "is not XML"),
    "two roots": (_domain() + b"\n<domain/>", 5, "is not XML"),
    "wrong root": (b"\n<network><name>x</name></network>", 2, "/network: is not <domain>"),
    "foreign namespace": (b"<domain xmlns='urn:x' type='kvm'><name>x</name></domain>", 1, "is not <domain>"),
    "entity bomb": (BOMB, 1, "document type"),
    "entity bomb in an attribute": (BOMB.replace(b"<name>&c;", b"<name a='&c;'>"), 1, "document type"),
    "external entity": (
        b"<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>\n<domain><name>&x;</name></domain>",
        1,
        "document type",
    ),
    "external subset": (b"<!DOCTYPE d SYSTEM 'http://127.0.0.1:1/x.dtd'>\n" + _domain(), 1, "document type"),
    "unknown entity": (_domain("<title>&nbsp;</title>"), 4, "is not XML"),
    "bad UTF-8": (_domain().replace(b"<name>x", b"<name>\xff\xfe"), 2, "is not XML"),
    "unknown encoding": (b"<?xml version='1.0' encoding='no-such'?>\n<domain/>", 1, "is not XML"),
    "NUL": (_domain().replace(b"<name>x", b"<name>\x00"), 2, "is not XML"),
    "NUL reference": (_domain("<title>&#0;</title>"), 4, "is not XML"),
    "too deep": (_domain("<metadata>" + "<a>" * 300 + "</a>" * 300 + "</metadata>"), 4, "is not XML"),
    "no name": (b"<domain type='kvm'/>", 1, "<name> is missing"),
    "empty name": (_domain().replace(b">x<", b"><"), 1, "/domain: <name> is missing"),
    "no type": (_domain().replace(b" type='kvm'", b""), 1, "/domain: attribute type is missing"),
    "unknown type": (_domain().replace(b"'kvm'", b"'kvmm'"), 1, "attribute type: 'kvmm'"),
    "no os type": (_domain().replace(b"<type>hvm</type>", b""), 1, "an os <type>"),
    "unknown os type": (_domain().replace(b"hvm", b"hvx"), 3, "/domain/os/type: 'hvx'"),
    "unknown architecture": (_domain().replace(b"<type>", b"<type arch='vax'>"), 3, "attribute arch: 'vax'"),
    "bad uuid": (_domain("<uuid>c7a5-</uuid>"), 4, "/domain/uuid: 'c7a5-' is not a UUID"),
    "negative memory": (_domain("<memory>-1</memory>"), 4, "/domain/memory: -1 is not between"),
    "memory in words": (_domain("<memory>much</memory>"), 4, "/domain/memory: 'much'"),
    "memory with a fraction": (_domain("<memory>1.5</memory>"), 4, "/domain/memory: '1.5'"),
    "memory without end": (_domain("<memory unit='EiB'>8</memory>"), 4, "/domain/memory: 8 EiB is too large"),
    "huge memory": (_domain(f"<memory>{'9' * 400}</memory>"), 4, "/domain/memory"),
    "unknown unit": (_domain("<maxMemory unit='KX'>8</maxMemory>"), 4, "attribute unit: 'kx'"),
    "limit too large": (_domain("<memtune>\n<soft_limit unit='E'>9</soft_limit></memtune>"), 5, "soft_limit"),
    "tseg too large": (
        _domain("<features><smm><tseg>18446744073709551615</tseg></smm></features>"),
        4,
        "tseg",
    ),
    "no number of CPUs": (_domain("<vcpu>two</vcpu>"), 4, "/domain/vcpu: 'two'"),
    "CPU set": (_domain("<vcpu cpuset='0-3,^'>4</vcpu>"), 4, "attribute cpuset: '0-3,^'"),
    "node set": (_domain("<numatune>\n<memory nodeset='4-0'/></numatune>"), 5, "attribute nodeset: '4-0'"),
    "lifecycle": (_domain("<on_crash>explode</on_crash>"), 4, "/domain/on_crash: 'explode'"),
    "yes for on": (_domain("<features><pmu state='yes'/></features>"), 4, "attribute state: 'yes'"),
    "unknown feature": (
        _domain("<features><acpi/>\n<warp/></features>"),
        5,
        "/domain/features/warp: is no word",
    ),
    "unknown enlightenment": (_domain("<features><hyperv><warp state='on'/></hyperv></features>"), 4, "warp"),
    "two genids": (_domain("<genid/>\n<genid/>"), 5, "may appear only once"),
    "cell without memory": (
        _domain("<cpu><numa><cell cpus='0'/></numa></cpu>"),
        4,
        "attribute memory is missing",
    ),
    "cells with a gap": (
        _domain("<cpu><numa><cell id='1' memory='1'/></numa></cpu>"),
        4,
        "/domain/cpu/numa: the cells must be numbered",
    ),
    "cells that share": (
        _domain("<cpu><numa><cell cpus='0-1' memory='1'/><cell cpus='1' memory='1'/></numa></cpu>"),
        4,
        "a CPU in common",
    ),
    "no cells": (_domain("<cpu><numa/></cpu>"), 4, "there is no <cell>"),
    "few retries": (
        _domain("<features><hyperv><spinlocks state='on' retries='4094'/></hyperv></features>"),
        4,
        "at least 4095",
    ),
    "no vendor": (
        _domain("<features><hyperv><vendor_id state='on'/></hyperv></features>"),
        4,
        "value is missing",
    ),
    "long vendor": (
        _domain("<features><hyperv><vendor_id state='on' value='0123456789abc'/></hyperv></features>"),
        4,
        "longer than 12",
    ),
    "odd ring": (
        _domain("<features><kvm><dirty-ring state='on' size='1000'/></kvm></features>"),
        4,
        "power of two",
    ),
    "vendor alone": (_domain("<cpu><vendor>Intel</vendor></cpu>"), 4, "<vendor> needs a <model>"),
    "feature alone": (_domain("<cpu><feature name='vmx'/></cpu>"), 4, "<feature> needs a <model>"),
    "feature twice": (
        _domain("<cpu mode='host-model'><feature name='vmx'/><feature name='vmx'/></cpu>"),
        4,
        "named twice",
    ),
    "short vendor_id": (
        _domain("<cpu mode='host-model'><model vendor_id='Intel'/></cpu>"),
        4,
        "must have 12 characters",
    ),
    "migratable model": (_domain("<cpu migratable='on'/>"), 4, "migratable needs"),
    "level four": (_domain("<cpu><cache level='4' mode='emulate'/></cpu>"), 4, "must be 1, 2 or 3"),
    "no priority": (
        _domain("<cputune><emulatorsched scheduler='rr'/></cputune>"),
        4,
        "attribute priority is missing",
    ),
    "no timezone": (_domain("<clock offset='timezone'/>"), 4, "timezone is missing"),
    "no start": (_domain("<clock offset='absolute'/>"), 4, "start is missing"),
    "adjustment": (_domain("<clock offset='utc' adjustment='soon'/>"), 4, "attribute adjustment"),
    "dynamic label": (_domain("<seclabel type='dynamic' relabel='no'/>"), 4, "relabel='yes'"),
    "no label": (_domain("<seclabel type='static' model='dac'/>"), 4, "<label> is missing"),
    "relabelled none": (_domain("<seclabel type='none' relabel='yes'/>"), 4, "cannot be relabelled"),
    "cipher twice": (_domain("<keywrap>" + "<cipher name='aes' state='on'/>" * 2 + "</keywrap>"), 4, "twice"),
    "SEV without a policy": (_domain("<launchSecurity type='sev'/>"), 4, "<policy> is missing"),
    "two attributes": (_domain("<cpu mode='custom' mode='custom'/>"), 4, "is not XML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    data, line, why = HOSTILE[case]
    path = tmp_path / "bad.xml"
    path.write_bytes(data)
    with pytest.raises(DomainError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert why in message
    assert message.isprintable()
    assert len(message) < 600
    assert isinstance(caught.value, QcapsError)


def test_an_entity_bomb_costs_nothing() -> None:
    levels = "".join(f"<!ENTITY e{n + 1} '{f'&e{n};' * 20}'>" for n in range(20))
    bomb = f"<!DOCTYPE d [<!ENTITY e0 'x'>{levels}]><domain type='&e20;'><name>&e20;</name></domain>"
    began = time.process_time()
    with pytest.raises(DomainError):
        parse(bomb.encode())
    assert time.process_time() - began < 2  # 20^20 characters would never end


@pytest.mark.parametrize("name", ["missing.xml", ".", "bad\nname.xml", "nul\0.xml"])
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="file: cannot be read: ") as caught:
        load(tmp_path / name)
    assert str(caught.value).isprintable()


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.xml"
    path.write_bytes(_domain())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything, so be nobody for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(DomainError, match="cannot be read: Permission denied"):
            load(path)
    finally:
        os.seteuid(user)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    path.write_bytes(_domain("<title>" + "x" * 5000 + "</title>"))
    assert load(path).name == "x"
    with pytest.raises(DomainError, match="larger than 1000 bytes"):
        load(path, max_bytes=1000)


def test_comments_and_processing_instructions_are_dropped() -> None:
    domain = parse(
        _domain("<!-- a --><metadata><?pi x?><!-- b --><a/></metadata><title>o<!-- c -->ne</title>")
    )
    assert domain.title == "one"
    assert domain.unknown_children == (b"<metadata><a/></metadata>",)


def test_the_word_doctype_in_a_comment_is_no_document_type() -> None:
    assert (
        parse(_domain("<!-- <!DOCTYPE d> --><title><![CDATA[<!DOCTYPE d>]]></title>")).title == "<!DOCTYPE d>"
    )


def test_other_encodings_are_read() -> None:
    text = "<?xml version='1.0' encoding='{}'?>" + _domain("<title>é</title>").decode()
    for encoding in ("UTF-16", "ISO-8859-1"):
        assert parse(text.format(encoding).encode(encoding)).title == "é"


def test_verbatim_parts_keep_their_namespaces() -> None:
    text = _domain("<metadata><a:b xmlns:a='urn:a' a:c='d'>\n  <a:e/>x</a:b></metadata>").replace(
        b"<domain", b"<domain xmlns:z='urn:z' z:attribute='1' xml:lang='en'"
    )
    domain = parse(text)
    assert domain.unknown_attributes == (
        ("{urn:z}attribute", "1"),
        ("{http://www.w3.org/XML/1998/namespace}lang", "en"),
    )
    assert parse(document.format(domain).encode()) == domain


# ── size ───────────────────────────────────────────────────────────────────────────────────────────

DISK = "<disk type='file' device='disk'><source file='/x'/><target dev='vd{0}' bus='virtio'/></disk>\n"


def _seconds(inside: str) -> float:
    data = _domain(inside)
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        parse(data)
        best = min(best, time.process_time() - began)
    return best


def _disks(count: int) -> str:
    return "<devices>" + "".join(DISK.format(n) for n in range(count)) + "</devices>"


def _strangers(count: int) -> str:
    return "<stranger/>" * count


@pytest.mark.parametrize("many", [_disks, _strangers])
def test_reading_is_linear(many: Any) -> None:
    small, large = _seconds(many(5_000)), _seconds(many(20_000))
    assert large < 10 * small  # four times as much; quadratic would be sixteen


def test_lines_past_65535_are_named() -> None:
    with pytest.raises(DomainError, match="<string>:70004: /domain/vcpu"):
        parse(_domain("\n" * 70_000 + "<vcpu>x</vcpu>"))


# ── random domains ─────────────────────────────────────────────────────────────────────────────────

WORDS = (
    "yes",
    "no",
    "on",
    "off",
    "0",
    "1",
    "7",
    "4096",
    "0-3",
    "0x1f",
    "KiB",
    "0" * 32,
    "a,b",
    "é'<>&\"",
    " \t\n\r x ",
)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
)


def _accepted(cls: type[Element], item: Field) -> list[str]:
    """Words that the field takes."""
    hint = _plain(get_type_hints(cls, include_extras=True)[item.field], [])
    pool = get_args(hint) if get_origin(hint) is Literal else WORDS
    return [word for word in pool if not _refuses(item, word)]


def _refuses(item: Field, word: str) -> bool:
    try:
        item.parse(word)
    except ValueError:
        return True
    return False


def _scalar(draw: Any, cls: type[Element], item: Field) -> str:
    hint = _plain(get_type_hints(cls, include_extras=True)[item.field], [])
    if hint is str and item.parse is str and draw(st.booleans()):
        return str(draw(TEXTS))
    return str(draw(st.sampled_from(_accepted(cls, item))))


def _element(draw: Any, cls: type[Element], tag: str) -> etree._Element:  # noqa: C901  # one case a kind
    node = etree.Element(tag)
    for item in filter(None, (one.under(DEFAULT) for one in plan_of(cls))):
        if not item.required and draw(st.integers(0, 3)):
            continue
        match item.kind:
            case "attribute":
                node.set(item.name, _scalar(draw, cls, item))
            case "text":
                node.text = _scalar(draw, cls, item)
            case "child text":
                etree.SubElement(node, item.name).text = _scalar(draw, cls, item)
            case "flag":
                etree.SubElement(node, item.name)
            case "element" if item.name == "devices":
                continue  # they have tests of their own
            case "element":
                node.extend(_sound(draw, item.members[0], item.name))
            case "elements":
                for member in draw(st.lists(st.sampled_from(item.members), max_size=2)):
                    node.extend(_sound(draw, member, member.TAG))
    if cls.TAG == "domain" and draw(st.booleans()):
        node.append(etree.fromstring("<q:x xmlns:q='urn:q' q:a='1'>t<q:y/>u</q:x>"))
        node.set("stranger", draw(TEXTS))
    return node


def _sound(draw: Any, cls: type[Element], tag: str) -> list[etree._Element]:
    """An element, or none where the words drawn exclude each other."""
    node = _element(draw, cls, tag)
    try:
        read(cls, node)
    except XmlError:
        return []
    return [node]


@st.composite
def _domains(draw: Any) -> bytes:
    root = _element(draw, Domain, "domain")
    found = root.find("name")
    assert found is not None
    found.text = "x"
    os_type = root.find("os/type")
    if os_type is None or not os_type.text:
        etree.SubElement(root, "bootloader").text = "/b"
    return etree.tostring(root)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(_domains())
def test_random_domains_survive_a_round_trip(data: bytes) -> None:
    try:
        domain = parse(data)
    except DomainError as error:
        # a word that is right alone and wrong beside another, such as a number too large for its unit
        assert re.search("too large|only once|os <type>", str(error)), error  # noqa: PT017
        return
    written = document.format(domain)
    assert parse(written.encode()) == domain
    assert document.format(parse(written.encode())) == written


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_random_bytes_are_read_or_refused(noise: bytes, place: int) -> None:
    sound = _domain("<memory unit='KiB'>1</memory><vcpu cpuset='0-3'>4</vcpu>")
    for data in (noise, sound[:place] + noise + sound[place:]):
        try:
            parse(data)
        except DomainError as error:
            assert str(error).isprintable()  # noqa: PT017


# ── a corpus of libvirt's own domains, where one is at hand ────────────────────────────────────────

CORPUS = os.environ.get("QCAPS_CORPUS")
corpus = pytest.mark.skipif(CORPUS is None, reason="QCAPS_CORPUS is not set")

UNMODELLED = {
    "domain/metadata",  # belongs to the applications; libvirt copies it as it is
    "domain/commandline",  # without QEMU's namespace libvirt passes over it
    "domain/{qemu}commandline",  # read by qcaps.domainxml.namespace
    "domain/{qemu}capabilities",  # likewise
    "domain/{qemu}deprecation",  # what QEMU does about deprecated words; no lookup depends on it
    "domain/{qemu}override",  # properties handed through to QEMU as they are
    # what only a running guest has: a define passes over it, whatever it says
    "domain/@id",
    "domain/seclabel/imagelabel",
}


def _unknown(element: Element, path: str) -> Iterator[str]:
    yield from (f"{path}/@{key}" for key, _ in element.unknown_attributes)
    for raw in element.unknown_children:
        name = etree.fromstring(raw).tag
        yield f"{path}/{name.replace('http://libvirt.org/schemas/domain/qemu/1.0', 'qemu')}"
    for field in fields_of(type(element)):
        value = element.__dict__.get(field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Element) and field.name != "devices":
                yield from _unknown(one, f"{path}/{field.name}")


def _corpus(folder: str) -> list[Path]:
    assert CORPUS is not None
    files = sorted((Path(CORPUS) / folder).rglob("*.xml"))
    assert files
    return files


@corpus
def test_inputs_are_read_or_refused_and_survive() -> None:
    refused = 0
    unknown: Counter[str] = Counter()
    for path in _corpus("in"):
        try:
            domain = load(path)
        except DomainError as error:
            assert str(error).startswith(f"{path}:")  # noqa: PT017
            refused += 1
            continue
        unknown.update(_unknown(domain, "domain"))
        assert parse(document.format(domain).encode()) == domain, path
    assert set(unknown) <= UNMODELLED
    assert refused < 0.05 * len(_corpus("in"))


@corpus
def test_results_are_all_read_and_survive() -> None:
    for path in _corpus("defined"):
        domain = load(path)
        written = document.format(domain)
        assert parse(written.encode()) == domain, path
        assert document.format(parse(written.encode())) == written, path
