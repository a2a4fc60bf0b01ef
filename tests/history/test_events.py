"""Events: counts explain times, one place is one event, what is acknowledged is named; old stores."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from qcaps.commands import main
from qcaps.history import commits, events, plan, records, track
from qcaps.history.records import Compared, Revision
from qcaps.history.schema import SCHEMA
from qcaps.history.store import HistoryStore, reading, writing
from qcaps.measure.cell import Cell
from qcaps.measure.gate.series import Pair
from qcaps.measure.gate.verdict import Interval, Verdict
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

CELLS = (Cell("disks", 4), Cell("disks", 16), Cell("nics", 4))
HERE, THERE = {"hostname": "here"}, {"hostname": "there"}


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Thirty commits."""
    place = tmp_path / "repository"
    place.mkdir()
    git(place, "init", "-q")
    for number in range(30):
        git(place, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
    git(place, "tag", "v1", "HEAD~15")
    return place


def measured(
    store: HistoryStore,
    line: list[Revision],
    level: Callable[[int, int], float],
    lookups: Callable[[int, int], int] = lambda _at, _cell: 2,
    facts: dict[str, str] = HERE,
) -> tuple[int, list[int]]:
    """Eight pairs of each revision with the first two, whose levels are as told."""
    draw = np.random.default_rng(4)
    with store.transaction() as connection:
        records.set_about(connection, records.LINE, "0" * 40)
        place = records.environment_id(connection, facts)
        numbers = [records.revision_id(connection, one) for one in line]
        for at, number in enumerate(numbers):
            if at < 2:
                records.make_anchor(connection, number)
            for which, cell in enumerate(CELLS):
                counts = {cell: Counts(4, lookups(at, which), 2, 0, 0)}
                records.add_counts(connection, place, number, counts)
                for base in range(min(at, 2)):
                    apart = level(at, which) - level(base, which)
                    pairs = [Pair(1.0, float(np.exp(apart + draw.normal(0, 0.01)))) for _ in range(8)]
                    records.add_pairs(connection, Compared(place, numbers[base], number), cell, pairs)
    return place, numbers


def test_counts_explain_times_and_one_place_is_one_event(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "h.db"
    line = commits.commits(repository, "HEAD")
    assert [one.position for one in line] == list(range(30))
    assert line[14].label == "v1"
    with writing(path) as store:
        place, numbers = measured(
            store,
            line,
            lambda at, which: 0.05 * (at >= 10) * (which < 2) + 0.04 * (at >= 20) * (which == 2),
            lambda at, which: 2 + 3 * (at >= 10) * (which == 0),
        )
    with reading(path) as store:
        found = events.events(track.read_all(store), records.revisions(store))
    (one, other) = found
    assert (one.after, other.after) == (line[10], line[20])
    by_counts, suspected = one.changes
    assert by_counts.counts == {"lookups": (2, 5)}
    assert by_counts.ratio == pytest.approx(1.05, abs=0.006)
    assert (by_counts.settled, suspected.settled, other.settled) == (True, False, False)
    assert suspected.benchmark == CELLS[1].name

    arguments = ["history", "alerts", "--store", str(path), "--repo", str(repository)]
    assert main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == 1
    file = repository / events.ACKNOWLEDGED
    file.write_text('[[acknowledged]]\nrange = "HEAD~25..v1"\nbenchmarks = ["disks/*"]\nwhy = "known"\n')
    assert main(arguments) == 0
    assert "1 suspected, 1 acknowledged" in capsys.readouterr().out
    assert main([*arguments, "--strict"]) == 3
    capsys.readouterr()

    # A gate found the second slower: that is an alert. Where it refuted, nothing is left.
    slower = Interval(1.04, 1.02, 1.06, 20, 0.01, "")
    for verdict, status in (
        (Verdict.FAIL, 1),
        (Verdict.IMPROVED, 0),
        (Verdict.INCONCLUSIVE, 3),
        (Verdict.PASS, 0),
    ):
        with writing(path) as store, store.transaction() as connection:
            interval = slower if verdict is Verdict.FAIL else Interval(0.96, 0.94, 0.98, 20, 0.01, "")
            compared = Compared(place, numbers[19], numbers[20])
            records.add_settled(connection, compared, CELLS[2], verdict, interval)
        assert main([*arguments, "--strict"]) == status, verdict
        assert capsys.readouterr().out.count("nics/4") == (status != 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[acknowledged]]\nrange = 'HEAD~3..HEAD'\n", "entry 1: why is missing"),
        ("[[acknowledged]]\nwhy = 'x'\n", "entry 1: range is missing"),
        ("[[acknowledged]]\nwhy = 'x'\nrange = 'a..b'\nwhom = 'y'\n", "expected range, why and benchmarks"),
        ("[[acknowledged]]\nwhy = 'x'\nrange = 'a..b'\nbenchmarks = 'y'\n", "a list of names"),
        ("[[acknowledged]]\nwhy = 'x'\nrange = 'nowhere..HEAD'\n", "nowhere..HEAD"),
        ("nonsense", "qcaps-acknowledged.toml"),
        ("acknowledged = 3", "[[acknowledged]]"),
    ],
)
def test_a_wrong_acknowledgement_is_one_line(
    text: str, said: str, tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "h.db"
    with writing(path):
        pass
    (repository / events.ACKNOWLEDGED).write_text(text)
    assert main(["history", "alerts", "--store", str(path), "--repo", str(repository)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_ruptures_nothing_is_measured_in_vain(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    store = repository / "h.db"
    assert main(["history", "HEAD", "--repo", str(repository), "--store", str(store)]) == 1
    assert "pip install 'qcaps[history]'" in capsys.readouterr().err
    assert not store.exists()


def test_which_commits_are_chosen_does_not_change_when_others_come(repository: Path) -> None:
    before = commits.commits(repository, "HEAD~10", every=7)
    after = commits.commits(repository, "HEAD", every=7)
    assert [one.position for one in before] == [0, 7, 14, 19]
    assert [one.position for one in after] == [0, 7, 14, 21, 28, 29]
    assert [one.label for one in commits.commits(repository, "HEAD", tags="v*")] == ["v1"]
    shallow = repository.parent / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=3", f"file://{repository}", str(shallow)], check=True)
    assert main(["history", "HEAD", "--repo", str(shallow), "--store", str(shallow / "h.db")]) == 2


def test_another_environment_measures_five_known_revisions_first(tmp_path: Path, repository: Path) -> None:
    line = commits.commits(repository, "HEAD")
    with writing(tmp_path / "h.db") as store:
        _, numbers = measured(store, line[:20], lambda _at, _cell: 0.0)
        with store.transaction() as connection:
            there = records.environment_id(connection, THERE)
            gone = numbers[18]
            records.add_gap(connection, there, gone, "does not build")
        wanted = plan.overlapping(store, there, 8)
        assert wanted == [numbers[at] for at in (19, 17, 16, 15, 14)]
        assert plan.overlapping(store, records.environment_id(store.connection, HERE), 8) == []
        base, head = numbers[0], numbers[17]
        names = [cell.name for cell in CELLS]
        assert plan.wanted(store, Compared(there, base, head), names, 8, here_too=False) == {}
        assert plan.wanted(store, Compared(there, base, head), names, 8, here_too=True) == dict.fromkeys(
            names, 8
        )
        with store.transaction() as connection:
            for number in wanted[:4]:
                for anchor in numbers[:2]:
                    compared = Compared(there, anchor, number)
                    for cell in CELLS:
                        records.add_pairs(connection, compared, cell, [Pair(1.0, 1.1)] * 8)
        assert plan.overlapping(store, there, 8) == [numbers[14]]


def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    old = Path(__file__).with_name("store-1.db")
    path = tmp_path / "h.db"
    shutil.copy(old, path)
    assert _pragma(path) == 1
    with reading(path) as store:
        assert store.connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        known = records.revisions(store)
        assert [known[number].name for number in records.anchors(store)] == ["c0"]
        (first, _) = track.read_all(store)
        assert [level.pairs for segment in first.segments for level in segment.levels] == [3, 3, 3, 3]
    assert _pragma(path) == SCHEMA
    with writing(tmp_path / "new.db") as store:
        made = store.connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    with reading(path) as store:
        assert store.connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == made


def test_each_action_prints_one_object(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other, out = tmp_path / "h.db", tmp_path / "other.db", tmp_path / "out"
    line = commits.commits(repository, "HEAD")
    for one, revisions in ((path, line), (other, line[:12])):
        with writing(one) as store:
            measured(store, revisions, lambda at, _cell: 0.05 * (at >= 10))

    def said(*action: str, store: Path = path, status: int = 0) -> dict[str, object]:
        assert main(["history", *action, "--json", "--store", str(store)]) == status
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    known = ("--repo", str(repository))
    assert said("alerts", *known, "--strict", status=3)["schema"] == "qcaps/history-alerts/1"
    assert said("page", *known, "-o", str(out / "h.html"))["schema"] == "qcaps/history-page/1"
    assert said("merge", str(path), store=other)["schema"] == "qcaps/history-merge/1"
    assert said("prune", "--before", "v1", store=other)["schema"] == "qcaps/history-prune/1"
    assert said("prune", "--list")["schema"] == "qcaps/history-environments/1"
    assert said("export", line[20].name[:10], "-o", str(out))["schema"] == "qcaps/history-export/1"
    files = (str(out / "base.json"), str(out / "head.json"))
    taken = said("import", *files, *known, store=tmp_path / "new.db")
    assert taken["schema"] == "qcaps/history-import/1"
    assert (taken["head"], taken["new_pairs"]) == (line[20].name, 3 * 8)
    said("export", "-o", str(out))
    rows = list(csv.DictReader((out / "history.csv").open()))
    assert [row["commit"] for row in rows] == [one.name for one in line]
    assert float(rows[-1][f"{CELLS[0].name} ratio"]) == pytest.approx(1.05, abs=0.02)
    assert {row[f"{CELLS[0].name} lookups"] for row in rows} == {"2"}


def _pragma(path: Path) -> int:
    """The schema in the header of the file, without opening it as a store."""
    return int.from_bytes(path.read_bytes()[60:64])
