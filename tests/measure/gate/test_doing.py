"""Which does more: by function and by system call, exact where equal runs agree."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import qcaps
from qcaps.measure.cell import Cell
from qcaps.measure.gate.arms import Arm
from qcaps.measure.gate.doing import CALLS, SYSTEM_CALLS, Between, Doing, compare, differences, windows_of
from qcaps.measure.gate.rounds import Bench
from qcaps.measure.suite import sources
from qcaps.report import verdicts, work
from qcaps.report.verdicts import GateReport

HERE = Path(qcaps.__file__).resolve().parent
CELL = Cell("serials", 3, "define", "ctime", "once")
TRACE = """\
openat(AT_FDCWD, "/before", O_RDONLY) = 3
newfstatat(AT_FDCWD, "/qcaps-begins", 0x7ffc, 0) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD, "/qcaps-begins-not", O_RDONLY) = 3
read(3, "close(", 9) = 9
--- SIGCHLD {si_signo=SIGCHLD} ---
newfstatat(AT_FDCWD, "/qcaps-ends", 0x7ffc, 0) = -1 ENOENT (No such file or directory)
close(3) = 0
newfstatat(AT_FDCWD, "/qcaps-begins", 0x7ffc, 0) = -1 ENOENT (No such file or directory)
newfstatat(AT_FDCWD, "/qcaps-ends", 0x7ffc, 0) = -1 ENOENT (No such file or directory)
"""


def edited(folder: Path, file: str, old: str, new: str) -> Arm:
    shutil.copytree(HERE, folder / "qcaps", ignore=shutil.ignore_patterns("__pycache__", "_content"))
    path = folder / "qcaps" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return Arm("head", sys.executable, "edited", str(folder))


@pytest.mark.slow
def test_a_lookup_more_is_named_by_function_and_by_system_call(tmp_path: Path) -> None:
    old, new = 'the correct way", _all(Sharing.TASK)', 'the correct way", SERIES_POLICY.sharing'
    arms = (
        Arm("base", sys.executable, "here", str(HERE.parent)),
        edited(tmp_path / "edited", "lookups/policy.py", old, new),
    )
    (tmp_path / "scratch").mkdir()
    bench = Bench(sources=sources((CELL,)), scratch=tmp_path / "scratch")
    notes: list[str] = []
    found = compare(bench, arms, notes.append)
    more = [one for one in found if one.kind == CALLS and not one.varies and "cache" in one.name]
    assert more
    assert all(one.more > 0 for one in more)
    if shutil.which("strace"):
        assert not notes
        assert [one for one in found if one.kind == SYSTEM_CALLS and one.more > 0 and not one.varies]
    # equal versions differ in nothing that is exact
    assert not [one for one in compare(bench, (arms[0], arms[0]), notes.append) if not one.varies]


def test_windows_of_a_trace() -> None:
    assert windows_of(TRACE) == [{"openat": 1, "read": 1}, {}]
    assert windows_of(TRACE[: TRACE.index("--- ")]) == []


def test_what_varies_is_shown_and_comes_last() -> None:
    base = [{"mmap": 1, "read": 5, "same": 2}, {"mmap": 3, "read": 5, "same": 2}]
    head = [{"mmap": 2, "read": 7, "same": 2, "new": 1}] * 2
    found = differences("b", SYSTEM_CALLS, base, head)
    assert [(one.name, one.more, one.varies) for one in found] == [
        ("read", 2, False), ("new", 1, False), ("mmap", 1, True),
    ]  # fmt: skip
    report = GateReport("a", "b", (), work=tuple(found))
    text = verdicts.markdown(report)
    assert "| b | system calls | read | 5 | 7 | +2 |" in text
    assert "| b | system calls | mmap | 1 to 3 | 2 | varies |" in text
    assert json.loads(json.dumps(verdicts.to_json(report)))["work"][0]["name"] == "read"
    assert report.headline == "counts agree; nothing was timed"  # it is never judged


def test_a_long_list_is_cut_and_says_so() -> None:
    rows = [Doing("b", CALLS, f"f{n}", Between(0, 0), Between(9, 9)) for n in range(15)]
    assert work.texts(rows)[-1][2] == "and 5 more, in the report's JSON"
    assert work.table(()) is None


def test_what_cannot_be_asked_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Arm("base", sys.executable, "old", str(tmp_path / "nowhere"))
    (tmp_path / "nowhere" / "qcaps").mkdir(parents=True)
    (tmp_path / "nowhere" / "qcaps" / "__init__.py").touch()
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    notes: list[str] = []
    assert compare(Bench(sources={CELL: ""}, scratch=tmp_path), (old, old), notes.append) == []
    assert notes[0].startswith("calls are not compared: base (old) cannot be asked: ModuleNotFoundError")
    assert notes[1] == "system calls are not compared: no strace on PATH: apt-get install strace"
