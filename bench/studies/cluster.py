"""What Dask costs beside measuring, and whether workers that are killed lose or double anything.

    python bench/studies/cluster.py overhead --cells 60
    python bench/studies/cluster.py kills --cells 1000 --hosts 4 --kills 20

Both start a scheduler and workers on the loopback, with TLS; the hosts are one machine under several names.
`overhead`: errands of about a second; the share by which all took longer than the hosts were measuring, which
is what a run on one host does too: a process for the errand, its answer as results. `kills`: short errands,
while Dask workers are killed at random; every comparison must be there once, whole.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.measure.cell import Cell
from qcaps.measure.cluster.connection import Access, connected
from qcaps.measure.cluster.errands import OnHosts
from qcaps.measure.schedule import Log, Plan, measure

# A cluster on the loopback is what the tests have, beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.clusters import FILES, Loopback, loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SECOND, _SHORT = (20_000, 40), (500, 2)
"""Length of the loop and pairs of an errand of about one second, and of a short one."""


@dataclass(frozen=True)
class Watched(OnHosts):
    """Hosts whose time is taken down: seconds by host."""

    seconds: list[tuple[str, float]] = field(default_factory=list)

    def answered(self, answer: Mapping[str, Any]) -> None:
        """One errand is done."""
        self.seconds.append((answer["host"], answer["seconds"]))


def main() -> int:
    """Print what was found; 1 if it is not as promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=("overhead", "kills"))
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=_SECOND[1], help="fewer on a machine that is busy")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    names = [f"h{number}" for number in range(args.hosts)]
    with tempfile.TemporaryDirectory() as place, loopback(Path(place), *names) as found:
        return (_overhead if args.study == "overhead" else _kills)(args, found, Path(place))


def _overhead(args: argparse.Namespace, found: Loopback, place: Path) -> int:
    size = (_SECOND[0], args.pairs)
    _run(found, place, args.hosts, size)  # what a host finds out once
    wall, hosts, _ = _run(found, place, args.cells, size)
    measuring = sum(seconds for _, seconds in hosts.seconds)
    share = wall * args.hosts / measuring - 1
    sys.stdout.write(
        f"{args.cells} errands of {measuring / args.cells:.2f} s on {args.hosts} hosts: {wall:.1f} s,"
        f" {100 * share:.1f} % over measuring\n"
    )
    return int(share > 0.03)  # noqa: PLR2004  # what is promised


def _kills(args: argparse.Namespace, found: Loopback, place: Path) -> int:
    draw, over, killed = random.Random(args.seed), threading.Event(), Counter[str]()

    def strike() -> None:
        while not over.is_set() and killed.total() < args.kills:
            worker = draw.choice(list(found.workers))
            over.wait(draw.uniform(0, 2 * args.cells / args.kills / args.hosts * 0.4))
            log = found.folder / f"{worker}.log"
            registered = log.read_text().count("Registered to:")
            found.kill(worker)
            killed[worker] += 1
            found.wait_for(worker, registered + 1)

    killer = threading.Thread(target=strike)
    killer.start()
    wall, hosts, log = _run(found, place, args.cells, _SHORT)
    over.set()
    killer.join()
    runs = Counter(one.cell for one in log.results.measured for _ in one.runs)
    whole = all(len(run.blocks) == _SHORT[1] for one in log.results.measured for run in one.runs)
    once = len(runs) == args.cells and set(runs.values()) == {1}
    shares = Counter(host for host, _ in hosts.seconds)
    sys.stdout.write(
        f"{args.cells} errands on {args.hosts} hosts in {wall:.0f} s, {killed.total()} kills:"
        f" {len(runs)} comparisons are there, {sum(runs.values())} runs, all whole: {whole};"
        f" lost {len(log.lost)}, refused {len(log.refused)}; by host {dict(sorted(shares.items()))}\n"
    )
    for comparison, why in (*log.lost.items(), *log.refused.items()):
        sys.stdout.write(f"{comparison.name}: {why}\n")
    return int(not (once and whole and killed.total() == args.kills))


def _run(found: Loopback, place: Path, cells: int, size: tuple[int, int]) -> tuple[float, Watched, Log]:
    length, pairs = size
    loops = tuple(Cell("loop", length + number, subject="loop") for number in range(cells))
    plan, log = Plan(cells=loops, pairs=pairs, processes=1), Log()
    pem = {name: found.folder / file for name, file in FILES.items()}
    with connected(Access(found.address, **pem)) as cluster:
        hosts = Watched(cluster, {})
        begun = time.monotonic()
        measure(plan, place / "results.json", log, hosts, lambda *_: None)
        return time.monotonic() - begun, hosts, log


if __name__ == "__main__":
    sys.exit(main())
