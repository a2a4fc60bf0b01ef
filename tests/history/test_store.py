"""The store: what is kept is kept, one writes at a time, and a file that is no good says so in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from qcaps.commands import main
from qcaps.errors import QcapsError, UsageError
from qcaps.files import BusyError
from qcaps.history import exchange, merging, place, pruning, records
from qcaps.history.records import Compared, Revision
from qcaps.history.schema import SCHEMA
from qcaps.history.store import HistoryStore, reading, writing
from qcaps.measure.cell import Cell
from qcaps.measure.gate.series import Pair
from qcaps.measure.results import results_file
from qcaps.measure.subject import Counts

LOOP = Cell("loop", 100, subject="loop")
OTHER = Cell("disks", 4)
HERE = {"hostname": "here", "python_version": "3.11.2"}
LINE = "0" * 40


def fill(
    store: HistoryStore, *, first: int = 0, last: int = 4, cell: Cell = LOOP, facts: dict[str, str] = HERE
) -> None:
    """Three pairs of each revision with the first, and its counts."""
    with store.transaction() as connection:
        records.set_about(connection, records.LINE, LINE)
        place_ = records.environment_id(connection, facts)
        base = records.revision_id(connection, Revision(0, "c0", "v0"))
        for at in range(first, last):
            head = records.revision_id(connection, Revision(at, f"c{at}", f"v{at}"))
            records.add_counts(connection, place_, head, {cell: Counts(at, 2 + at, 0, 0, 0)})
            pairs = [Pair(1 + at / 10, 1 + number / 7) for number in range(3)]
            records.add_pairs(connection, Compared(place_, base, head), cell, pairs)


def contents(store: HistoryStore) -> list[tuple[object, ...]]:
    """All pairs by name."""
    return store.connection.execute(
        "SELECT b.name, e.facts, x.name, y.name, base_seconds, head_seconds FROM pair p"
        " JOIN benchmark b ON b.id = p.benchmark JOIN environment e ON e.id = p.environment"
        " JOIN revision x ON x.id = p.base JOIN revision y ON y.id = p.head"
        " ORDER BY 1, 2, 3, 4, 5, 6"
    ).fetchall()


def test_a_writer_that_is_killed_loses_nothing_it_kept(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    code = (
        "import sys, time, pathlib\n"
        "from qcaps.history.store import writing\n"
        "from tests.history import test_store as t\n"
        "with writing(pathlib.Path(sys.argv[1])) as store:\n"
        "    t.fill(store)\n"
        "    with store.transaction() as connection:\n"
        "        connection.execute('DELETE FROM pair')\n"
        "        print('half', flush=True)\n"
        "        time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half\n"
    with pytest.raises(BusyError, match="is at work in it"), writing(path):
        pass
    with reading(path) as store:  # a reader is let in beside a writer
        assert len(contents(store)) == 12
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    with writing(path) as store:
        assert len(contents(store)) == 12


def test_what_a_reader_sees_does_not_change_under_it(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with writing(path) as store:
        fill(store)
    with reading(path) as reader:
        before = contents(reader)
        with writing(path) as store:
            fill(store, first=4, last=5)
            assert len(contents(store)) == len(before) + 3
        assert contents(reader) == before


def test_a_merge_is_the_same_in_any_order_and_twice(tmp_path: Path) -> None:
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    with writing(one) as store:
        fill(store, last=3)
    with writing(other) as store:  # numbers differ in it: another benchmark and another machine come first
        fill(store, cell=OTHER, facts={"hostname": "there"})
        fill(store, first=2, last=6)
    whole = []
    for into, of in ((one, other), (other, one)):
        copy = tmp_path / f"copy-{into.name}"
        shutil.copy(into, copy)
        with writing(copy) as store:
            came = merging.merge(store, of)
            found = contents(store)
            assert merging.merge(store, of) == (0, 0)
            assert contents(store) == found
            whole.append(found)
            if into == one:
                assert came == (3, 12 + 9)
    assert whole[0] == whole[1]
    with writing(tmp_path / "third.db") as store:
        with store.transaction() as connection:
            records.set_about(connection, records.LINE, "1" * 40)
        with pytest.raises(UsageError, match="name another --store"):
            merging.merge(store, one)


def test_pruning_says_what_it_drops_and_keeps_the_base(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with writing(path) as store:
        fill(store)
        fill(store, cell=OTHER)
        rehearsed = pruning.prune(store, before="v2", rehearse=True)
        assert len(contents(store)) == 24
        pruned = pruning.prune(store, before="v2")
        assert pruned == rehearsed
        assert (pruned.pairs, pruned.counts, pruned.revisions) == (12, 4, ("v1",))
        assert {row[2] for row in contents(store)} == {"c0"}
        gone = pruning.prune(store, benchmark="disks/*")
        assert gone.benchmarks == (OTHER.name,)
        assert [row[0] for row in contents(store)] == [LOOP.name] * 6
        with pytest.raises(UsageError, match="did you mean"):
            pruning.prune(store, before="v33")


def test_pairs_go_out_as_pyperf_suites_and_come_in_again(tmp_path: Path) -> None:
    one, other, out = tmp_path / "one.db", tmp_path / "other.db", tmp_path / "out"
    with writing(one) as store:
        fill(store)
        fill(store, facts={"hostname": "there"})
    assert main(["history", "export", "v3", "--store", str(one), "-o", str(out)]) == 0
    base, head = out / "base.json", out / "head.json"
    shown = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", base, head], capture_output=True, text=True, check=True
    )
    assert LOOP.name in shown.stdout or "slower" in shown.stdout or "faster" in shown.stdout

    def refuse(version: str) -> Revision:
        raise AssertionError(version)

    with writing(other) as store:
        _, revision, new = exchange.take_in(store, base, head, refuse, str)
        assert (revision, new) == (Revision(3, "c3", "v3"), 3)
        assert exchange.take_in(store, base, head, refuse, str)[2] == 0
        with reading(one) as original:
            assert contents(store) == [
                row for row in contents(original) if row[3] == "c3" and "there" not in str(row[1])
            ]
        assert records.about(store, records.LINE) == LINE
    results_file.write(out / "apart.json", results_file.read(head))
    with writing(other) as store, pytest.raises(UsageError, match="no pairs"):
        exchange.take_in(store, base, _with_another_session(out / "apart.json"), refuse, str)


def _with_another_session(path: Path) -> Path:
    path.write_text(path.read_text().replace('"history c3"', '"history c4"'))
    return path


def test_a_file_that_is_no_good_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "h.db"
    with writing(path) as store:
        fill(store, last=60)
    whole = path.read_bytes()
    bad = tmp_path / "bad.db"
    faults = {"none": None, "cut": whole[:-5000], "text": b"not a database\n" * 20, "tiny": whole[:50]}
    half = bytearray(whole)
    half[4096 : 4096 * 3] = bytes(4096 * 2)
    faults["damaged"] = bytes(half)
    newer = tmp_path / "newer.db"
    shutil.copy(path, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 3}")
    connection.close()
    faults["newer"] = newer.read_bytes()
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    faults["foreign"] = foreign.read_bytes()
    said = {}
    for name, data in faults.items():
        bad.unlink(missing_ok=True)
        if data is not None:
            bad.write_bytes(data)
        for action in (["export", "v1"], ["prune", "--before", "v2"]):
            status = main(
                [
                    "history",
                    *action,
                    "--store",
                    str(bad),
                    *(["-o", str(tmp_path)] if action[0] == "export" else []),
                ]
            )
            error = capsys.readouterr().err
            assert status == (2 if name == "none" else 1), (name, error)
            assert error.count("\n") == 1, error
            assert str(bad) in error
            said[name] = error
        if data is not None:
            assert bad.read_bytes() == data
    expected = {
        "none": "no such store",
        "cut": "truncated",
        "text": "not a store",
        "tiny": "truncated",
        "damaged": "damaged",
        "newer": f"schema {SCHEMA + 3}",
        "foreign": "none of 'qcaps history'",
    }
    assert {name for name, word in expected.items() if word not in said[name]} == set()


def test_another_programs_lock_is_waited_for_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h.db"
    with writing(path) as store:
        fill(store)
    monkeypatch.setattr("qcaps.history.store._PATIENCE_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(BusyError, match="locked by another program"), writing(path) as store:
            fill(store)
    finally:
        other.close()


def test_a_store_that_may_only_be_read_is_read() -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others on the way
    path = folder / "h.db"
    with writing(path) as store:
        fill(store)
    code = (
        "import os, sys, pathlib\n"
        "from qcaps.history.store import reading, writing\n"
        "from tests.history.test_store import contents\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "with reading(path) as store: print(len(contents(store)))\n"
        "try:\n"
        "    with writing(path): pass\n"
        "except Exception as error: print(error)\n"
    )
    path.chmod(0o444)
    folder.chmod(0o555)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment, check=False
    )
    shutil.rmtree(folder)
    assert done.stdout.splitlines()[:1] == ["12"], done.stderr
    assert "read-only" in done.stdout


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    # No test can mount one; what the kernel says of mounts is its documented format.
    mounts = tmp_path / "mountinfo"
    share = tmp_path / "my share"
    share.mkdir()
    spelt = str(share).replace(" ", "\\040")
    mounts.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 21 0:40 / {spelt} rw,relatime shared:2 - nfs4 host:/export rw\n"
    )
    assert place.file_system(tmp_path / "h.db", mounts) == "ext4"
    place.check_local(tmp_path / "h.db", mounts)
    with pytest.raises(UsageError, match="lies on nfs4"):
        place.check_local(share / "h.db", mounts)
    assert place.file_system(Path("/proc/x")) == "proc"  # this kernel's own word


def test_environments_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "h.db"
    with writing(path) as store:
        fill(store)
    assert main(["history", "prune", "--list", "--json", "--store", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["1"] == HERE
    assert main(["history", "prune", "--store", str(path)]) == 2
    with pytest.raises(QcapsError), reading(tmp_path):
        pass
