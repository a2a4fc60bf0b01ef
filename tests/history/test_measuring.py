"""A real line of commits, built and measured: what was planted is found, whatever ends the command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench.studies import planted
from qcaps.commands import main
from qcaps.history import records
from qcaps.history.store import reading
from tests.support.repositories import BUILD, commit

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = 3


@pytest.mark.slow
def test_what_was_planted_is_found_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository, store = tmp_path / "repository", tmp_path / "h.db"
    names = planted.make(
        repository, 8, {4: 0.25}, lookups={6: 3}, broken=(2,), tags={3: "v1.0"}, turns=8_000, benchmarks=2
    )
    common = ("--repo", str(repository), "--store", str(store), "--content", str(repository / "content"))
    measure = ["history", *common, "--suite", "planted", "--builds", str(tmp_path / "builds")]

    # A writer that is killed goes on where it was: each revision has as many pairs as were asked for.
    first = subprocess.Popen(
        [sys.executable, "-m", "qcaps", *measure, names[5], "--pairs", str(PAIRS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 300
    while _taken(store).total() < 2 and time.monotonic() < end:
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = _taken(store)
    assert 0 < before.total() < 2 * 2 * PAIRS * 5

    assert main([*measure, names[5], "--pairs", str(PAIRS), "--unsettled", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "qcaps/history/1"
    (gap,) = said["gaps"]
    assert (gap["revision"], gap["benchmark"]) == (names[2], "")
    assert gap["why"].startswith("does not build")
    taken = _taken(store)
    assert all(taken[key] >= count for key, count in before.items())
    expected = {("1", "0"), ("3", "0"), ("3", "1"), ("4", "1"), ("4", "3"), ("5", "1"), ("5", "3")}
    assert {(str(names.index(head)), str(names.index(base))) for _, base, head in taken} == expected
    assert set(taken.values()) == {PAIRS}

    # New commits add themselves: nothing but where the repository is, is said again. Suspects are settled.
    subprocess.run(["git", "-C", str(repository), "tag", "-d", "v1.0"], check=True, capture_output=True)
    assert main([*measure, "HEAD", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    events = {names.index(one["after"]): one for one in said["events"]}
    assert events.keys() == {4, 6}
    assert {len(one["benchmarks"]) for one in events.values()} == {2}
    for one in events[4]["benchmarks"]:
        assert one["settled"]
        assert 1.15 < one["ratio"] < 1.35
    assert {tuple(one["counts"]["lookups"]) for one in events[6]["benchmarks"]} == {(0, 3)}
    assert names.index(events[4]["before"]) == 3

    alerts = ["history", "alerts", "--repo", str(repository), "--store", str(store)]
    assert main(alerts) == 1
    shown = capsys.readouterr().out
    assert re.search(rf"worse at {names[4][:12]}, after \w+: commit 4", shown)
    assert "lookups 0 → 3" in shown
    known = repository / "qcaps-acknowledged.toml"
    known.write_text(f'[[acknowledged]]\nrange = "{names[3]}..{names[6]}"\nwhy = "planted"\n')
    assert main([*alerts, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["acknowledged"] for one in found["events"]} == {"planted"}

    page = tmp_path / "history.html"
    assert main(["history", "page", *common[:4], "-o", str(page)]) == 0
    text = page.read_text()
    assert text.count('class="mark worse"') == 4
    assert "does not build" in text
    assert "planted" in text


@pytest.mark.slow
@pytest.mark.libvirt
def test_commits_of_a_libvirt_are_a_line_and_layouts_have_a_scatter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, store = tmp_path / "libvirt", tmp_path / "h.db"
    names = [commit(repository, "file", text) for text in ("one", "two", "three")]
    common = ("--repo", str(repository), "--store", str(store), "--builds", str(tmp_path / "builds"))
    build = f"test $(cat file) = two && exit 1; {BUILD}; echo $QCAPS_LAYOUT >> {tmp_path}/layouts"
    what = ("--build", build, "--domain", "simple", "-n", "1", "--task", "define", "--pairs", "2", "--json")
    assert main(["history", "HEAD", *common, *what]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["revisions"], said["pairs"], said["events"]) == (3, 2, [])
    assert [one["revision"] for one in said["gaps"]] == [names[1]]
    assert main(["history", "layouts", names[0], "--times", "3", *common, *what]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "qcaps/history-layouts/1"
    (scatter,) = said["scatter"].values()
    assert 0 <= scatter < 0.2  # copies of one library
    assert (tmp_path / "layouts").read_text().split() == ["0", "1", "2"]
    with reading(store) as opened:
        (layouts,) = opened.connection.execute("SELECT count(*) FROM layout").fetchone()
    assert layouts == 2
    assert main(["history", "layouts", "HEAD", "--store", str(store), "--repo", str(repository)]) == 2


def _taken(store: Path) -> Counter[tuple[str, str, str]]:
    """Pairs by benchmark, base and head."""
    if not store.exists() or store.stat().st_size == 0:
        return Counter()
    with reading(store) as opened:
        known, cells = records.revisions(opened), records.benchmarks(opened)
        rows = opened.connection.execute("SELECT benchmark, base, head FROM pair").fetchall()
    return Counter((cells[one].name, known[base].name, known[head].name) for one, base, head in rows)


def test_nothing_named_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "h.db"
    assert main(["history", "--store", str(store)]) == 2
    assert "what revisions?" in capsys.readouterr().err
    assert main(["history", "HEAD", "--repo", str(tmp_path), "--store", str(store)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
