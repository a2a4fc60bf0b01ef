"""The search alone: real repositories, what a commit measures read from it, nothing built."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from qcaps.errors import UsageError
from qcaps.measure.bisect import bisection, graph, judging
from qcaps.measure.bisect.bisection import Bisection, Workshop, carry_on
from qcaps.measure.bisect.judging import UndecidedError, by_counts, differing
from qcaps.measure.bisect.search import BisectSide, BisectStep, Search
from qcaps.measure.cell import Cell
from qcaps.measure.gate.arms import Arm, ArmError
from qcaps.measure.gate.verdict import Interval
from qcaps.report.bisection import BisectReport, draw, markdown, to_json
from tests.support.repositories import commit, git

if TYPE_CHECKING:
    from pathlib import Path


LIMITS = (0.0105, 0.0315)
"""Of a change of 5 %, of which the ends allow 4.2 %."""


class Bench:
    """As much of one as is asked for here."""

    sources: dict[Any, str] = {}  # noqa: RUF012  # nothing is put in


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def history(repository: Path, values: list[str]) -> list[str]:
    """A commit for each value; `broken` does not build."""
    return [commit(repository, "value", f"{value}\n{number}") for number, value in enumerate(values)]


def bisect(
    repository: Path, good: str, bad: str, monkeypatch: pytest.MonkeyPatch, file: Path | None = None
) -> tuple[Bisection, list[str]]:
    built: list[str] = []

    def build(name: str) -> Arm:
        built.append(name)
        if git(repository, "show", f"{name}:value").startswith("broken"):
            raise ArmError(f"commit {name}: does not build")
        return Arm("step", "python", name)

    def count(_bench: object, arm: Arm) -> dict[str, dict[str, int]]:
        said = git(repository, "show", f"{arm.version}:value").splitlines()[0]
        return {"define": {"devices": 3, "lookups": int(said)}}

    monkeypatch.setattr(judging, "count", count)
    search = Search(lambda goods, first: graph.suspects(repository, goods, first))
    found = Bisection(good, bad, {"good": good}, search, file=file)
    bench = cast("Any", Bench())
    found.restore(bench)
    try:
        carry_on(found, Workshop(build=build, bench=bench, delta=0.01, told=lambda _step: None))
    finally:
        found.save()
    return found, built


@pytest.mark.parametrize("place", [1, 2, 31, 32, 63, 64])
def test_one_of_64_in_8_builds(repository: Path, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = history(repository, ["1"] * place + ["5"] * (65 - place))
    found, built = bisect(repository, names[0], names[-1], monkeypatch)
    report = BisectReport(found, tuple(graph.in_order(repository, names[0], names[-1])))
    assert report.first_bad == names[place]
    assert len(set(built)) <= 8
    assert report.lines[1] == "define: lookups 5, 1 in good"


def test_what_does_not_build_is_skipped_and_nothing_is_claimed_that_is_not_known(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = history(repository, ["1", "1", "broken", "broken", "5", "5", "5"])
    found, _ = bisect(repository, names[0], names[-1], monkeypatch)
    report = BisectReport(found, tuple(graph.in_order(repository, names[0], names[-1])))
    assert report.first_bad is None
    assert set(found.search.left()) == set(names[2:5])
    assert report.lines == [
        f"one of 3 commits, and it cannot be told which: {', '.join(name[:12] for name in names[2:5])}"
    ]
    names = history(repository, ["5", "broken", "broken", "broken", "broken", "broken", "5", "5", "7", "7"])
    found, built = bisect(repository, names[0], names[-1], monkeypatch)
    report = BisectReport(found, tuple(graph.in_order(repository, names[0], names[-1])))
    assert report.first_bad == names[8]
    assert len(built) <= 7
    assert len(found.search.of(BisectSide.SKIPPED)) < 5  # not each of the broken ones
    plain = to_json(report)
    assert plain["first_bad"] == names[8]
    assert "| 1 |" in markdown(report)
    draw(report, tmp_path / "bisect.svg")
    assert (tmp_path / "bisect.svg").read_text().count("<use") >= len(found.search.steps)


def test_a_second_cause_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = history(repository, ["1", "1", "3", "3", "3", "9"])
    found, _ = bisect(repository, names[0], names[-1], monkeypatch)
    report = BisectReport(found, tuple(graph.in_order(repository, names[0], names[-1])))
    assert report.first_bad == names[2]
    assert report.lines[-1].endswith(f"'qcaps bisect {names[2][:12]} {names[5][:12]}' finds the rest")


def test_the_side_branch_of_a_merge(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = history(repository, ["1", "1"])
    git(repository, "checkout", "-qb", "side")
    other = commit(repository, "other", "x")
    cause = commit(repository, "value", "4\n")
    git(repository, "checkout", "-q", "main")
    commit(repository, "mine", "y")
    git(repository, "merge", "-q", "--no-edit", "side")
    last = commit(repository, "mine", "z")
    found, built = bisect(repository, names[0], last, monkeypatch)
    assert found.search.left() == [cause]
    assert other in built or len(built) <= 5


def test_it_goes_on_after_a_kill(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = history(repository, ["1"] * 20 + ["2"] * 20)
    file = tmp_path / "bisect.json"
    found, first = bisect(repository, names[0], names[-1], monkeypatch, file)
    steps = found.search.steps
    again = replace(found, finished=False)
    again.search.steps = steps[:4]
    again.save()
    more, second = bisect(repository, names[0], names[-1], monkeypatch, file)
    assert second == first[4:]
    assert [one.commit for one in more.search.steps] == [one.commit for one in steps]
    file.write_text(file.read_text()[:100])
    _, third = bisect(repository, names[0], names[-1], monkeypatch, file)
    assert third == first


def test_ends_that_are_alike_and_ends_that_do_not_build(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = history(repository, ["1", "2", "1", "broken"])
    with pytest.raises(ArmError, match="does not build"):
        bisect(repository, names[0], names[3], monkeypatch)
    monkeypatch.setattr(bisection, "AUTO", "never")
    search = Search(lambda goods, first: graph.suspects(repository, goods, first))
    counts = {"define": {"lookups": 1}}
    search.steps = [
        BisectStep(names[0], BisectSide.GOOD, counts=counts),
        BisectStep(names[2], BisectSide.BAD, counts=counts),
    ]
    found = Bisection(names[0], names[2], {}, search, by="counts")
    with pytest.raises(UndecidedError, match="count the same: --by time"):
        carry_on(found, Workshop(build=Arm, bench=cast("Any", Bench()), delta=0.01, told=print))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="it is the other way round"):
        graph.check_ends(repository, names[1], names[0])
    with pytest.raises(UsageError, match="one commit"):
        graph.check_ends(repository, names[1], names[1])
    git(repository, "checkout", "-q", names[1])
    with pytest.raises(UsageError, match=f"both come from {names[1][:12]}"):
        graph.check_ends(repository, names[2], commit(repository, "elsewhere", "x"))


def test_only_what_the_ends_differ_in_is_asked() -> None:
    good = {"a": {"devices": 3, "lookups": 1}}
    bad = {"a": {"devices": 3, "lookups": 2}}
    assert differing(good, bad) == [("a", "lookups")]
    assert by_counts({"a": {"devices": 9, "lookups": 1}}, good, bad).side is BisectSide.GOOD
    assert by_counts(bad, good, bad) == (BisectSide.BAD, "")
    assert by_counts({"a": {"devices": 3, "lookups": 7}}, good, bad).why


@pytest.mark.parametrize(("shift", "expected"), [(0.0, BisectSide.GOOD), (0.05, BisectSide.BAD)])
def test_pairs_tell_the_side_and_are_rarely_wrong(shift: float, expected: BisectSide) -> None:
    draw, found = random.Random(7), []
    threshold = math.log(8 / 0.005)
    for _ in range(150):
        differences: list[float] = []
        side = None
        while side is None and len(differences) < judging.MOST_PAIRS:
            noise = draw.gauss(0, 0.019) + (0.1 if draw.random() < 0.05 else 0) * draw.choice((-1, 1))
            differences.append(shift + noise)
            side = judging._side(differences, LIMITS, threshold)
        found.append((side, len(differences)))
    assert {side for side, _ in found} == {expected}
    assert sorted(pairs for _, pairs in found)[75] < 40


def test_the_limits_follow_the_least_change_the_ends_allow() -> None:
    cell = Cell("loop", 1, subject="loop")
    wide = judging.SoughtChange(cell, 0.07, Interval(1.0725, 1.04, 1.11, 32, 0.06, "rule"))
    assert list(wide.limits) == pytest.approx([math.log(1.04) / 4, 3 * math.log(1.04) / 4])
    faster = judging.SoughtChange(cell, -0.07, Interval(0.932, 0.90, 0.96, 32, 0.06, "rule"))
    assert list(faster.limits) == pytest.approx([-math.log(0.96) / 4, -3 * math.log(0.96) / 4])


def test_noise_that_hides_the_change_is_not_told() -> None:
    draw = random.Random(3)
    differences = [0.02 + draw.gauss(0, 0.5) for _ in range(judging.MOST_PAIRS)]
    assert judging._side(differences, LIMITS, math.log(8 / 0.005)) is None
