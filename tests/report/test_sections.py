"""What each section shows: its data, from results that follow a known law."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from qcaps.measure.cell import Cell, grid
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.report.fit import fit_line, fit_speedup
from qcaps.report.section import present, sections
from qcaps.report.sources import Gate, GateRow, Sources
from tests.support import reporting

FULL = reporting.sources(reporting.full())
DEVICE, REST = reporting.DEVICE, reporting.REST
FORK, CTIME = reporting.LOOKUP["fork"], reporting.LOOKUP["ctime"]


def ratio(devices: int, slow: int, quick: int, lookup: float = FORK) -> float:
    rest = REST + devices * DEVICE
    return float((rest + slow * lookup) / (rest + quick * lookup))


def test_a_line_is_found_again_and_its_interval_holds_it() -> None:
    samples = {n: [(1e-3 + n * 5e-5) * (1 + step / 1000) for step in range(-10, 11)] for n in (5, 20, 100)}
    line = fit_line(samples)
    assert line is not None
    assert line.slope.value == pytest.approx(5e-5, rel=1e-6)
    assert line.intercept.value == pytest.approx(1e-3, rel=1e-6)
    assert line.slope.low < 5e-5 < line.slope.high
    assert line.at(40) == pytest.approx(3e-3)
    assert fit_line({5: [1.0]}) is None


def test_a_speedup_tends_to_the_ratio_of_the_slopes() -> None:
    slow = {n: [2e-3 + n * 60e-5] * 6 for n in (5, 20, 100)}
    quick = {n: [2e-3 + n * 3e-5] * 6 for n in (5, 20, 100)}
    found = fit_speedup(slow, quick)
    assert found is not None
    assert found.limit is not None
    assert found.limit.value == pytest.approx(20)
    assert found.at(100) == pytest.approx(62e-3 / 5e-3)
    flat = fit_speedup(slow, {n: [2e-3 - n * 1e-6] * 6 for n in (5, 20, 100)})
    assert flat is not None
    assert flat.limit is None


def test_the_verdict_names_the_guest_and_the_largest_domain() -> None:
    module = reporting.module("verdict")
    verdict = module.data(FULL)
    first, second = verdict.best[:2]
    assert (first.scenario, first.policy, first.validity) == ("simple", "once", "ctime")
    assert first.ratio == pytest.approx(ratio(10, 12, 1, CTIME))
    assert (second.devices, second.policy) == (73, "once")
    assert verdict.slower == 2, "patch 8 adds a lookup to define and to createXML"
    assert verdict.faster + verdict.slower + verdict.unclear + verdict.few == len(
        reporting.module("forest").data(FULL).rows
    )
    # the blocks are the law itself, scaled alike: no noise is left in a pair
    assert verdict.detectable == pytest.approx(0, abs=1e-9)
    words = module.content(verdict)
    assert f"{ratio(10, 12, 1, CTIME):.2f} times as fast [" in words.finding
    assert "'fork' (before 4.10)" in verdict.cards[-1].words
    assert "surely faster" in " ".join(words.notes)


def test_a_gain_that_may_be_none_is_no_headline() -> None:
    arms = list(reporting.grown("disks", ns=(1,)).measured)

    def scattered(arm: Measured) -> Measured:
        turn = arm.cell.policy == "once"
        blocks = tuple((1e-3 * (1 + (step + turn) % 2),) for step in range(8))
        return replace(arm, runs=(replace(arm.runs[0], blocks=blocks),))

    module = reporting.module("verdict")
    words = module.content(module.data(reporting.sources(Results(tuple(map(scattered, arms))))))
    assert words.finding.startswith("Whether 'once' is faster than 'naive' cannot be told (define of 1 disk")
    assert "times as fast" not in words.finding


def test_too_few_pairs_are_said_to_be_too_few() -> None:
    one = [
        replace(arm, runs=(replace(arm.runs[0], blocks=arm.runs[0].blocks[:2]),))
        for arm in reporting.full().measured
    ]
    few = reporting.sources(Results(tuple(one)))
    words = reporting.module("verdict").content(reporting.module("verdict").data(few))
    assert "too few to be sure" in words.finding
    assert {row.verdict for row in reporting.module("forest").data(few).rows} == {"too few pairs"}


def test_the_speedup_has_a_line_a_policy_and_real_libvirt() -> None:
    drawing = reporting.module("speedup_by_devices").data(FULL)
    first = next(panel for panel in drawing.panels if panel.validity == "fork")
    assert (drawing.panels[0].validity, first.scenario) == ("ctime", "disks@pc")
    assert [line.policy for line in first.lines] == ["series", "once", "once-abort", "oracle"]
    once = first.lines[1]
    assert [point.devices for point in once.points] == [9, 10, 13, 25, 73]
    assert once.points[-1].ratio == pytest.approx(ratio(73, 75, 1))
    assert once.model.limit.value == pytest.approx((DEVICE + FORK) / DEVICE, rel=1e-3)
    assert once.model.at(73) == pytest.approx(once.points[-1].ratio, rel=1e-3)
    assert [point.ratio for point in first.real] == [2.46, 2.75, 3.46, 6.21, 14.8, 21.7, 31.4]
    assert all(panel.real == () for panel in drawing.panels if panel.validity != "fork")


def test_live_points_stand_beside_the_reference() -> None:
    cells = [
        replace(cell, subject="libvirt") for cell in grid(("disks@pc",), (4,), policies=("stock", "once"))
    ]
    both = Results((*reporting.grown("disks@pc").measured, *reporting.of(cells).measured))
    panels = reporting.module("speedup_by_devices").data(reporting.sources(both)).panels
    assert [point.devices for point in panels[-1].live] == [13]


def live(scenario: str) -> Results:
    cells = grid((scenario,), (1, 8, 64), validities=("ctime",), policies=("stock", "once"))
    found = reporting.of(replace(cell, subject="libvirt") for cell in cells).measured
    return Results(tuple(reporting.with_facts(one, law=one.counts.devices + 2) for one in found))


def test_a_real_libvirt_is_held_to_its_law_and_drawn_beside_the_reference() -> None:
    section = reporting.module("live_libvirt")
    both = Results((*reporting.grown("disks@pc").measured, *live("disks@pc").measured))
    value = section.data(reporting.sources(both))
    assert [(row.devices, row.lookups, row.law) for row in value.rows] == [
        (10, 12, 12),
        (17, 19, 19),
        (73, 75, 75),
    ]
    assert "3 of 3 domains counted exactly that" in section.content(value).finding
    (panel,) = value.panels
    assert set(panel.curves) == {
        *(("libvirt", policy) for policy in ("stock", "once")),
        *(("reference", policy) for policy in ("naive", "once")),
    }


def test_a_real_libvirt_that_breaks_its_law_is_marked() -> None:
    section = reporting.module("live_libvirt")
    first, *rest = live("disks@pc").measured
    more = replace(first, counts=replace(first.counts, lookups=first.counts.lookups + 1))
    words = section.content(section.data(reporting.sources(Results((more, *rest)))))
    assert "2 of 3 domains" in words.finding
    assert words.tables[0].bad == {(0, 4)}


def test_without_a_real_libvirt_there_is_no_such_section() -> None:
    assert reporting.module("live_libvirt").data(FULL) is None


def test_counts_go_through_the_releases_with_the_law_of_each() -> None:
    section = reporting.module("releases")
    at_hand = [reporting.with_facts(one, libvirt_version="9.0.0") for one in live("disks").measured]
    nameless = live("serials").measured
    assert section.data(reporting.sources(Results((*at_hand, *nameless)))) is None, "one release is no row"
    newer = [
        reporting.with_facts(
            replace(
                one,
                cell=replace(one.cell, subject="libvirt:/new"),
                counts=replace(one.counts, devices=140, lookups=143),
            ),
            libvirt_version="13.1.0",
        )
        for one in live("disks").measured
        if one.cell.n == 64
    ]
    value = section.data(reporting.sources(Results((*at_hand, *newer))))
    assert value.releases == ("7.0.0", "9.0.0", "11.3.0", "12.8.0", "13.1.0")
    assert [(one.release, one.lookups, one.law, one.here) for one in value.of("attach")] == [
        ("7.0.0", 4, 4, False),
        ("9.0.0", 4, 4, False),
        ("11.3.0", 145, 145, False),
        ("12.8.0", 145, 145, False),
    ]
    last = value.of("define")[-1]
    assert (last.release, last.lookups, last.law, last.here) == ("13.1.0", 143, 142, True)
    words = section.content(value)
    assert "139 times in 7.0.0, 143 in 13.1.0" in words.finding
    (table,) = words.tables
    assert [table.rows[row][1] for row, _ in table.bad] == ["13.1.0"], "more than its law"


def test_today_is_the_newest_libvirt() -> None:
    older = [
        reporting.with_facts(
            replace(one, cell=replace(one.cell, subject="libvirt:/old")), libvirt_version="9.10.0"
        )
        for one in live("disks").measured
    ]
    newer = [reporting.with_facts(one, libvirt_version="12.8.0") for one in live("serials").measured]
    section = reporting.module("today")
    value = section.data(reporting.sources(Results((*older, *newer))))
    assert value.release == "12.8.0", "9.10 is older than 12.8"
    assert {row.scenario for row in value.rows} == {"serials"}
    gain = value.rows[-1].gain.ratio
    assert gain == pytest.approx(1 + 75 * CTIME / (REST + 73 * DEVICE), rel=0.5)
    words = section.content(value)
    assert words.finding.startswith("libvirt 12.8.0 looks up 75 times to define 64 serial ports (73 devices)")
    assert f"{gain:.2f} times as fast [" in words.finding
    assert "qcaps live whatif guest.xml" in [one.command for one in words.commands]


@pytest.mark.parametrize("blocks", [1, 5])
def test_too_few_pairs_make_no_claim_and_no_interval(blocks: int) -> None:
    everything = Results((*reporting.full().measured, *live("disks").measured))
    few = [
        replace(arm, runs=(replace(arm.runs[0], blocks=arm.runs[0].blocks[:blocks]),))
        for arm in everything.measured
    ]
    shown = present(sections(reporting.sources(Results(tuple(few)))))
    assert len(shown) > 10
    for section in shown:
        said = " ".join((section.content.finding, *section.content.notes))
        tables = () if section.name == "policy_by_validity" else section.content.tables
        cells = " ".join(cell for table in tables for row in table.rows for cell in row)
        assert not re.search(r"[\d.]+ \[[\d.]+ to [\d.]+\]", said + cells), section.name
        assert "Each device adds" not in said
    notes = " ".join(next(section for section in shown if section.name == "verdict").content.notes)
    assert "0 are surely faster, 0 surely slower" in notes
    assert f"fewer than {FEWEST_PAIRS} pairs" in notes


def test_a_slope_that_may_be_none_is_no_title() -> None:
    section = reporting.module("time_by_devices")

    def wild(arm: Measured) -> Measured:
        """Times that have nothing to do with the number of devices."""
        blocks = tuple((1e-3 * (1 + (step * 7 + arm.cell.n) % 5),) for step in range(8))
        return replace(arm, runs=(replace(arm.runs[0], blocks=blocks),))

    arms = [wild(arm) if arm.cell.policy == "once" else arm for arm in reporting.grown("disks").measured]
    words = section.content(section.data(reporting.sources(Results(tuple(arms)))))
    assert "with 'once' it cannot be told" in words.finding
    assert not re.search(r"-\d", words.finding)


def test_the_cost_of_a_device_is_the_law_s() -> None:
    drawing = reporting.module("time_by_devices").data(FULL)
    naive, *_, oracle = next(panel for panel in drawing.panels if panel.validity == "fork").lines
    assert naive.fit.slope.value == pytest.approx((DEVICE + FORK) * 1.0175, rel=1e-3)
    assert oracle.fit.slope.value == pytest.approx(DEVICE * 1.0175, rel=1e-3)
    assert oracle.fit.intercept.value == pytest.approx(REST * 1.0175, rel=1e-2)
    words = reporting.module("time_by_devices").content(drawing)
    assert "Each device adds 50.9 µs with 'naive' and 30.5 µs with 'once'" in words.finding


def test_the_time_goes_into_forks() -> None:
    panels = reporting.module("where_time_goes").data(FULL)
    assert [(panel.validity, panel.devices) for panel in panels] == [("ctime", 73), ("fork", 73)]
    naive = panels[1].bars[0]
    assert (naive.policy, naive.lookups, naive.forks) == ("naive", 75, 75)
    assert naive.parts["forks"] == pytest.approx(75 * 450)
    assert naive.asking == pytest.approx(75 * FORK / (REST + 73 * DEVICE + 75 * FORK))


def test_the_ladder_has_twelve_steps_a_task() -> None:
    ladders = reporting.module("ladder").data(FULL)
    assert [ladder.task for ladder in ladders] == ["define", "start", "createXML"]
    define = [step.lookups for step in ladders[0].steps]
    assert define == [12] * 8 + [13, 12, 12, 2]
    assert ladders[0].steps[-1].ratio == pytest.approx(ratio(10, 12, 2))
    assert "patch 11 of the series takes most" in reporting.module("ladder").content(ladders).finding


def test_the_map_says_what_sharing_and_what_cheaper_checks_buy() -> None:
    matrix = reporting.module("policy_by_validity").data(FULL)[0]
    assert (matrix.scenario, matrix.validities) == ("simple", ("ctime", "watch", "trust", "fork"))
    assert ("naive", "fork") not in matrix.ratios
    assert matrix.ratios["once", "fork"].ratio == pytest.approx(ratio(10, 12, 1))
    assert matrix.ratios["once", "trust"].ratio == pytest.approx(ratio(10, 12, 1, 1e-6))
    assert matrix.seconds["naive", "fork"].low < matrix.seconds["naive", "fork"].value
    assert "patch-3" not in matrix.policies


def test_counts_that_differ_are_first_and_red() -> None:
    module = reporting.module("counters")
    right = reporting.grown("disks").measured
    counts = replace(right[0].counts, lookups=99)
    wrong = reporting.sources(Results((replace(right[0], counts=counts), *right[1:])))
    words = module.content(module.data(wrong))
    assert "1 of 30 arms do NOT" in words.finding
    table, agree = words.tables
    assert (table.folded, agree.folded) == (False, True)
    assert table.rows[0][6:8] == ("12", "99")
    assert {row for row, _ in table.bad} == {0}
    assert "All 30 arms" in module.content(module.data(reporting.sources(Results(right)))).finding


def test_the_formula_is_read_off_the_law() -> None:
    groups = {(group.task, group.policy): group.lookups for group in reporting.module("counters").data(FULL)}
    assert groups["define", "naive"] == "2 + D"
    assert groups["createXML", "patch-8"] == "5 + 2 D"
    assert groups["define", "oracle"] == "0"


def test_the_timeline_has_a_mark_for_each_lookup_and_fork() -> None:
    module = reporting.module("timeline")
    drawing = module.data(FULL)
    assert (drawing.scenario, drawing.task, drawing.validity) == ("simple", "define", "ctime")
    forked = [arm for arm in reporting.full().measured if arm.cell.validity == "fork"]
    drawing = module.data(reporting.sources(Results(tuple(forked))))
    assert list(drawing.traces) == ["naive", "once"]
    assert [len(drawing.marks(policy, "lookup")) for policy in drawing.traces] == [12, 1]
    assert [len(drawing.marks(policy, "fork")) for policy in drawing.traces] == [12, 1]
    perfetto, speedscope = (json.loads(link.text) for link in module.content(drawing).links)
    durations = [event["dur"] for event in perfetto["traceEvents"] if event.get("cat") == "fork"]
    assert len(durations) == 13
    for profile in speedscope["profiles"]:
        ats = [event["at"] for event in profile["events"]]
        assert ats == sorted(ats)
        assert sum(1 if event["type"] == "O" else -1 for event in profile["events"]) == 0


def test_the_order_shows_a_burst() -> None:
    arms = reporting.grown("disks").measured
    quiet = [
        replace(arm, runs=tuple(replace(arm.runs[0], worker=worker) for worker in range(8))) for arm in arms
    ]
    module = reporting.module("run_order")
    order = module.data(reporting.sources(Results(tuple(quiet))))
    assert (len(order.jobs), order.bursts, order.drift) == (8, 0, 0)
    loud = [
        replace(arm, runs=tuple(run if run.worker != 5 else _slower(run) for run in arm.runs))
        for arm in quiet
    ]
    order = module.data(reporting.sources(Results(tuple(loud))))
    assert order.bursts == 1
    assert order.jobs[5].middle == pytest.approx(1, abs=0.05)
    assert "1 of 8 jobs" in module.content(order).finding


def _slower(run: Run) -> Run:
    blocks = tuple((2 * call,) for (call,) in run.blocks)
    return replace(run, blocks=blocks)


def test_real_libvirt_names_the_cost_that_differs() -> None:
    module = reporting.module("real_libvirt")
    comparison = module.data(FULL)
    assert [row.domain for row in comparison.rows] == [
        *("empty", "simple", "1 virtio disk", "4 virtio disks", "16 virtio disks", "64 virtio disks")
    ]
    row = comparison.rows[-1]
    assert row.ratio == pytest.approx(ratio(73, 75, 2))
    assert row.our_costs.lookup == pytest.approx(500 * 1.0175, rel=1e-6)
    assert row.their_costs.lookup == pytest.approx((47200 - 3196) / 71)
    assert row.within == (abs(row.ratio / 14.8 - 1) <= 0.25)
    for row in comparison.rows:
        assert bool(row.cause) != row.within
        rest = row.our_costs.fsync + row.our_costs.work
        assert rest + 2 * row.our_costs.lookup == pytest.approx(
            1e6 * reporting.seconds(Cell("", 0, policy="series"), row.devices) * 1.0175
        )


def test_files_of_several_commits_are_a_history() -> None:
    older = reporting.of(grid(("disks",), (1, 8), policies=("naive", "once")))
    newer = Results(
        tuple(
            reporting.measured(one.cell, git_commit="fedcba", date="2026-11-23 12:00:00")
            for one in older.measured
        )
    )
    side = reporting.module("files").data(reporting.sources(older, newer))
    assert side.is_history
    assert len(side.series) == 2
    assert side.series[0].change == pytest.approx(1)
    assert reporting.module("files").data(reporting.sources(older)) is None


def test_the_newest_file_has_the_last_word() -> None:
    older = reporting.of(grid(("disks",), (1, 8), policies=("naive", "once")))
    newer = Results(tuple(replace(one, counts=replace(one.counts, devices=99)) for one in older.measured[:2]))
    merged = reporting.sources(older, newer).results
    assert sorted(one.counts.devices for one in merged.measured) == [17, 17, 99, 99]


def test_a_gate_s_report_is_shown_the_worst_first() -> None:
    rows = (
        GateRow("a", "PASS", 1.0, 0.99, 1.01, 8, 0.02),
        GateRow("b", "FAIL", 1.2, 1.1, 1.3, 32, 0.05),
        GateRow("c", "INCONCLUSIVE", None, None, None, 0, None),
    )
    given = Sources(
        (), gates=(Gate("gate-report.json", "1 FAIL, 1 PASS", "v1", "v2", rows, ("naive: 3, not 2",)),)
    )
    module = reporting.module("gate")
    gated = module.data(given)
    assert [row.verdict for row in gated.rows] == ["FAIL", "PASS"]
    words = module.content(gated)
    assert words.notes[0].endswith("2.0 % at best, 5.0 % at worst.")
    assert "naive: 3, not 2" in words.notes[1]
    assert "1 FAIL" in reporting.module("verdict").content(reporting.module("verdict").data(given)).finding


def test_provenance_says_where_it_is_from() -> None:
    (origin,) = reporting.module("provenance").data(FULL)
    facts = dict(origin.facts)
    assert facts["commit"] == "0123456789abcdef"
    assert facts["fsync of 4 kB"] == "300.0 µs"
    assert origin.command == "qcaps run reference"
