"""`qcaps.domain`: the XML of a scenario or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import qcaps
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path


def test_a_scenario_by_name_machine_and_seed() -> None:
    assert qcaps.domain("disks@pc", 3) == scenario("disks@pc").xml(3)
    assert qcaps.domain("fuzz", 9, seed=1) != qcaps.domain("fuzz", 9)


def test_a_file_and_a_file_that_grows(tmp_path: Path) -> None:
    file = tmp_path / "guest.xml"
    file.write_text("<?xml version='1.0'?>\n" + qcaps.domain("simple", 1))
    assert qcaps.domain(file).strip() == qcaps.domain("simple", 1).strip()
    assert qcaps.domain(file, 5, grow="disks").count("<disk ") == qcaps.domain(file).count("<disk ") + 5


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "sounds.py").write_text(
        'SUMMARY = "sound cards"\nLARGEST = {"q35": 9}\n'
        "def devices(n, machine, random):\n    yield from ['<sound model=\"ich9\"/>'] * n\n"
    )
    assert qcaps.domain("sounds", 3, content=tmp_path).count("<sound") == 3


@pytest.mark.parametrize(
    ("name", "n", "said"),
    [
        ("diks", 1, "did you mean 'disks'?"),
        ("disks", 10_000, "takes 0 to"),
        ("such.xml", 0, "such.xml"),
    ],
)
def test_what_there_is_not_is_said(name: str, n: int, said: str) -> None:
    with pytest.raises(qcaps.QcapsError) as caught:
        qcaps.domain(name, n)
    assert said in str(caught.value)


def test_a_folder_is_several_domains(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.xml").write_text(qcaps.domain("simple", 1))
    with pytest.raises(qcaps.UsageError, match="is a folder of 2 domains"):
        qcaps.domain(tmp_path)
