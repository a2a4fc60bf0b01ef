"""Arms as real processes: pairs, known slowdowns, versions that count, crash, hang or cannot be compared."""

from __future__ import annotations

import random
import shutil
import sys
import time
from pathlib import Path

import pytest

import qcaps
from qcaps.measure.cell import Cell
from qcaps.measure.gate.arms import Arm, ArmError, ArmProcess, MismatchError, RefusedError
from qcaps.measure.gate.benches import decide
from qcaps.measure.gate.decision import GateOutcome, check_counts, check_host
from qcaps.measure.gate.margins import MarginTable
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.relay import Relay, running
from qcaps.measure.gate.revisions import alike
from qcaps.measure.gate.rounds import Bench, take_round
from qcaps.measure.gate.verdict import PREFLIGHT_PAIRS, Verdict
from qcaps.measure.suite import sources

LOOP = Cell("loop", 2000, subject="loop")
NAIVE = Cell("serials", 3, validity="trust")
ONCE = Cell("serials", 3, validity="trust", policy="once")
HERE = Path(qcaps.__file__).resolve().parent
BASE = Arm("base", sys.executable, path=str(HERE.parent))
HEAD = Arm("head", sys.executable, path=str(HERE.parent))


def bench(tmp_path: Path, *cells: Cell, patience: float = 60.0) -> Bench:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return Bench(sources=sources(cells), scratch=folder, patience=patience, draw=random.Random(1))


def edited(tmp_path: Path, file: str, old: str, new: str) -> Arm:
    """Head with one line of qcaps changed."""
    copy = tmp_path / "edited" / "qcaps"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    return Arm("head", sys.executable, "edited", str(copy.parent))


def counted(tmp_path: Path, head: Arm, *cells: Cell) -> GateOutcome:
    outcome = GateOutcome()
    check_counts(bench(tmp_path, *cells), (BASE, head), cells, outcome)
    return outcome


def test_what_an_arm_refuses_is_left_out_where_that_is_asked_for_and_else_raised(tmp_path: Path) -> None:
    refused = Cell("serials", 3, "of no use", "trust")
    one, outcome = bench(tmp_path, refused, ONCE), GateOutcome()
    with pytest.raises(RefusedError, match="no task 'of no use'"):
        check_counts(one, (BASE, HEAD), (refused, ONCE), outcome)
    check_counts(one, (BASE, HEAD), (refused, ONCE), outcome, leave_out=True)
    assert outcome.refused[refused].keys() == {"base", "head"}
    assert outcome.counts.keys() == {ONCE}


def test_equal_arms_count_the_same_and_a_pair_is_a_block_of_each(tmp_path: Path) -> None:
    one, outcome = bench(tmp_path, ONCE, LOOP), GateOutcome()
    check_counts(one, (BASE, HEAD), (ONCE, LOOP), outcome)
    assert outcome.faults == []
    assert outcome.counts[ONCE][1].lookups == 1
    jobs = [one.job(ONCE, ArmProcess(arm, tmp_path, None)) for arm in (BASE, HEAD)]  # type: ignore[arg-type]
    assert jobs[0].pause == jobs[1].pause == one.pauses[ONCE]
    with Relay(one, (BASE, HEAD)) as relay:
        sides = {pair[0].cell: pair for pair in take_round(one, relay, (ONCE, LOOP), lambda _cell: 7)}
    assert list(sides) == [ONCE, LOOP]
    for base, head in sides.values():
        (run,), (other,) = base.runs, head.runs
        assert run.worker == other.worker == 7
        assert run.facts["hash_seed"] == other.facts["hash_seed"]
        assert (run.facts["arm"], other.facts["arm"]) == ("base", "head")
        turns = str(run.facts["first_in_turns"])
        assert len(run.blocks[0]) == len(other.blocks[0]) == len(turns) == one.calls[base.cell]
        assert {"b", "h"} >= set(turns)


@pytest.mark.slow
def test_a_large_slowdown_fails_and_none_does_not(tmp_path: Path) -> None:
    one, outcome = bench(tmp_path, LOOP), GateOutcome()
    check_counts(one, (BASE, HEAD), (LOOP,), outcome)
    one.calls[LOOP] = 5
    slow = Arm("head", sys.executable, path=BASE.path, slowdown=0.6)
    found, store = decide(one, (BASE, slow), outcome, MarginTable(), folder=tmp_path)
    assert [judged.verdict for judged in found.judged] == [Verdict.FAIL]
    assert found.judged[0].judgement.interval is not None
    assert found.judged[0].judgement.interval.low > 1.01
    # all that was decided upon is in the files, and gives the same verdict again
    assert PairStore.from_folder(tmp_path).pairs == store.pairs
    fair, _ = decide(one, (BASE, HEAD), outcome, MarginTable())
    assert fair.judged[0].verdict is not Verdict.FAIL


