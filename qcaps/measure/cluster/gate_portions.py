"""What a host does for a gate: it counts, holds base against itself, takes rounds; as plain values.

A portion has the arms with their packages, and a row for each cell: its domain, and what this host's earlier
portions found of how many calls make a block and the pause before each.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.files import make_folder, scratch_folder
from qcaps.measure import circumstances
from qcaps.measure.cell import Cell
from qcaps.measure.cluster.packages import Packed, unpack
from qcaps.measure.gate import decision, revisions
from qcaps.measure.gate.arms import Arm
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.relay import Relay
from qcaps.measure.gate.rounds import Bench, take_round
from qcaps.measure.results import results_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.measure.results.results_file import Metadata

Plain = dict[str, Any]
_KEPT_SECONDS = 7 * 86400
"""How long an arm's package stays after it was last asked for; one takes some 10 MB, compiled."""


def count(portion: Plain, scratch: Path, session: Metadata) -> Plain:
    """Counts, laws and faults of each cell, and what its blocks need here."""
    bench, arms = _bench(portion, scratch, session), _arms(portion)
    outcome = decision.GateOutcome()
    decision.check_counts(bench, arms, tuple(bench.sources), outcome)
    return {
        "counts": [[asdict(one) for one in outcome.counts[cell]] for cell in bench.sources],
        "laws": [outcome.laws[cell] for cell in bench.sources],
        "faults": [{**asdict(one), "cell": one.cell.to_plain()} for one in outcome.faults],
        "notes": outcome.notes,
        "blocks": _blocks(bench),
    }


def examine(portion: Plain, scratch: Path, session: Metadata, wanted: Callable[[], None]) -> Plain:
    """Whether this host can judge: pairs of base with itself."""
    bench, (base, _) = _bench(portion, scratch, session), _arms(portion)
    store = PairStore(None)
    noisy = decision.check_host(bench, base, tuple(bench.sources), store, lambda _progress: wanted())
    return {
        "noisy": noisy,
        "warnings": list(circumstances.warnings()),
        "blocks": _blocks(bench),
        **_texts(store),
    }


def rounds(portion: Plain, scratch: Path, session: Metadata, wanted: Callable[[], None]) -> Plain:
    """So many rounds, numbered from `first`: a pair of each cell in each."""
    bench, arms = _bench(portion, scratch, session), _arms(portion)
    store = PairStore(None)
    numbers = range(portion["first"], portion["first"] + portion["rounds"])
    with Relay(bench, arms) as relay:
        for number in numbers:
            for sides in take_round(bench, relay, bench.sources, partial(_always, number)):
                store.add(sides)
                wanted()
    return _texts(store)


def _bench(portion: Plain, scratch: Path, session: Metadata) -> Bench:
    rows = [(Cell.from_plain(row["cell"]), row) for row in portion["cells"]]
    return Bench(
        sources={cell: row["xml"] for cell, row in rows},
        scratch=scratch,
        calls={cell: row["calls"] for cell, row in rows if row["calls"]},
        pauses={cell: row["pause"] for cell, row in rows if row["pause"] is not None},
        session=session,
        patience=portion["patience"],
        draw=random.Random(portion["seed"]),
    )


def _blocks(bench: Bench) -> list[tuple[int, float]]:
    return [(bench.calls[cell], bench.pauses[cell]) for cell in bench.sources]


def _arms(portion: Plain) -> tuple[Arm, Arm]:
    base, head = (_arm(one) for one in portion["arms"])
    return base, head


def _arm(plain: Plain) -> Arm:
    """The arm with its package in a folder like the other's, unpacked and compiled once."""
    from distributed import get_worker

    packed, arm = Packed(*plain["packed"]), Arm(**plain["arm"])
    arm = replace(arm, python=arm.python or sys.executable)
    # Beside the folder of this Dask worker, which goes with it: the next one need not compile again.
    place = make_folder(Path(get_worker().local_directory).parent / "qcaps-arms")
    folder = place / f"code-of-{arm.name}-{packed.digest}"
    if not folder.exists():
        _forget_old(place)
        with scratch_folder(place) as scratch:
            unpack(packed, scratch / "sent")
            revisions.alike(replace(arm, path=str(scratch / "sent")), scratch / "code")
            with suppress(OSError):  # another worker beside us was first
                (scratch / "code").rename(folder)
    os.utime(folder)
    return replace(arm, path=str(folder))


def _forget_old(place: Path) -> None:
    for folder in place.glob("code-of-*"):
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _always(number: int, _cell: Cell) -> int:
    return number


def _texts(store: PairStore) -> Plain:
    return {"base": results_file.to_text(store.base), "head": results_file.to_text(store.head)}
