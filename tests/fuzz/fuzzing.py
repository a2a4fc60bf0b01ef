"""What the fuzzers share: seeds, the rule that an error is one line, keeping crashes, starting atheris."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST_LINE = 2000
_SLOW_SECONDS = 1.0
_TALLY_SECONDS = 10.0
_GREEDY_KB = 100_000


def seeds(folder: str, own: Sequence[bytes]) -> list[bytes]:
    """`own`, and the files of that folder below QCAPS_CORPUS where there is one."""
    corpus = os.environ.get("QCAPS_CORPUS")
    files = sorted((Path(corpus) / folder).glob("*.xml")) if corpus else []
    return [*own, *(path.read_bytes() for path in files)]


def memory() -> str | None:
    """Where files cost no disk, or None for the usual place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # a parent for private folders


def check_line(error: Exception) -> None:
    """An error a user sees is one short line."""
    text = str(error)
    if "\n" in text or len(text) > _LONGEST_LINE:
        raise AssertionError(f"no clear line: {text!r:.300}")


def run(
    one_input: Callable[[bytes], None],
    own_seeds: Sequence[bytes],
    mutate: Callable[[bytes, int, int], bytes] | None = None,
) -> None:
    """Hand over to the fuzzer; its options (-max_total_time=60 and the like) stand on the command line.

    QCAPS_FUZZ_KEEP=DIR keeps one input of each different crash there and goes on; without it the first
    crash ends the run. An input that takes a second or 100 MB is a crash. Inputs and bytes tried are told now
    and then.
    """
    tally = _Tally(one_input, os.environ.get("QCAPS_FUZZ_KEEP"))
    folder = tempfile.mkdtemp(prefix="qcaps-fuzz-seeds-", dir=memory())
    for number, seed in enumerate(own_seeds):
        (Path(folder) / f"{number}.seed").write_bytes(seed)
    arguments = [sys.argv[0], "-max_len=200000", "-timeout=20", "-rss_limit_mb=2048", *sys.argv[1:], folder]
    if mutate is None:
        atheris.Setup(arguments, tally)
    else:
        atheris.Setup(arguments, tally, custom_mutator=mutate)
    atheris.Fuzz()


class _Tally:
    """Runs inputs and counts them; the fuzzer ends the process itself, so the count is told as it grows."""

    def __init__(self, one_input: Callable[[bytes], None], keep: str | None) -> None:
        self._one_input = one_input
        self._keep = None if keep is None else Path(keep)
        self._inputs = self._bytes = 0
        self._most = 0
        self._crashes: set[str] = set()
        self._told = time.monotonic()

    def __call__(self, data: bytes) -> None:
        self._inputs += 1
        self._bytes += len(data)
        began, now = time.process_time(), time.monotonic()
        try:
            self._one_input(data)
            self._check_cost(time.process_time() - began)
        except Exception as error:
            if self._keep is None:
                raise
            self._keep_crash(error, data)
        if now - self._told > _TALLY_SECONDS:
            self._told = now
            _tell(f"tried {self._inputs} inputs, {self._bytes} bytes, {len(self._crashes)} crashes")

    def _check_cost(self, seconds: float) -> None:
        """Seconds of CPU; and the most memory the process ever used, in kB, may not leap."""
        if seconds > _SLOW_SECONDS:
            raise AssertionError(f"slow: {seconds:.1f} s")
        before, self._most = self._most, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if before and self._most - before > _GREEDY_KB:
            raise AssertionError(f"greedy: from {before} to {self._most} kB")

    def _keep_crash(self, error: Exception, data: bytes) -> None:
        assert self._keep is not None
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        place = "" if step is None else f"{Path(step.tb_frame.f_code.co_filename).stem}-{step.tb_lineno}"
        name = f"{type(error).__name__}-{place}"
        if name not in self._crashes:
            self._crashes.add(name)
            (self._keep / name).write_bytes(data)
            _tell(f"crash: {name}: {error!r:.200}")


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