def test_a_slowdown_of_the_pipeline_is_spun(tmp_path: Path) -> None:
    one, outcome = bench(tmp_path, ONCE), GateOutcome()
    check_counts(one, (BASE, HEAD), (ONCE,), outcome)
    slow = Arm("head", sys.executable, path=BASE.path, slowdown=3.0)
    with Relay(one, (BASE, slow)) as relay:
        ((base, head),) = take_round(one, relay, (ONCE,), lambda _cell: 0)
        assert head.runs[0].block_values[0] > 1.5 * base.runs[0].block_values[0]


def test_more_lookups_fail_by_site_and_device(tmp_path: Path) -> None:
    head = edited(
        tmp_path,
        "lookups/policy.py",
        "_all(Sharing.TASK))\nONCE_ABORT",
        "_all(Sharing.TASK) | {Site.VALIDATE_DEVICE: Sharing.ALONE})\nONCE_ABORT",
    )
    faults = {fault.what: fault for fault in counted(tmp_path, head, ONCE, NAIVE).faults}
    assert set(faults) == {"lookups", "validations"}
    text = str(faults["lookups"])
    assert text.startswith("serials/3 define trust once: lookups ")
    assert "1 in base" in text
    assert "at 'validate device' (" in text
    assert "serial" in text
    assert faults["lookups"].against == "base"


def test_counts_that_both_get_wrong_are_held_against_the_closed_form(tmp_path: Path) -> None:
    head = edited(
        tmp_path,
        "lookups/policy.py",
        "_all(Sharing.TASK))\nONCE_ABORT",
        "_all(Sharing.ALONE))\nONCE_ABORT",
    )
    outcome = GateOutcome()
    base = Arm("base", sys.executable, path=head.path)
    check_counts(bench(tmp_path, ONCE), (base, head), (ONCE,), outcome)
    (fault,) = outcome.faults
    assert (fault.against, fault.expected) == ("the closed form", 1)
    assert "validate device" in str(fault)


def test_an_arm_that_crashes_says_its_last_lines(tmp_path: Path) -> None:
    head = edited(tmp_path, "driver/driver.py", "lookup = self._lookup()\n", "raise RuntimeError('broken')\n")
    with pytest.raises(ArmError, match=r"head \(edited\): serials/3.*ended with status 1.*broken") as caught:
        counted(tmp_path, head, ONCE)
    assert caught.value.exit_status == 2


def test_an_arm_that_hangs_is_killed(tmp_path: Path) -> None:
    head = edited(
        tmp_path, "driver/driver.py", "lookup = self._lookup()\n", "import time; time.sleep(1000)\n"
    )
    one = bench(tmp_path, ONCE, patience=1.5)
    with pytest.raises(ArmError, match="hung for"):
        check_counts(one, (BASE, head), (ONCE,), GateOutcome())


