"""Coverage-guided fuzzing of the domain reader, define and start: `python tests/fuzz/fuzz_domain.py -help=1`.

Half of the inputs are bytes as the fuzzer makes them, the other half are domains whose elements were moved
and whose values were exchanged. A crash is any exception that is no QcapsError, and any domain that is
written and read back as another.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["qcaps"]):
    from qcaps.domainxml import document
    from qcaps.driver.reference import reference
    from qcaps.errors import QcapsError

from tests.fuzz import fuzzing
from tests.support import mutation

SEEDS = fuzzing.seeds("in", mutation.seeds())
SCRATCH = tempfile.TemporaryDirectory(prefix="qcaps-fuzz-", dir=fuzzing.memory())
DRIVER = reference(Path(SCRATCH.name), policy="naive", validity="trust")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half the time the fuzzer's own bytes, half the time a domain with its parts exchanged."""
    random = Random(seed)
    if random.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    try:
        return bytes(mutation.mutant(data, random.choice(SEEDS), random)[:max_size])
    except (SyntaxError, ValueError):  # the fuzzer's bytes are no XML any more
        return bytes(mutation.mutant(random.choice(SEEDS), random.choice(SEEDS), random)[:max_size])


def one_input(data: bytes) -> None:
    """Read, write, read again, define, start, forget."""
    try:
        domain = document.parse(data)
        if document.parse(document.format(domain).encode()) != domain:
            raise AssertionError("read back as another domain")
        DRIVER.warm(data)
        name = DRIVER.define(data).domain.name
    except QcapsError as error:
        fuzzing.check_line(error)
        return
    try:
        DRIVER.start(name)
        DRIVER.destroy(name)
    except QcapsError as error:
        fuzzing.check_line(error)
    DRIVER.undefine(name)


if __name__ == "__main__":
    fuzzing.run(one_input, SEEDS, mutate)
