"""The results file: pyperf reads it, we read it back, and a broken one is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qcaps.errors import QcapsError
from qcaps.measure.cell import Cell
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = Counts(17, 19, 19, 19, 0, {"validate device": 17, "post-parse": 1, "validate domain": 1})


def measured(policy: str, *blocks: tuple[float, ...], worker: int = 0) -> Measured:
    run = Run(worker, blocks, (0.5, 0.25), {"hash_seed": "42", "qemu_version": "7.2.22", "cpu_count": 2})
    return Measured(Cell("simple", 1, policy=policy), COUNTS, (run,))


RESULTS = Results((measured("naive", (3.0, 2.0), (2.5, 4.0)), measured("once", (0.5, 0.75), (0.25, 1.0))))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    results_file.write(path, RESULTS)
    return path


def test_what_is_written_is_read_again(file: Path) -> None:
    assert results_file.read(file) == RESULTS
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]


def test_pyperf_shows_it(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", "show", "--metadata", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "simple/1 define fork naive" in done.stdout
    assert "- lookups: 19" in done.stdout


def test_a_block_is_worth_its_quickest_call() -> None:
    assert RESULTS.measured[0].runs[0].block_values == (2.0, 2.5)


def test_runs_of_a_cell_are_gathered() -> None:
    more = results_file.add(RESULTS, [measured("once", (0.5,), worker=1), measured("series", (1.0,))])
    assert [(one.cell.policy, [run.worker for run in one.runs]) for one in more.measured] == [
        ("naive", [0]),
        ("once", [0, 1]),
        ("series", [0]),
    ]


def test_runs_of_several_hosts_are_one_benchmark_of_pyperf_s() -> None:
    def of(host: str, worker: int) -> Measured:
        (run,) = measured("once", (0.5, 0.75), worker=worker).runs
        facts = {**run.facts, "hostname": host, "platform": "Linux"}
        return replace(measured("once", (1.0,)), runs=(replace(run, facts=facts),))

    both = results_file.add(Results((of("a", 0),)), [of("b", 1)])
    text = results_file.to_text(both)
    assert results_file.from_text(text, "here") == both
    (metadata,) = [run["metadata"] for run in json.loads(text)["benchmarks"][0]["runs"]][:1]
    assert metadata["host"] == "a"
    assert "hostname" not in metadata
    with pytest.raises(QcapsError, match=r"^host c: truncated"):
        results_file.from_text(text[:-9], "host c")


def foreign(text: str) -> str:
    plain = json.loads(text)
    del plain["metadata"]["scenario"]
    return json.dumps(plain)


def odd(text: str) -> str:
    plain = json.loads(text)
    plain["benchmarks"][0]["runs"][0]["values"].pop()
    return json.dumps(plain)


def without_values(text: str) -> str:
    plain = json.loads(text)
    del plain["benchmarks"][0]["runs"][0]["values"]
    return json.dumps(plain)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda _: "", "no results file: it is empty"),
        (lambda _: "[1, 2]", "no results file: it begins with"),
        (lambda _: '{"benchmarks": [], "version": "1.0"}', "not a results file"),
        (foreign, "was not measured by 'qcaps run'"),
        (odd, "no whole number of blocks"),
        (without_values, "no whole number of blocks"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(file: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    file.write_text(spoil(file.read_text()))
    with pytest.raises(QcapsError) as caught:
        results_file.read(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(QcapsError, match=r"absent\.json: cannot be read: No such file"):
        results_file.read(tmp_path / "absent.json")
    with pytest.raises(QcapsError, match=r"r\.json: cannot be written: No such file"):
        results_file.write(tmp_path / "absent" / "r.json", RESULTS)


def test_a_failed_write_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)  # the disk cannot be filled here
    with pytest.raises(QcapsError, match="No space left"):
        results_file.write(file, Results(RESULTS.measured[:1]))
    monkeypatch.undo()
    assert results_file.read(file) == RESULTS
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]
