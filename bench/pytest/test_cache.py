"""pytest-benchmark: one lookup, cold, warm and invalidated; from threads; in a large process."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.cache.host_files import Host
from qcaps.cache.validity import VALIDITIES
from qcaps.driver.reference import reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.cache.cache import CapabilityCache

VALIDITY_NAMES = tuple(validity.name for validity in VALIDITIES)
ROUNDS = 20
LOOKUPS_A_THREAD = 20


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A file that stands for a QEMU; the recorded capabilities of s390x have no KVM: they hold anywhere."""
    path = tmp_path / "qemu-system-s390x"
    path.write_text("")
    return path


def cache_in(folder: Path, validity: str) -> CapabilityCache:
    """A cache over recorded capabilities, its files below `folder`."""
    return reference(folder, policy="once", validity=validity).cache


@pytest.mark.parametrize("validity", VALIDITY_NAMES)
def test_warm(benchmark: Any, tmp_path: Path, binary: Path, validity: str) -> None:  # noqa: ANN401  # untyped
    """A hit: in memory, and validated."""
    benchmark.group = "lookup: warm"
    with cache_in(tmp_path, validity) as cache:
        first = cache.lookup(str(binary))
        assert benchmark(cache.lookup, str(binary)) is first
        benchmark.extra_info |= {"forks": cache.counters.forks, "lookups": cache.counters.lookups}
        assert cache.counters.probes == 1


@pytest.mark.parametrize("validity", VALIDITY_NAMES)
@pytest.mark.parametrize("on_disk", [False, True], ids=["probed", "loaded"])
def test_cold(benchmark: Any, tmp_path: Path, binary: Path, validity: str, on_disk: bool) -> None:  # noqa: ANN401, FBT001  # untyped
    """Nothing in memory: from disk, or from the recorded answers of a probe (a real one takes 0.2 s more)."""
    benchmark.group = f"lookup: cold, {'loaded' if on_disk else 'probed'}"
    caches: list[CapabilityCache] = []

    def fresh() -> tuple[tuple[str], dict[str, Any]]:
        folder = tmp_path / ("one" if on_disk else f"cache-{len(caches)}")
        caches.append(cache_in(folder, validity))
        return (str(binary),), {}

    with cache_in(tmp_path / "one", validity) as cache:
        cache.lookup(str(binary))
    look_up = lambda path: caches[-1].lookup(path)  # noqa: E731, PLW0108  # the last cache at that time
    benchmark.pedantic(look_up, setup=fresh, rounds=ROUNDS)
    assert caches[-1].counters.probes == (0 if on_disk else 1)
    for cache in caches:
        cache.close()


def test_invalidated(benchmark: Any, tmp_path: Path, binary: Path) -> None:  # noqa: ANN401  # untyped
    """A QEMU module was installed since the last lookup: `ctime` finds out, probes anew, saves."""
    benchmark.group = "lookup: invalidated"
    modules = tmp_path / "modules"
    modules.mkdir()
    host = replace(Host.from_machine(), module_dir=str(modules))
    with reference(tmp_path, policy="once", validity="ctime", host=host).cache as cache:
        cache.lookup(str(binary))
        days = iter(range(1, 10 * ROUNDS))

        def install() -> None:
            day = next(days) * 86_400
            os.utime(modules, (day, day))

        benchmark.pedantic(cache.lookup, args=(str(binary),), setup=install, rounds=ROUNDS)
        assert cache.counters.invalidations >= ROUNDS
        benchmark.extra_info |= {"probes": cache.counters.probes, "forks": cache.counters.forks}


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("validity", ["fork", "ctime", "trust"])
def test_threads(benchmark: Any, tmp_path: Path, binary: Path, validity: str, threads: int) -> None:  # noqa: ANN401  # untyped
    """Threads on one cache: the lock is held across a validation, so they wait for each other."""
    benchmark.group = f"{LOOKUPS_A_THREAD} lookups a thread: {validity}"
    with cache_in(tmp_path, validity) as cache:
        cache.lookup(str(binary))
        benchmark.pedantic(_together, args=(threads, lambda: _look_up(cache, binary)), rounds=5)
        benchmark.extra_info |= {"lookups": cache.counters.lookups, "forks": cache.counters.forks}
        assert cache.counters.hits == 5 * threads * LOOKUPS_A_THREAD


@pytest.mark.parametrize("megabytes", [0, 100, 300, 1000])
def test_resident_memory(benchmark: Any, tmp_path: Path, binary: Path, megabytes: int) -> None:  # noqa: ANN401  # untyped
    """A validation that forks costs more in a large process: its page tables are copied."""
    benchmark.group = "lookup that forks, by resident memory"
    benchmark.extra_info["resident_megabytes"] = megabytes
    ballast = bytearray(b"\1") * (megabytes << 20)
    with cache_in(tmp_path, "fork") as cache:
        cache.lookup(str(binary))
        benchmark.pedantic(cache.lookup, args=(str(binary),), rounds=ROUNDS)
        assert cache.counters.forks >= ROUNDS
    assert len(ballast) == megabytes << 20


def _look_up(cache: CapabilityCache, binary: Path) -> None:
    for _ in range(LOOKUPS_A_THREAD):
        cache.lookup(str(binary))


def _together(threads: int, work: Callable[[], None]) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