@pytest.mark.parametrize(
    ("python", "error", "said"),
    [
        ("/nonexistent/python", ArmError, "cannot be run: No such file"),
        ("/bin/false", ArmError, "crashed"),
    ],
)
def test_an_interpreter_that_is_none(tmp_path: Path, python: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        counted(tmp_path, Arm("head", python), LOOP)


def test_a_version_without_blocks_cannot_be_compared(tmp_path: Path) -> None:
    head = edited(tmp_path, "measure/worker/forker.py", "PROTOCOL = 2", "PROTOCOL = 99")
    one = bench(tmp_path, LOOP)
    with pytest.raises(MismatchError, match="version 99 of the protocol") as caught:
        check_counts(one, (BASE, head), (LOOP,), GateOutcome())
    assert caught.value.exit_status == 4
    (Path(head.path) / "qcaps" / "measure" / "worker" / "forker.py").unlink()
    with pytest.raises(MismatchError, match=r"has no qcaps\.measure\.worker\.forker"):
        check_counts(one, (BASE, head), (LOOP,), GateOutcome())


def test_a_version_whose_jobs_have_a_field_less_cannot_be_compared(tmp_path: Path) -> None:
    head = edited(tmp_path, "measure/worker/work.py", "    pause: float | None = None\n", "")
    with pytest.raises(MismatchError, match=r"head \(edited\): knows no job of this form: too old"):
        counted(tmp_path, head, LOOP)


def test_the_host_is_judged_by_base_against_itself(tmp_path: Path) -> None:
    one, store = bench(tmp_path, LOOP), PairStore(None)
    said = check_host(one, BASE, (LOOP,), store, lambda _progress: None)
    assert store.taken(LOOP) in PREFLIGHT_PAIRS
    assert isinstance(said, str)
    # an arm slower than itself is a host gone mad
    first = store.pairs[LOOP][0]
    store.pairs = {LOOP: [first._replace(head=1.2 * first.base)] * PREFLIGHT_PAIRS[-1]}
    assert "differs by +20.0 %" in check_host(one, BASE, (LOOP,), store, lambda _progress: None)


def test_a_process_killed_while_it_prepares_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    one = bench(tmp_path, Cell("disks", 128, validity="trust"))
    end = time.monotonic() + 30
    with running((BASE, HEAD), one.work, one.chance(), one.scratch):
        while not any(tmp_path.rglob(".qcaps-scratch-*")) and time.monotonic() < end:
            time.sleep(0.002)  # it defines the domain once, to have it warm
    assert list((tmp_path / "t").iterdir()) == []


def test_where_an_arm_stands_is_drawn_for_each_pair(tmp_path: Path) -> None:
    """Who starts, who prepares and who is asked first: each independent of the others, and of the last
    pair's.
    """
    one, seen = bench(tmp_path, LOOP), []
    one.calls[LOOP] = 2
    with Relay(one, (BASE, HEAD)) as relay:
        for _ in range(24):
            ((base, _),) = take_round(one, relay, (LOOP,), lambda _cell: 0)
            facts = base.runs[0].facts
            seen.append((facts["first_started"], facts["first_prepared"], str(facts["first_in_turns"])[0]))
    assert len(set(seen)) >= 6
    for column in zip(*seen, strict=True):
        assert 4 <= column.count("b") <= 20


def test_both_arms_find_their_code_and_files_under_names_of_one_length(tmp_path: Path) -> None:
    one = bench(tmp_path, LOOP)
    places = {
        (process.arm.name, place): one.job(LOOP, process, place).directory
        for place in (0, 1)
        for process in (ArmProcess(BASE, tmp_path, None), ArmProcess(HEAD, tmp_path, None))  # type: ignore[arg-type]
    }
    assert places["base", 0] == places["head", 0]
    assert len({len(name) for name in places.values()}) == 1
    first, second = (alike(arm, tmp_path / f"code-of-{arm.name}") for arm in (BASE, HEAD))
    assert len(first.path) == len(second.path)
    compiled = [{path.name for path in Path(arm.path).rglob("*.pyc")} for arm in (first, second)]
    assert compiled[0] == compiled[1]
    assert len(compiled[0]) > 200  # not left to each process, even where nothing may be written
    with Relay(one, (first, second)) as relay, relay.round():
        links = {link.name: len(str(link)) for link in tmp_path.rglob("code-[01]")}
    assert links.keys() == {"code-0", "code-1"}
    assert len(set(links.values())) == 1


def test_a_set_up_that_takes_longer_is_no_regression(tmp_path: Path) -> None:
    """Head does the same in its timed call, and much more before it."""
    head = edited(
        tmp_path,
        "measure/subjects/reference.py",
        "        driver.undefine(name)\n\n    def define_and",
        "        driver.undefine(name)\n        sorted(str(n) for n in range(5000))\n\n    def define_and",
    )
    one, outcome = bench(tmp_path, ONCE), GateOutcome()
    arms = alike(BASE, tmp_path / "code-of-base"), alike(head, tmp_path / "code-of-head")
    check_counts(one, arms, (ONCE,), outcome)
    found, _ = decide(one, arms, outcome, MarginTable())
    assert found.judged[0].verdict not in (Verdict.FAIL, Verdict.IMPROVED)


def test_an_interpreter_of_another_build_cannot_be_compared(tmp_path: Path) -> None:
    head = edited(tmp_path, "measure/worker/forker.py", '"build": sys.version', '"build": "3.11.7 (debug)"')
    said = r"built otherwise .* than head's \(3\.11\.7 \(debug\)\)"
    with pytest.raises(MismatchError, match=said) as caught:
        counted(tmp_path, head, LOOP)
    assert caught.value.exit_status == 4


def test_a_path_without_qcaps_is_not_taken_for_the_interpreter_s_own(tmp_path: Path) -> None:
    """As from a repository of another project, or a folder of builds that was emptied."""
    (tmp_path / "packages" / "other").mkdir(parents=True)
    base = Arm("base", sys.executable, "v1", str(tmp_path / "packages"))
    with pytest.raises(MismatchError, match=r"base \(v1\): has no qcaps in ") as caught:
        alike(base, tmp_path / "code-of-base")
    assert caught.value.exit_status == 4
