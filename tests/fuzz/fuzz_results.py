"""Coverage-guided fuzzing of the reader of results files: `python tests/fuzz/fuzz_results.py -help=1`.

A crash is any exception but QcapsError, and any results that are written and read back as others.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["qcaps", "pyperf._bench", "pyperf._metadata"]):
    from qcaps.errors import QcapsError
    from qcaps.measure.cell import Cell
    from qcaps.measure.results import results_file as results
    from qcaps.measure.subject import Counts

from tests.fuzz import fuzzing

SCRATCH = tempfile.TemporaryDirectory(prefix="qcaps-fuzz-", dir=fuzzing.memory())
FILE, AGAIN = Path(SCRATCH.name) / "results.json", Path(SCRATCH.name) / "again.json"


def seed() -> bytes:
    """A small results file as `qcaps run` writes one."""
    counts = Counts(devices=10, lookups=12, validations=12, forks=0, probes=0, sites={"post-parse": 1})
    runs = tuple(
        results.Run(worker, ((0.001, 0.002), (0.001, 0.003)), (0.004,), {"load": 0.5}) for worker in (0, 1)
    )
    measured = tuple(
        results.Measured(Cell("disks", 4, policy=name), counts, runs) for name in ("naive", "once")
    )
    results.write(FILE, results.Results(measured))
    return FILE.read_bytes()


def one_input(data: bytes) -> None:
    """Read, write, read again."""
    FILE.write_bytes(data)
    try:
        found = results.read(FILE)
    except QcapsError as error:
        fuzzing.check_line(error)
        return
    results.write(AGAIN, found)
    if results.read(AGAIN) != found:
        raise AssertionError("read back as other results")


if __name__ == "__main__":
    fuzzing.run(one_input, [seed()])
