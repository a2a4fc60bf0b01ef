"""Verdicts as a pure function of differences, and the errors they make on synthetic ones."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from qcaps.measure.gate.verdict import (
    LOOKS,
    PREFLIGHT_PAIRS,
    Margins,
    Verdict,
    doubtful,
    interval,
    judge,
    noise,
    set_apart,
)
from qcaps.measure.statistics import hodges_lehmann

MARGINS = Margins()
STEADY = [0.001, -0.001, 0.002, -0.002, 0.0005, -0.0005, 0.0015, -0.0015] * 16


def shifted(percent: float) -> list[float]:
    return [one + math.log1p(percent / 100) for one in STEADY]


@pytest.mark.parametrize(
    ("percent", "verdict", "most"),
    [
        (0, Verdict.PASS, 8),
        (2, Verdict.FAIL, 12),
        (5, Verdict.FAIL, 12),
        (-5, Verdict.IMPROVED, 12),
        (0.5, Verdict.PASS, 8),
    ],
)
def test_steady_differences_are_soon_judged(percent: float, verdict: Verdict, most: int) -> None:
    found = judge(shifted(percent), MARGINS)
    assert found.verdict is verdict
    assert found.interval is not None
    assert found.interval.pairs == found.wanted <= most
    assert found.interval.ratio == pytest.approx(1 + percent / 100, abs=0.001)
    assert found.interval.low < 1 + percent / 100 < found.interval.high


def test_the_interval_is_that_of_the_verdict_s_rule() -> None:
    slow, fair = judge(shifted(5), MARGINS, 8).interval, judge(shifted(0), MARGINS, 8).interval
    assert slow is not None
    assert fair is not None
    assert slow.low > 1 + MARGINS.delta
    assert (slow.rule, fair.rule) == ("always valid, 99.88%", "Hodges-Lehmann, 98%")


def test_more_series_a_run_take_more_evidence() -> None:
    alone, of_many = judge(shifted(3), MARGINS, 1), judge(shifted(3), MARGINS, 200)
    assert (alone.verdict, of_many.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert alone.wanted < of_many.wanted


def test_more_pairs_are_wanted_until_a_look_decides() -> None:
    wild = [float(one) for one in np.random.default_rng(0).normal(0.02, 0.2, LOOKS[-1])]
    assert judge([], MARGINS).wanted == LOOKS[0]
    for look, following in pairwise(LOOKS):
        found = judge(wild[:look], MARGINS)
        assert (found.verdict, found.wanted) == (None, following)
        assert found.interval is not None
    assert judge(wild, MARGINS).verdict is Verdict.INCONCLUSIVE


def test_margins_decide() -> None:
    assert judge(shifted(5), Margins(0.06, 0.08)).verdict is Verdict.PASS
    assert judge(shifted(-5), Margins(0.06, 0.08)).verdict is Verdict.PASS
    assert judge(shifted(-90), Margins(1.0, 4.0)).verdict is Verdict.PASS
    assert judge(shifted(200), Margins(1.0, 1.5)).verdict is Verdict.FAIL


@pytest.mark.parametrize("count", [8, 12, 16, 24, 32])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_the_bounds_are_those_of_wilcoxons_exact_test(count: int, alpha: float) -> None:
    differences = np.random.default_rng(count).normal(0.02, 0.03, count)
    found = interval(list(differences), 0.01, alpha)
    for bound, side in ((math.log(found.low), "greater"), (math.log(found.high), "less")):
        inwards = 1e-9 if side == "greater" else -1e-9
        rejects = stats.wilcoxon(differences - bound + inwards, method="exact", alternative=side).pvalue
        keeps = stats.wilcoxon(differences - bound - inwards, method="exact", alternative=side).pvalue
        assert rejects <= alpha < keeps


def test_the_bootstrap_agrees_about_the_pseudo_median() -> None:
    differences = np.random.default_rng(5).normal(0.02, 0.03, 32)

    def pseudo_median(sample: np.ndarray) -> float:
        return hodges_lehmann(sample)[1]

    low, middle, high = hodges_lehmann(differences, 0.98)
    resampled = stats.bootstrap(
        (differences,),
        pseudo_median,
        vectorized=False,
        n_resamples=600,
        confidence_level=0.98,
        method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert (low, high) == pytest.approx((resampled.low, resampled.high), abs=0.2 * (high - low))
    assert low < middle < high


def rate(verdicts: tuple[Verdict, ...], percent: float, spread: float, runs: int = 200) -> float:
    """How often differences with heavy tails, as timings have, get one of the verdicts."""
    generator = np.random.default_rng(int(1000 * percent) + 7)
    drawn = generator.standard_t(4, (runs, LOOKS[-1])) * spread + math.log1p(percent / 100)
    return sum(judge(list(row), MARGINS).verdict in verdicts for row in drawn) / runs


def test_no_change_hardly_ever_fails() -> None:
    assert rate((Verdict.FAIL, Verdict.IMPROVED), 0, 0.01) <= 0.005
    assert rate((Verdict.FAIL, Verdict.IMPROVED), 0, 0.05) <= 0.005
    assert rate((Verdict.PASS,), 0, 0.01) > 0.97


def test_slowdowns_are_caught() -> None:
    assert rate((Verdict.FAIL,), 5, 0.01) > 0.99
    assert rate((Verdict.FAIL,), 3, 0.01) > 0.9
    assert rate((Verdict.PASS, Verdict.IMPROVED), 5, 0.03) < 0.01


def test_the_detectable_change_is_detected_nine_times_in_ten() -> None:
    generator = np.random.default_rng(3)
    spread, caught = 0.02, 0
    typical = np.median([interval(list(generator.normal(0, spread, 32)), 0.01).detectable for _ in range(50)])
    for _ in range(400):
        found = interval(list(generator.normal(math.log1p(typical), spread, 32)), 0.01)
        caught += found.low > 1.01
    assert 0.82 < caught / 400 < 0.98


def test_a_noisy_host_is_told_from_a_quiet_one() -> None:
    assert noise(STEADY[:16], 0.01) == ""
    assert not doubtful(STEADY[:16], 0.01)
    assert "differs by +3.0 %" in noise(shifted(3)[:16], 0.01)
    assert "scatter" in noise([0.2, -0.2] * 8, 0.01)
    assert doubtful([0.2, -0.2] * 8, 0.01)


def test_a_quiet_host_is_hardly_ever_called_noisy() -> None:
    generator = np.random.default_rng(9)
    drawn = generator.standard_t(3, (400, PREFLIGHT_PAIRS[-1])) * 0.015
    called = sum(
        all(doubtful(row[:aim], 0.01) for aim in PREFLIGHT_PAIRS) and bool(noise(row, 0.01)) for row in drawn
    )
    assert called <= 2


def test_nothing_passes_while_one_host_is_beyond_delta_by_itself() -> None:
    generator, margins = np.random.default_rng(9), Margins(0.01, 0.012)
    hosts = ["a", "b", "c", "slow"] * 32
    differences = list(generator.normal(0, 0.004, 128) + np.where(np.array(hosts) == "slow", 0.02, 0))
    blind, found = judge(differences, margins), judge(differences, margins, 1, hosts)
    assert (blind.verdict, blind.wanted) == (Verdict.PASS, 32)
    assert (found.verdict, found.wanted) == (Verdict.INCONCLUSIVE, LOOKS[-1])
    ((host, (ratio, pairs)),) = set_apart(differences, hosts, margins).items()
    assert (host, pairs) == ("slow", 32)
    assert ratio == pytest.approx(1.02, abs=0.002)
    assert set_apart(differences[:28], hosts[:28], margins) == {}  # seven pairs of a host are too few to tell
