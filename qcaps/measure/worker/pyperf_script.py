"""What a pyperf script in `bench/` needs: our parameters beside pyperf's own, handed on to its workers.

    from qcaps.measure.worker.pyperf_script import bench_task

    if __name__ == "__main__":
        bench_task("define")

`python bench/pyperf/bm_define.py --scenario disks --count 64 --policy once -o once.json` times each run of
the task, its reset untimed, and writes a suite that pyperf's commands read; our counts stand in the metadata.
"""

from __future__ import annotations

import json
from time import perf_counter_ns
from typing import TYPE_CHECKING

import pyperf

from qcaps.files import scratch_folder
from qcaps.measure.cell import Cell
from qcaps.measure.subject import subject
from qcaps.measure.suite import sources

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.subject import PreparedCell

_OPTIONS = (
    ("--scenario", "simple"),
    ("--policy", "naive"),
    ("--validity", "ctime"),
    ("--count", "1"),
)


def bench_task(task: str) -> None:
    """Time one task on the cell that the command line describes, with pyperf's own options."""
    runner = pyperf.Runner(add_cmdline_args=_hand_on)
    for option, default in _OPTIONS:
        runner.argparser.add_argument(option, default=default, help=f"(default: {default})")
    args = runner.parse_args()
    cell = Cell(args.scenario, int(args.count), task, args.validity, args.policy)
    with scratch_folder() as folder:
        arm = subject(cell.subject).prepare(cell, sources([cell])[cell].encode(), folder)
        counts = arm.counts()
        runner.metadata.update(
            cell.to_plain()
            | arm.facts()
            | {"devices": counts.devices, "lookups": counts.lookups, "forks": counts.forks}
            | {"validations": counts.validations, "probes": counts.probes, "sites": json.dumps(counts.sites)}
        )
        runner.bench_time_func(cell.name, _time, arm)
        arm.close()


def _time(loops: int, arm: PreparedCell) -> float:
    """Seconds of so many runs, each put back before the next."""
    total, run, reset, clock = 0, arm.run, arm.reset, perf_counter_ns
    for _ in range(loops):
        start = clock()
        run()
        total += clock() - start
        reset()
    return total / 1e9


def _hand_on(command: list[str], args: argparse.Namespace) -> None:
    """A worker is started with the options that it needs to measure the same."""
    for option, _ in _OPTIONS:
        command += [option, getattr(args, option.lstrip("-"))]
