from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.validity import CTIME, FORK, TRUST, VALIDITIES, WATCH, Validity, by_name
from qcaps.capabilities.model import Capabilities
from qcaps.errors import QcapsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.cache.host_files import Host

KVM = Capabilities("x86_64", 7_002_022, frozenset({"kvm"}))
TCG = Capabilities("x86_64", 7_002_022)
FOREIGN = Capabilities("s390x", 7_002_022)


def fresh(capabilities: Capabilities) -> Callable[[str], Capabilities]:
    """A prober whose every answer is a new object."""
    return lambda _binary: replace(capabilities)


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_text("first")
    return path


def wait_for_next_second(path: Path) -> None:
    """Until a change of `path` gets a ctime in another second than it has."""
    while time.time() < int(path.stat().st_ctime) + 1.01:
        time.sleep(0.01)


@pytest.mark.parametrize("validity", VALIDITIES, ids=lambda one: one.name)
def test_a_second_lookup_is_a_hit_and_the_same_object(
    validity: Validity, cache_host: Host, binary: Path
) -> None:
    with CapabilityCache(validity, cache_host, fresh(KVM)) as cache:
        first = cache.lookup(str(binary))
        assert cache.lookup(str(binary)) is first
        assert cache.why_invalid(str(binary), first) is None
        counted = cache.counters.snapshot()
    assert (counted["lookups"], counted["hits"], counted["misses"], counted["probes"]) == (2, 1, 1, 1)
    assert counted["validations"] == 2
    assert counted["invalidations"] == 0
    assert counted["reasons"] == {}


@pytest.mark.parametrize(("validity", "forks"), [(FORK, 11), (CTIME, 1), (WATCH, 1), (TRUST, 0)])
def test_forks_of_eleven_lookups(validity: Validity, forks: int, cache_host: Host, binary: Path) -> None:
    with CapabilityCache(validity, cache_host, fresh(KVM)) as cache:
        for _ in range(11):
            cache.lookup(str(binary))
        assert cache.counters.forks == forks


@pytest.mark.parametrize("validity", [FORK, CTIME])
def test_a_changed_ctime_invalidates(validity: Validity, cache_host: Host, binary: Path) -> None:
    cache = CapabilityCache(validity, cache_host, fresh(KVM))
    first = cache.lookup(str(binary))
    before = int(binary.stat().st_ctime)
    wait_for_next_second(binary)
    binary.chmod(0o755)
    reason = cache.why_invalid(str(binary), first)
    assert reason == f"binary changed: {binary}: ctime {before} -> {int(binary.stat().st_ctime)}"
    assert cache.lookup(str(binary)) is not first
    assert cache.counters.reasons == {"binary changed": 1}
    assert cache.counters.probes == 2


def test_whole_seconds_miss_a_replacement_within_the_second_and_nanoseconds_see_it(
    cache_host: Host, binary: Path
) -> None:
    while time.time() % 1 > 0.5:  # all of this must happen within one second
        time.sleep(0.01)
    binary.chmod(0o755)
    coarse = CapabilityCache(CTIME, cache_host, fresh(KVM))
    fine = CapabilityCache(replace(CTIME, whole_seconds=False), cache_host, fresh(KVM))
    seen = {cache: cache.lookup(str(binary)) for cache in (coarse, fine)}
    other = binary.with_name("other")
    other.write_text("second, and longer")
    other.rename(binary)
    assert coarse.why_invalid(str(binary), seen[coarse]) is None
    assert "within the second" in (fine.why_invalid(str(binary), seen[fine]) or "")


def test_trust_sees_nothing(cache_host: Host, binary: Path) -> None:
    cache = CapabilityCache(TRUST, cache_host, fresh(KVM))
    first = cache.lookup(str(binary))
    binary.unlink()
    assert cache.lookup(str(binary)) is first


def test_a_binary_that_goes_invalidates_and_one_that_was_never_there_does_not(
    cache_host: Host, binary: Path
) -> None:
    cache = CapabilityCache(CTIME, cache_host, fresh(KVM))
    first = cache.lookup(str(binary))
    missing = cache.lookup(str(binary) + "-missing")
    binary.unlink()
    assert (cache.why_invalid(str(binary), first) or "").startswith("binary gone: ")
    assert cache.lookup(str(binary) + "-missing") is missing
    Path(str(binary) + "-missing").write_text("now it is")
    assert (cache.why_invalid(str(binary) + "-missing", missing) or "").startswith("binary changed: ")


def _touch_modules(host: Host) -> None:
    os.utime(host.module_dir, (1, 1))


