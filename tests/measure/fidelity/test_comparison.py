"""The reference holds the level of fidelity it has reached; raise the floors when it rises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.driver.reference import reference
from qcaps.measure.fidelity.comparison import compare, scores
from qcaps.measure.fidelity.truth import recorded

if TYPE_CHECKING:
    from pathlib import Path

FLOORS = {"answer": 100.0, "devices": 100.0, "lookups": 100.0, "addresses": 100.0, "whole": 100.0}
EMULATOR = "/usr/bin/qemu-system-x86_64"


def at_least() -> list[str]:
    return [f"--at-least={name}={percent}" for name, percent in FLOORS.items()]


def test_recorded_defines_of_libvirt_are_met(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = next(corpus.rglob("qemu-*.cache.xml"))
    arguments = [
        "fidelity",
        str(corpus),
        "--capabilities",
        str(cache),
        "--emulator",
        EMULATOR,
        "--release",
        "9.0",
    ]
    status = main([*arguments, *at_least(), "--json"])
    printed = capsys.readouterr().out
    assert status == 0, printed
    answer = json.loads(printed)
    assert answer["schema"] == "qcaps/fidelity/1"
    assert answer["scores"]["answer"]["of"] > 400


@pytest.mark.libvirt
@pytest.mark.qemu
def test_every_x86_scenario_is_what_this_machines_libvirt_makes_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = ["--at-least=whole=100"]
    status = main(["fidelity", "--live", *at_least(), *whole, "--json"])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert json.loads(printed)["scores"]["devices"]["of"] > 100


def truth(folder: Path, *, accepted: bool, devices: str) -> Path:
    """A record of one file, its truth made up of `devices`."""
    for name in ("in", "defined"):
        (folder / name).mkdir(parents=True)
    given = "<domain type='qemu'><name>a</name><memory>1024</memory><os><type arch='x86_64' machine='pc'>hvm"
    given += f"</type></os><devices><emulator>{EMULATOR}</emulator></devices></domain>"
    (folder / "in" / "a.xml").write_text(given)
    (folder / "defined" / "a.xml").write_text(f"<domain><devices>{devices}</devices></domain>")
    record = {"file": "a.xml", "accepted": accepted, "error": "refused", "lookups": 8}
    (folder / "index.json").write_text(json.dumps([record]))
    return folder


def test_a_disagreement_is_seen_and_shown(tmp_path: Path) -> None:
    driver = reference(tmp_path / "state", policy="naive", validity="trust")
    folder = truth(tmp_path / "truth", accepted=True, devices="<rng model='virtio'/>")
    (outcome,) = [compare(driver, one) for one in recorded(folder)]
    assert (outcome.answer, outcome.devices, outcome.lookups) == (True, False, True)
    assert "- rng model=virtio" in outcome.difference
    assert "+ memballoon model=virtio" in outcome.difference
    assert {score.name: score.equal for score in scores([outcome])}["devices"] == 0


def test_a_wrong_answer_fails_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = truth(tmp_path / "truth", accepted=False, devices="")
    assert main(["fidelity", str(folder), "--at-least", "answer=50"]) == 1
    assert "real:      refused" in capsys.readouterr().out
    assert main(["fidelity", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "qcaps/fidelity/1"


def test_a_folder_without_a_record_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fidelity", str(tmp_path)]) == 1
    assert "index.json: no record of truth" in capsys.readouterr().err
