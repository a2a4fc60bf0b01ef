"""`qcaps.benchmark` and `qcaps.read_results`: real workers, few pairs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import qcaps
from qcaps.commands import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def measured() -> qcaps.Measurements:
    return qcaps.benchmark(["disks"], n=[1, 8], policies="once", validities="trust", pairs=3)


def test_speedups_are_plain_values(measured: qcaps.Measurements) -> None:
    found = measured.speedups()
    assert [(one.scenario, one.n, one.policy, one.baseline) for one in found] == [
        ("disks", 1, "once", "naive"),
        ("disks", 8, "once", "naive"),
    ]
    for one in found:
        assert one.low <= one.ratio <= one.high
        assert one.lookups == {"naive": 2 + one.devices, "once": 1}
    assert json.loads(json.dumps([asdict(one) for one in found]))[0]["pairs"] == found[0].pairs
    assert measured.refused == {}


def test_a_frame_has_a_row_each_and_no_nested_values(measured: qcaps.Measurements) -> None:
    frame = measured.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["n"]) == [1, 8]
    assert list(frame["baseline_lookups"]) == [one.lookups["naive"] for one in measured.speedups()]
    assert frame.map(lambda value: isinstance(value, (str, int, float))).all().all()


def test_without_pandas_it_says_what_to_install(
    measured: qcaps.Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(qcaps.QcapsError, match="pip install pandas"):
        measured.to_pandas()


def test_a_file_is_read_again_by_the_library_and_the_commands(
    measured: qcaps.Measurements, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    measured.write(file)
    assert qcaps.read_results(file).speedups() == measured.speedups()
    assert main(["compare", str(file), str(file)]) == 0
    assert "disks" in capsys.readouterr().out
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(qcaps.QcapsError, match="not a results file"):
        qcaps.read_results(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"what": "diks"}, "did you mean 'disks'?"),
        ({"tasks": "defin"}, "did you mean 'define'?"),
        ({"policies": ["onc"]}, "did you mean 'once'?"),
        ({"validities": "fork ctime"}, "no validity"),
        ({"baseline": "nave"}, "did you mean 'naive'?"),
        ({"what": "disks", "n": [100_000]}, "takes 0 to"),
    ],
)
def test_a_name_there_is_not_is_refused_before_anything_is_measured(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(qcaps.UsageError) as caught:
        qcaps.benchmark(**arguments)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_when_nothing_can_be_measured_the_reason_is_told(tmp_path: Path) -> None:
    file = tmp_path / "refused.xml"
    file.write_text(qcaps.domain("simple", 1).replace("</devices>", "<watchdog model='diag288'/></devices>"))
    with pytest.raises(qcaps.QcapsError, match=r"nothing was measured: .*watchdog"):
        qcaps.benchmark(file, policies="once", validities="trust", pairs=1)