def _new_microcode(host: Host) -> None:
    Path(host.cpuinfo).write_text("microcode\t: 0x2b\n")


def _nested(host: Host) -> None:
    Path(host.nested[1]).write_text("1\n")


def _sev(host: Host) -> None:
    Path(host.sev).write_text("Y\n")
    Path(host.sev_device).write_text("")


def _no_kvm(host: Host) -> None:
    Path(host.kvm_device).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_touch_modules, "module directory changed"),
        (_new_microcode, "microcode changed"),
        (_nested, "nested KVM changed"),
        pytest.param(
            _sev,
            "secure guests changed",
            marks=pytest.mark.skipif(os.uname().machine != "x86_64", reason="AMD's"),
        ),
        (_no_kvm, "KVM not usable"),
    ],
)
def test_what_ctime_checks(
    change: Callable[[Host], None], reason: str, cache_host: Host, binary: Path
) -> None:
    cache = CapabilityCache(CTIME, cache_host, fresh(KVM))
    first = cache.lookup(str(binary))
    foreign = CapabilityCache(CTIME, cache_host, fresh(FOREIGN))
    unaffected = foreign.lookup(str(binary))
    change(cache_host)
    assert cache.lookup(str(binary)) is not first
    assert cache.counters.reasons == {reason: 1}
    # A guest of another architecture never uses KVM: only its files count.
    assert (foreign.lookup(str(binary)) is unaffected) is (reason != "module directory changed")
    assert foreign.counters.forks == 0


def test_ctime_forks_again_after_the_device_changed(cache_host: Host, binary: Path) -> None:
    cache = CapabilityCache(CTIME, cache_host, fresh(KVM))
    first = cache.lookup(str(binary))
    device = Path(cache_host.kvm_device)
    wait_for_next_second(device)
    device.chmod(0o666)
    assert cache.lookup(str(binary)) is first  # as usable as before
    assert cache.lookup(str(binary)) is first
    assert cache.counters.forks == 2


@pytest.mark.parametrize("validity", [FORK, CTIME])
def test_a_device_only_the_prober_can_use_storms_only_under_the_strict_rule(
    validity: Validity, cache_host: Host, binary: Path
) -> None:
    host = replace(cache_host, kvm_device=cache_host.kvm_device + "-none")
    strict = CapabilityCache(replace(validity, strict_kvm=True), host, fresh(KVM))
    lenient = CapabilityCache(validity, host, fresh(KVM))
    for _ in range(8):
        strict.lookup(str(binary))
        lenient.lookup(str(binary))
    assert strict.counters.probes == 8
    assert strict.counters.reasons == {"KVM not usable": 7}
    assert lenient.counters.probes == 1


def test_kvm_that_becomes_usable_invalidates(cache_host: Host, binary: Path) -> None:
    Path(cache_host.kvm_device).unlink()
    cache = CapabilityCache(FORK, cache_host, fresh(TCG))
    cache.lookup(str(binary))
    Path(cache_host.kvm_device).write_text("")
    cache.lookup(str(binary))
    assert cache.counters.reasons == {"KVM usable": 1}


@pytest.mark.parametrize("moves", ["goes", "comes", "goes and comes", "comes and goes"])
@pytest.mark.parametrize("kept", [False, True], ids=["in memory", "in a directory"])
@pytest.mark.parametrize(
    "validity", [FORK, CTIME, replace(CTIME, strict_kvm=True)], ids=["fork", "ctime", "strict"]
)
def test_kvm_that_changes_during_a_probe_leaves_no_entry_that_holds(
    validity: Validity,
    kept: bool,  # noqa: FBT001  # a parameter of the test
    moves: str,
    cache_host: Host,
    tmp_path: Path,
) -> None:
    binary = tmp_path / "emulator"
    binary.write_text("")
    there, back = moves.startswith("goes"), " and " in moves
    device = Path(cache_host.kvm_device)

    def toggle() -> None:
        time.sleep(0.02)  # a file's times go in steps of some milliseconds
        device.unlink() if device.exists() else device.write_text("")

    if not there:
        device.unlink()
    probes: list[Capabilities] = []

    def prober(_path: str) -> Capabilities:
        probes.append(KVM if device.exists() else TCG)
        if len(probes) == 1:
            toggle()
        return probes[-1]

    cache = CapabilityCache(validity, cache_host, prober, tmp_path / "cache" if kept else None)
    assert cache.lookup(str(binary)).kvm is there
    if back:
        toggle()
    after = cache.lookup(str(binary))
    assert after.kvm is device.exists()
    assert cache.counters.reasons == {"KVM changed": 1}
    assert (cache.counters.probes, cache.counters.saves) == (2, int(kept))
    assert cache.lookup(str(binary)) is after


