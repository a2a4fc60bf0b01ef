"""`--release`: the libvirt whose rules and law the reference follows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.commands.naming import subjects_of
from qcaps.live.host.installation import find
from qcaps.lookups import libvirt_laws
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Results
from qcaps.release import R12_8, modelled, of_version
from qcaps.report.sources import from_results
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def guest(tmp_path: Path) -> str:
    path = tmp_path / "guest.xml"
    path.write_text(scenario("disks@q35").xml(2))
    return str(path)


@pytest.mark.parametrize(
    ("asked", "release", "lookups"),
    [(None, "12.8", 17), ("9.0", "9.0", 16), ("11.3", "11.3", 17), ("12.8.0", "12.8", 17)],
)
def test_a_define_follows_the_release(
    guest: str, capsys: Printed, asked: str | None, release: str, lookups: int
) -> None:
    words = [] if asked is None else ["--release", asked]
    assert main(["define", guest, "--json", *words]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["release"] == release
    (file,) = printed["files"]
    assert file["lookups"] == lookups
    assert ("model='itco'" in file["xml"]) == (lookups == 17)
    if release == "12.8":
        assert file["lookups"] == libvirt_laws.lookups("define", file["xml"], R12_8)


def test_a_start_and_its_explanation_follow_the_release(guest: str, capsys: Printed) -> None:
    assert main(["start", guest, "--release", "12.8", "--policy", "stock"]) == 0
    assert "1 lookups: process init 1" in capsys.readouterr().out
    assert main(["explain", guest, "--release", "12.8", "--policy", "stock"]) == 0
    printed = capsys.readouterr().out
    assert "validate device  watchdog" in printed
    assert "17 lookups in one define of libvirt 12.8 under 'stock'" in printed


@pytest.mark.parametrize("command", ["define", "start", "explain"])
@pytest.mark.parametrize("release", ["3.6", "4.0", "7.0", "1.2"])
def test_what_is_known_by_its_law_alone_is_refused_with_the_reason(
    guest: str, capsys: Printed, command: str, release: str
) -> None:
    assert main([command, guest, "--release", release]) == 2
    assert f"libvirt {release} is known by its law alone" in capsys.readouterr().err


def test_a_release_between_two_follows_the_older_and_says_so(guest: str, capsys: Printed) -> None:
    assert main(["define", guest, "--json", "--release", "99.1"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["release"] == "12.8"
    assert "warning: libvirt 99.1 is not known: the reference follows the rules of 12.8" in printed.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--release", "new"], "no release of libvirt: 'new'"),
        (["--release", "12.8", "--policy", "libvirt-9.0"], "ask for the policy stock"),
    ],
)
def test_a_release_that_cannot_be_is_a_line(guest: str, capsys: Printed, words: list[str], why: str) -> None:
    assert main(["define", guest, *words]) == 2
    assert why in capsys.readouterr().err


def test_what_is_measured_says_the_release_in_its_subject(tmp_path: Path, capsys: Printed) -> None:
    asked = ["run", "disks", "-n", "1", "--task", "define", "--validity", "trust", "--policy", "once"]
    asked += [
        "--pairs",
        "1",
        "--processes",
        "1",
        "--subject",
        "reference:9.0.0",
        "reference",
        "-o",
        str(tmp_path),
    ]
    assert main([*asked, "--json"]) == 0
    assert [one["subject"] for one in json.loads(capsys.readouterr().out)["speedups"]] == [
        "reference:9.0",
        "reference",
    ]
    found = results_file.read(tmp_path / "results.json").measured
    known = {one.cell.name: (one.counts.devices, one.runs[0].facts["release"]) for one in found}
    assert known == {
        "reference:9.0 disks/1 define trust naive": (12, "9.0"),
        "reference:9.0 disks/1 define trust once": (12, "9.0"),
        "disks/1 define trust naive": (13, "12.8"),
        "disks/1 define trust once": (13, "12.8"),
    }
    sources = from_results(Results(found))
    assert {one.cell.subject for one in sources.reference.measured} == {"reference"}, "the newest is drawn"


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("reference:7.0", "known by its law alone"),
        ("reference:new", "no release of libvirt: 'new'"),
        ("loop:9.0", "there is one loop"),
    ],
)
def test_a_subject_of_no_release_is_a_line(capsys: Printed, subject: str, why: str) -> None:
    assert main(["run", "--subject", subject]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.libvirt
def test_the_reference_beside_a_libvirt_follows_its_release() -> None:
    release = modelled(of_version(find().version)).release
    assert subjects_of(["reference", "libvirt", "reference:11.3"], yes=False) == (
        f"reference:{release}",
        "libvirt",
        "reference:11.3",
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--mutate", "3"], "add --live"),
        (["--subject", "reference"], "a libvirt of our own"),
        (["--subject", "libvirt:qemu:///system"], "a libvirt of our own"),
        (["--subject", "libvirt:/absent"], "no such folder"),
        (["--live", "--mutate", "3", "--skip", "3"], "leaves nothing"),
    ],
)
def test_a_comparison_that_cannot_be_is_a_line(
    tmp_path: Path, capsys: Printed, words: list[str], why: str
) -> None:
    assert main(["fidelity", str(tmp_path), *words]) == 2
    assert why in capsys.readouterr().err
