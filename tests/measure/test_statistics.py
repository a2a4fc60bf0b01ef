"""Estimates and intervals, with scipy and brute force as the oracle."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from qcaps.measure.statistics import (
    hodges_lehmann,
    paired_ratio,
    power_law,
    signed_rank_distribution,
    walsh_averages_outside,
)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_the_distribution_is_that_of_all_sign_patterns(count: int) -> None:
    ranks = range(1, count + 1)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=count)]
    counted = np.bincount(sums, minlength=count * (count + 1) // 2 + 1) / 2**count
    assert signed_rank_distribution(count) == pytest.approx(counted)


@pytest.mark.parametrize("count", [6, 13, 40])
def test_the_interval_holds_what_the_exact_test_does_not_reject(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.3, 1, count)
    low, _, high = hodges_lehmann(differences)
    for bound, inwards in ((low, 1e-9), (high, -1e-9)):
        inside = stats.wilcoxon(differences - bound - inwards, method="exact").pvalue
        outside = stats.wilcoxon(differences - bound + inwards, method="exact").pvalue
        assert inside > 0.05 >= outside


def test_the_approximation_joins_the_exact_count() -> None:
    for count in (51, 80, 160):
        below = np.cumsum(signed_rank_distribution(count))
        exact = int(np.searchsorted(below, 0.025, side="right")) - 1
        assert walsh_averages_outside(count, 0.95) == pytest.approx(exact, abs=1)


def test_the_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        low, _, high = hodges_lehmann(generator.standard_t(2, 20))
        held += low <= 0 <= high
    assert 0.92 < held / 400 < 0.98


def test_wild_values_hardly_move_the_estimate() -> None:
    base = [1.0 + index / 1000 for index in range(20)]
    found = paired_ratio([3 * value for value in base[:-1]] + [500.0], base)
    assert found.ratio == pytest.approx(3, rel=1e-6)
    assert found.low == pytest.approx(3)
    assert found.pairs == 20


def test_few_pairs_give_the_widest_interval() -> None:
    found = paired_ratio([2.0, 3.0, 4.0], [1.0, 1.0, 1.0])
    assert [found.low, found.high] == pytest.approx([2, 4])
    with pytest.raises(ValueError, match="no differences"):
        paired_ratio([], [])


def test_a_power_law_is_found_again() -> None:
    exponent, factor = power_law([1, 10, 100], [2 * x**1.5 for x in (1, 10, 100)])
    assert exponent == pytest.approx(1.5)
    assert math.isclose(factor, 2)