def test_an_entry_replaced_since_is_invalid(cache_host: Host, binary: Path) -> None:
    cache = CapabilityCache(TRUST, cache_host, fresh(KVM))
    assert cache.why_invalid(str(binary), KVM) == "entry replaced: the cache no longer holds it"
    first = cache.lookup(str(binary))
    cache.close()
    cache.lookup(str(binary))
    assert (cache.why_invalid(str(binary), first) or "").startswith("entry replaced")


def test_two_threads_make_one_probe_and_others_wait_for_it(cache_host: Host, binary: Path) -> None:
    probing, finish = threading.Event(), threading.Event()

    def slow(path: str) -> Capabilities:
        if path == str(binary):
            probing.set()
            assert finish.wait(5)
        return replace(KVM)

    cache = CapabilityCache(FORK, cache_host, slow)
    found: list[Capabilities] = []

    def look_up(path: str) -> None:
        found.append(cache.lookup(path))

    threads = [
        threading.Thread(target=look_up, args=(path,))
        for path in (str(binary), str(binary), str(binary) + "-other")
    ]
    for thread in threads:
        thread.start()
    assert probing.wait(5)
    time.sleep(0.05)
    assert found == []  # not even the other binary's lookup gets past the lock
    finish.set()
    for thread in threads:
        thread.join(5)
    assert len(found) == 3
    assert cache.counters.probes == 2
    assert len({id(one) for one in found}) == 2


def test_the_lock_is_held_while_an_entry_is_checked(cache_host: Host, binary: Path) -> None:
    fifo = binary.with_name("nested-fifo")  # opening it for reading blocks, in the middle of a validation
    os.mkfifo(fifo)
    Path(cache_host.nested[1]).unlink()
    cache = CapabilityCache(CTIME, cache_host, fresh(KVM))
    cache.lookup(str(binary))
    os.link(fifo, cache_host.nested[1])
    done: list[str] = []
    paths = (str(binary), str(binary) + "-other")

    def look_up(path: str) -> None:
        cache.lookup(path)
        done.append(path)

    threads = [threading.Thread(target=look_up, args=(path,)) for path in paths]
    threads[0].start()
    while cache.counters.validations < 1:
        time.sleep(0.01)
    threads[1].start()
    time.sleep(0.05)
    assert done == []
    Path(cache_host.nested[1]).unlink()
    fifo.open("w").close()
    for thread in threads:
        thread.join(5)
    assert sorted(done) == sorted(paths)


@pytest.mark.parametrize("directory", [None, "cache"])
def test_a_failing_probe_leaves_nothing_behind(
    directory: str | None, cache_host: Host, binary: Path, tmp_path: Path
) -> None:
    def fail(path: str) -> Capabilities:
        raise QcapsError(f"{path}: not a QEMU")

    where = None if directory is None else tmp_path / directory
    cache = CapabilityCache(CTIME, cache_host, fail, where)
    for attempt in (1, 2):
        with pytest.raises(QcapsError, match="not a QEMU"):
            cache.lookup(str(binary))
        assert cache.counters.probes == attempt
    assert where is None or not list(where.iterdir())


def test_an_observer_sees_forks_within_validations(cache_host: Host, binary: Path) -> None:
    events: list[tuple[str, int, int, str]] = []
    cache = CapabilityCache(FORK, cache_host, fresh(KVM))
    cache.lookup(str(binary))
    cache.counters.on_event = lambda *event: events.append(event)
    cache.lookup(str(binary))
    assert [event[0] for event in events] == ["fork", "validation"]
    (_, fork_start, fork_end, _), (_, start, end, _) = events
    assert start < fork_start < fork_end < end


def test_counters_subtract(cache_host: Host, binary: Path) -> None:
    cache = CapabilityCache(CTIME, cache_host, fresh(KVM))
    cache.lookup(str(binary))
    earlier = cache.counters.copy()
    os.utime(cache_host.module_dir, (1, 1))
    cache.lookup(str(binary))
    grown = cache.counters.since(earlier)
    assert (grown.lookups, grown.misses, grown.probes, grown.hits) == (1, 1, 1, 0)
    assert grown.reasons == {"module directory changed": 1}
    assert cache.counters.lookups == 2


def test_an_unknown_validity_names_the_known() -> None:
    assert by_name("watch") is WATCH
    with pytest.raises(UsageError, match="fork, ctime, watch, trust"):
        by_name("always")
