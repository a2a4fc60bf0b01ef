"""The summary and the table, from results whose answer is known."""

from __future__ import annotations

import pytest
from rich.console import Console

from qcaps import units
from qcaps.measure.cell import Cell
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts
from qcaps.report import summary, table


def arm(
    policy: str, factor: float, workers: tuple[int, ...] = (3, 4), lookups: int = 2, blocks: int = 10
) -> Measured:
    """Two workers, one twice as slow as the other; `factor` is the policy's own part."""
    runs = tuple(
        Run(worker, tuple((factor * (worker - 2) * (1 + step / 100), 99.0) for step in range(blocks)), (), {})
        for worker in workers
    )
    return Measured(Cell("disks", 4, policy=policy), Counts(21, lookups, lookups, lookups, 0), runs)


RESULTS = Results((arm("naive", 0.004, lookups=23), arm("once", 0.001, workers=(4, 3), lookups=1)))


def test_a_ratio_is_taken_within_a_round_of_a_worker() -> None:
    (found,) = summary.speedups(RESULTS)
    assert [found.ratio, found.low, found.high] == pytest.approx([4, 4, 4])
    assert found.pairs == 20


def test_the_summary_has_the_promised_keys() -> None:
    plain = summary.to_json(summary.speedups(RESULTS))
    assert list(plain) == ["speedups"]
    (one,) = plain["speedups"]
    assert set(one) == {
        *("scenario", "n", "devices", "task", "validity", "baseline", "policy", "ratio", "low", "high"),
        *("lookups", "forks", "subject"),
    }
    assert one["lookups"] == {"naive": 23, "once": 1}
    assert (one["devices"], one["n"]) == (21, 4)


def test_another_baseline() -> None:
    (found,) = summary.speedups(RESULTS, baseline="once")
    assert found.policy == "naive"
    assert found.ratio == pytest.approx(0.25)
    assert summary.speedups(RESULTS, baseline="series") == ()


def test_workers_that_share_no_round_give_no_ratio() -> None:
    apart = Results((arm("naive", 0.004, workers=(3,)), arm("once", 0.001, workers=(4,))))
    assert summary.speedups(apart) == ()
    assert [row.speedup for rows in table.rows(apart) for row in rows] == ["", ""]


def test_too_few_pairs_for_an_interval_are_told_instead() -> None:
    few = Results((arm("naive", 0.004, workers=(3,), blocks=5), arm("once", 0.001, workers=(3,), blocks=5)))
    assert [row.speedup for rows in table.rows(few) for row in rows] == ["", "4.00 (5 pairs)"]


def test_the_table_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(table.table(RESULTS))
    said = capsys.readouterr().out
    assert "disks/4 define fork" in said
    assert "  once " in said
    assert "4.00 [4.00-4.00]" in said
    assert "…" not in said


def test_the_table_says_it_in_words() -> None:
    ((naive, once),) = table.rows(RESULTS)
    assert naive[:7] == ("reference", "disks", "4", "21", "define", "fork", "naive")
    assert (naive.speedup, naive.lookups) == ("", "23")
    assert (once.time, once.speedup, once.lookups, once.forks) == ("1.54 ms", "4.00 [4.00-4.00]", "1", "1")
    lines = table.markdown(RESULTS).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == len(table.HEADINGS) + 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.2e-7, "0.42 µs"),
        (0.0009994, "999 µs"),
        (0.0009996, "1.00 ms"),
        (0.0123, "12.3 ms"),
        (0.09996, "100 ms"),
        (0.9999, "1.00 s"),
        (12.34, "12.3 s"),
    ],
)
def test_durations_keep_three_digits(seconds: float, said: str) -> None:
    assert units.duration(seconds) == said
