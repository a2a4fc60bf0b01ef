"""The evidence is a supermartingale: equal arms are found guilty no more often than was said."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from qcaps.measure.gate.evidence import evidence, first_beyond, lower_bound

PAIRS, RUNS = 128, 1500


def drawn(kind: str, limit: float) -> np.ndarray:
    """Differences that are symmetric about `limit`, the worst case of the null hypothesis."""
    generator = np.random.default_rng(17)
    shape = (RUNS, PAIRS)
    if kind == "two values":
        signs: np.ndarray = limit + 0.02 * generator.choice((-1.0, 1.0), shape)
        return signs
    if kind == "wild":
        now_and_then = np.where(generator.random(shape) < 0.05, 6, 1)
        wild: np.ndarray = limit + generator.normal(0, 0.02, shape) * now_and_then
        return wild
    if kind == "changing":  # a host that becomes noisy, and quiet again
        louder: np.ndarray = limit + generator.normal(0, 0.02, shape) * (
            1 + np.sin(np.arange(PAIRS) / 9) ** 2
        )
        return louder
    tails: np.ndarray = limit + 0.01 * generator.standard_t(1.5, shape)
    return tails


@pytest.mark.parametrize("kind", ["two values", "wild", "changing", "heavy tails"])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_stopping_at_the_best_moment_is_wrong_no_more_often_than_alpha(kind: str, alpha: float) -> None:
    limit = math.log(1.01)
    found = sum(first_beyond(list(row), limit, -math.log(alpha)) is not None for row in drawn(kind, limit))
    assert found <= alpha * RUNS + 3 * math.sqrt(alpha * RUNS)


def test_evidence_is_one_on_average_after_a_few_pairs() -> None:
    after = [math.exp(evidence(list(row), 0.0)[3]) for row in drawn("wild", 0.0)]
    assert np.mean(after) == pytest.approx(1, abs=4 * float(np.std(after)) / math.sqrt(RUNS))


def test_a_larger_difference_is_never_less_evidence() -> None:
    rising = [evidence([0.0, 0.01, one], 0.0)[-1] for one in np.linspace(-0.2, 0.2, 41)]
    assert all(after >= before for before, after in pairwise(rising))


def test_a_shift_is_found_and_its_bound_lies_below_it() -> None:
    differences = list(np.random.default_rng(3).normal(0.03, 0.015, 40))
    pairs = first_beyond(differences, 0.0, math.log(200))
    assert pairs is not None
    assert 8 < pairs < 25
    assert 0 < lower_bound(differences, math.log(200)) < 0.03
    assert first_beyond(differences, 0.03, math.log(200)) is None


def test_a_wild_pair_neither_decides_nor_spoils() -> None:
    steady = [0.02, 0.021, 0.019, 0.02] * 6
    assert first_beyond([*steady[:6], -3.0, *steady[6:]], 0.0, math.log(200)) is not None
    assert first_beyond([3.0] * 3, 0.0, math.log(200)) is None


def in_turns(generator: np.random.Generator, limit: float) -> tuple[list[float], list[str]]:
    """Pairs of a quiet, a loud and a wild host, in an order that is drawn; all symmetric about the limit."""
    hosts = generator.choice(["quiet", "loud", "wild"], PAIRS, p=[0.5, 0.3, 0.2])
    scatter = np.select([hosts == "quiet", hosts == "loud"], [0.003, 0.02], 0.1)
    return list(limit + generator.normal(0, scatter)), list(hosts)


def test_pairs_of_several_hosts_are_wrong_no_more_often_and_a_loud_host_does_not_drown_a_quiet_one() -> None:
    generator, limit, alpha = np.random.default_rng(5), math.log(1.01), 0.01
    found = sum(first_beyond(*in_order(generator, limit, alpha)) is not None for _ in range(RUNS))
    assert found <= alpha * RUNS + 3 * math.sqrt(alpha * RUNS)
    shifted = [in_turns(generator, 0.03) for _ in range(100)]
    together = [first_beyond(differences, limit, math.log(200)) or PAIRS for differences, _ in shifted]
    apart = [
        first_beyond(differences, limit, math.log(200), hosts) or PAIRS for differences, hosts in shifted
    ]
    assert np.mean(apart) < np.mean(together)


def in_order(
    generator: np.random.Generator, limit: float, alpha: float
) -> tuple[list[float], float, float, list[str]]:
    differences, hosts = in_turns(generator, limit)
    return differences, limit, -math.log(alpha), hosts


def test_one_host_by_its_name_is_as_one_without() -> None:
    differences = list(np.random.default_rng(3).normal(0.03, 0.015, 40))
    assert (evidence(differences, 0.01, ["a"] * 40) == evidence(differences, 0.01)).all()
