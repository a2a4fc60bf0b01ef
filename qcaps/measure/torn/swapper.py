"""The second process of the torn-task experiment: puts another file in a file's place at random instants.

    python -m qcaps.measure.torn.swapper PATH MEAN_SECONDS SEED

The file says which capability set the "binary" has and how often it was replaced: "full 0", "lean 1" ...
It ends when its standard input does.
"""

from __future__ import annotations

import random
import select
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SETS = ("full", "lean")


def install(path: Path, number: int) -> None:
    """Renames a new file with the `number`-th contents over `path`."""
    new = path.with_name(path.name + ".new")
    new.write_text(f"{SETS[number % len(SETS)]} {number}\n")
    new.rename(path)


@contextmanager
def swapping(path: Path, mean: float, seed: int) -> Iterator[None]:
    """Another process replaces the file at `path` until the block ends; `mean` seconds lie between."""
    arguments = [sys.executable, "-P", "-m", __spec__.name, str(path), str(mean), str(seed)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _swap(path: Path, mean: float, seed: int) -> None:
    chance = random.Random(seed)
    number = int(path.read_text().split()[1])
    while not select.select([sys.stdin], [], [], chance.expovariate(1 / mean))[0]:
        number += 1
        install(path, number)


if __name__ == "__main__":
    _swap(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
