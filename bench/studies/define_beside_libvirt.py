"""The reference's own define beside libvirt's, on the same domains, in one run.

    python bench/studies/define_beside_libvirt.py -n 16 64 128

The reference runs with the policy `naive` and the validity `ctime`: the lookups and the checks that
libvirt 9.0.0 makes. libvirt is the embedded driver, unmodified and not counted. Both write to file systems
of one kind (in memory as root, else the temporary directory's) and stay on one CPU. Blocks of calls
alternate, the order drawn; a block's value is its quickest call; both are started afresh several times.
Takes the extra `live`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from qcaps.live.host.embedded import Embedded
from qcaps.measure.cell import Cell
from qcaps.measure.statistics import paired_ratio
from qcaps.measure.subject import subject
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from qcaps.measure.subject import PreparedCell

CALLS = 8
PAIRS = 12
PROCESSES = 3


def main() -> int:
    """Measure, and print a row a domain."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="disks")
    parser.add_argument("-n", nargs="+", type=int, default=[16, 64, 128])
    parser.add_argument("--policy", default="naive")
    parser.add_argument("--validity", default="ctime")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [compare(Cell(args.scenario, n, "define", args.validity, args.policy)) for n in args.n]
    sys.stdout.write((json.dumps(rows, indent=2) if args.json else _table(rows)) + "\n")
    return 0


def _table(rows: list[dict[str, float | str]]) -> str:
    lines = ["| domain | reference ms | libvirt ms | reference / libvirt [95 %] |", "|---|---:|---:|---|"]
    lines += [
        f"| {row['domain']} | {row['reference_ms']:.2f} | {row['libvirt_ms']:.2f} |"
        f" {row['ratio']:.2f} [{row['low']:.2f}-{row['high']:.2f}] |"
        for row in rows
    ]
    return "\n".join(lines)


def compare(cell: Cell) -> dict[str, float | str]:
    """Milliseconds of the quickest calls (medians of blocks), and the ratio from pairs of blocks."""
    xml = scenario(cell.scenario).xml(cell.n, cell.seed)
    draw = random.Random(0)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(PROCESSES):
        with tempfile.TemporaryDirectory(dir=_memory()) as folder, Embedded("none") as libvirt:
            arm = subject("reference").prepare(cell, xml.encode(), Path(folder))
            _ours(arm)
            _theirs(libvirt, xml)
            # As in every other block that qcaps times.
            gc.collect()
            gc.freeze()
            gc.disable()
            for _ in range(PAIRS):
                best: dict[int, float] = {}
                for side in draw.sample((0, 1), 2):
                    best[side] = _theirs(libvirt, xml) if side else _ours(arm)
                ours.append(best[0])
                theirs.append(best[1])
            gc.enable()
            arm.close()
    found = paired_ratio(ours, theirs)
    return {
        "domain": f"{cell.scenario}/{cell.n}",
        "reference_ms": sorted(ours)[len(ours) // 2] / 1e6,
        "libvirt_ms": sorted(theirs)[len(theirs) // 2] / 1e6,
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
    }


def _ours(arm: PreparedCell) -> float:
    run, reset = arm.run, arm.reset
    values = []
    for _ in range(CALLS):
        start = perf_counter_ns()
        run()
        values.append(perf_counter_ns() - start)
        reset()
    return min(values)


def _theirs(libvirt: Embedded, xml: str) -> float:
    return min(cost.ns for cost in libvirt.costs("define", xml, [False] * CALLS))


def _memory() -> str | None:
    """A private libvirt of root's writes to memory, that of anyone else to the temporary folder."""
    return "/dev/shm" if os.geteuid() == 0 and Path("/dev/shm").is_dir() else None  # noqa: S108


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.exit(main())
