"""What a user names, as domains: files, folders, standard input, scenarios."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from qcaps.content import ContentFolders
from qcaps.errors import QcapsError, UsageError
from qcaps.guest import FromFile, FromScenario, _standard_input, resolve, resolve_all
from qcaps.measure.domains import named
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUEST = """\
<domain type='qemu' id='7'>
  <name>g</name>
  <memory>65536</memory>
  <os><type arch='{arch}' machine='pc'>hvm</type></os>
  <devices>
    <graphics type='vnc' passwd='secret'/>
  </devices>
  <seclabel type='dynamic' model='dac'><label>+64055:+64055</label></seclabel>
</domain>
"""
X86 = GUEST.format(arch="x86_64")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "web.xml"
    path.write_text(X86)
    return path


@pytest.fixture(autouse=True)
def _no_standard_input_of_another_test() -> Iterator[None]:
    _standard_input.cache_clear()
    yield
    _standard_input.cache_clear()


def refused(name: str, grow: str = "") -> str:
    with pytest.raises(QcapsError) as raised:
        resolve(name, grow=grow)
    line = str(raised.value)
    assert "\n" not in line
    return line


def test_a_scenario_is_as_the_scenario_says() -> None:
    (one,) = resolve("disks@pc")
    itself = scenario("disks@pc")
    assert (one.name, one.arch, one.steps) == ("disks@pc", itself.arch, itself.steps)
    assert one.xml(3, 1) == itself.xml(3, 1)
    assert one.digest(3) != one.digest(4)
    assert isinstance(one, FromScenario)


def test_a_file_is_its_text_and_its_hash_that_of_sha256sum(file: Path) -> None:
    (one,) = resolve(str(file))
    assert (one.name, one.arch, one.steps, one.origin) == ("web", "x86_64", (0,), str(file))
    assert one.xml(0) == X86
    assert one.digest(0) == hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    with pytest.raises(UsageError, match="--grow"):
        one.xml(1)


def test_sources_are_values_that_do_not_print_the_xml(file: Path) -> None:
    (one,) = resolve(str(file))
    assert resolve(str(file)) == (one,)
    assert "secret" not in repr(one)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  # our own


def test_a_size_that_a_guest_does_not_grow_to_is_told_with_the_size_that_it_does(file: Path) -> None:
    domains, (as_it_is,) = named([str(file)])
    assert domains.beyond([(as_it_is, 5), ("disks", 900)]) == ()
    domains, (name,) = named([str(file)], grow="disks")
    assert domains.beyond([(name, 0), (name, 4)]) == ()
    (line,) = domains.beyond([(name, 700), (name, 900), ("disks", 900)])
    assert re.match(r"--grow disks: takes \d+ more and no \d+: .", line)


def test_a_grown_file_has_the_familys_steps_as_far_as_they_fit(file: Path) -> None:
    (one,) = resolve(str(file), grow="usb")
    assert one.name == "web+usb"
    assert one.steps == (0, 1, 4, 16, 64)
    assert one.xml(0) == X86
    assert one.digest(0) == resolve(str(file))[0].digest(0)
    assert one.xml(2).count("<input") == 2
    assert one.digest(2) not in (one.digest(0), one.digest(1))


def test_a_file_without_an_architecture_is_this_hosts(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(X86.replace("arch='x86_64' ", ""))
    assert resolve(str(path))[0].arch == os.uname().machine


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(X86.encode())))
    assert resolve("-") == resolve("-")
    (one,) = resolve("-")
    assert (one.name, one.xml(0)) == ("stdin", X86)


def test_standard_input_that_is_no_domain_or_closed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert "no standard input" in refused("-")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert refused("-") == "standard input:1: is empty; expected <domain>"


def test_a_scenarios_name_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("disks", "disks.xml", "mine"):
        (tmp_path / name).write_text(X86)
    assert isinstance(resolve("disks")[0], FromScenario)
    assert [resolve(name)[0].name for name in ("./disks", "disks.xml", "mine")] == [
        "disks.xml",
        "disks.xml",
        "mine",
    ]
    assert all(isinstance(resolve(name)[0], FromFile) for name in ("./disks", "disks.xml", "mine"))


def test_a_folder_is_its_files_in_order_and_a_bad_one_drops_no_other(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text(X86)
    (tmp_path / "a.xml").write_text(X86)
    (tmp_path / "c.xml").write_text("<network/>")
    (tmp_path / "d.xml").mkdir()
    os.mkfifo(tmp_path / "e.xml")
    (tmp_path / ".f.xml").write_text(X86)
    (tmp_path / "g.txt").write_text(X86)
    sources = resolve(str(tmp_path))
    assert [one.name for one in sources] == ["a", "b", "c", "e"]
    assert [bool(one.refusal) for one in sources] == [False, False, True, True]
    assert sources[2].refusal == f"{tmp_path}/c.xml:1: <network> is no <domain>, as virsh dumpxml gives"
    for call in (sources[2].xml, sources[2].digest):
        with pytest.raises(QcapsError, match="is no <domain>"):
            call(0)
    grown = resolve(str(tmp_path), grow="disks")
    assert [one.name for one in grown][:2] == ["a+disks", "b+disks"]


def test_a_folder_without_a_domain_is_refused(tmp_path: Path) -> None:
    assert refused(str(tmp_path)) == f"{tmp_path}: holds no *.xml file: name a folder of domains, or a file"
    (tmp_path / "a.xml").write_text("<network/>")
    assert "none of its 1 *.xml is a domain" in refused(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ":1: is empty"),
        ("no xml", ":1: is not XML"),
        ("<domain>\n<a>\n</domain>", ":3: is not XML"),
        ("<domainsnapshot>\n</domainsnapshot>", ":1: <domainsnapshot> is no <domain>"),
        ("\n\n<domstatus/>", ":3: <domstatus> is no <domain>"),
        ("<!DOCTYPE d [<!ENTITY e 'x'>]><domain>&e;</domain>", ":1: has a document type"),
        ("<?xml version='1.0' encoding='klingon'?><domain/>", ":1: is not XML"),
        ("<domain>" + " " * (10 << 20) + "</domain>", ":1: is larger than 10 MiB"),
    ],
)
def test_what_is_no_domain_is_one_line_with_file_and_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    assert refused(str(path)).startswith(f"{path}{why}")


def test_what_would_block_or_act_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
    monkeypatch.setattr("os.open", lambda *_: pytest.fail("opened"))
    assert "is a pipe, not a file: hand it in on standard input, as -" in refused(f"{tmp_path}/pipe")
    assert "is a socket, not a file" in refused(f"{tmp_path}/socket")
    assert "is a device, not a file" in refused("/dev/zero")


@pytest.mark.parametrize("name", ["", "nothing", "no/such.xml", "guest.xml", "a\0b", "disks@z", "x" * 5000])
def test_what_is_not_there_is_named(name: str) -> None:
    refused(name)


def test_a_file_that_may_not_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", deny)
    assert refused(str(file)) == f"{file}: cannot be read: Permission denied"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "utf-16"])
def test_other_encodings_become_text_without_a_declaration(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.xml"
    said = encoding.removesuffix("-sig")
    text = f"<?xml version='1.0' encoding='{said}'?>\n<domain>\n  <title>Zoë</title>\n</domain>"
    path.write_bytes(text.encode(encoding))
    (one,) = resolve(str(path))
    assert "<title>Zoë</title>" in one.xml(0)
    assert "<?xml" not in one.xml(0)
    assert one.digest(0) == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    (grown,) = resolve(str(path), grow="disks")
    assert "<title>Zoë</title>" in grown.xml(1)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("my guest (2)", "my-guest-2"),
        ("a\nb\x1b[31mc", "a-b-31mc"),
        ("\u202egpj", "gpj"),
        ("a@b+c", "a-b-c"),
        ("…", "guest"),
        ("gäst", "gäst"),
        ("x" * 100, f"{'x' * 29}..{'x' * 29}"),
    ],
)
def test_names_are_fit_for_a_cell(tmp_path: Path, stem: str, name: str) -> None:
    path = tmp_path / f"{stem}.xml"
    path.write_text(X86)
    (one,) = resolve(str(path))
    assert one.name == name
    assert len(resolve(str(path), grow="s390x-ccw")[0].name) <= 60


def test_no_two_have_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/web.xml", "b/web.xml", "a b.xml", "a-b.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(X86)
    sources = resolve_all(["disks", "a/web.xml", "b/web.xml", "a b.xml", "a-b.xml", "a/web.xml"])
    assert [one.name for one in sources] == ["disks", "a-web", "b-web", "a-b", "a-b-2", "a-web-2"]


def test_a_family_must_be_there_and_needs_a_file(file: Path) -> None:
    assert "did you mean 'disks'" in refused(str(file), grow="diskss")
    assert "the machine is the guest's own: disks" in refused(str(file), grow="disks@pc")
    assert "grows by itself" in refused("disks", grow="nics")


def test_the_users_own_scenarios_are_families_too(tmp_path: Path, file: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "rngs.py").write_text(
        "SUMMARY = 'rngs'\nLARGEST = {'q35': 3}\n"
        "def devices(n, machine, random):\n"
        "    yield from [\"<rng model='virtio'><backend model='random'/></rng>\"] * n\n"
    )
    content = ContentFolders(tmp_path)
    assert resolve("rngs", content)[0].xml(2).count("<rng") == 2
    (one,) = resolve(str(file), content, grow="rngs")
    assert one.xml(2).count("<rng") == 2
