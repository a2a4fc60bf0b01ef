"""Faults that are injected: death at any instant, full disks, missing rights, limits, a fickle device."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import random
import resource
import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.validity import CTIME, FORK
from qcaps.capabilities import cachefile, probe
from qcaps.capabilities.snapshots import snapshot
from qcaps.capabilities.stamps import Entry, Stamps
from qcaps.domainxml import document
from qcaps.driver.domain_store import DomainStore, DomainStoreError
from qcaps.driver.driver import QemuDriver
from qcaps.errors import QcapsError
from qcaps.lookups.policy import by_name
from qcaps.measure.cell import Cell
from qcaps.measure.results import results_file as results
from qcaps.measure.subject import Counts
from qcaps.report import figures
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.cache.host_files import Host
    from qcaps.capabilities.model import Capabilities

FULL = bool(os.environ.get("QCAPS_TESTS_FULL"))
"""All of it: ten times the kills, 10,000 lookups and 1,000 probes. About two minutes on an idle machine."""
KILLS = 250 if FULL else 25
LOOKUPS = 10_000 if FULL else 1_000
PROBES = 1_000 if FULL else 60
SNAPSHOT = snapshot("x86_64")
XML = scenario("disks").xml(4).encode()
NAME = b"disks-q35-4".decode()


def make_driver(folder: Path, host: Host) -> QemuDriver:
    binary = folder / "qemu"
    if not binary.exists():
        binary.write_text("x")
    cache = CapabilityCache(CTIME, host, lambda _: SNAPSHOT.capabilities, folder / "cache")
    return QemuDriver(DomainStore(folder / "domains"), cache, by_name("once-abort"), emulator=str(binary))


def sized(kib: int) -> bytes:
    return XML.replace(b"262144", str(kib).encode())


# ── killed at any instant ──────────────────────────────────────────────────────────────────────────


def kill_again_and_again(act: Callable[[], None], check: Callable[[], None], seed: int) -> None:
    """A child runs `act` over and over until it is killed at a random instant; then `check` looks."""
    chance = random.Random(seed)
    for _ in range(KILLS):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                act()
                os.write(write_end, b"!")
                while True:
                    act()
            os._exit(9)
        os.close(write_end)
        assert os.read(read_end, 1) == b"!", "the child did not get through even once"
        os.close(read_end)
        time.sleep(chance.uniform(0, 0.015))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        check()


def test_a_define_killed_leaves_the_old_or_the_new(tmp_path: Path, cache_host: Host) -> None:
    driver = make_driver(tmp_path, cache_host)
    turn = [0]

    def act() -> None:
        turn[0] += 1
        driver.define(sized((262144, 524288)[turn[0] % 2]))

    def check() -> None:
        again = make_driver(tmp_path, cache_host)
        memory = again.domains[NAME].memory
        assert memory is not None
        assert memory.value in (262144, 524288)
        assert sorted(path.name for path in (tmp_path / "domains").iterdir()) == [".lock", f"{NAME}.xml"]

    kill_again_and_again(act, check, seed=1)


def test_a_define_and_undefine_killed_leave_all_or_nothing(tmp_path: Path, cache_host: Host) -> None:
    driver = make_driver(tmp_path, cache_host)

    def act() -> None:
        driver.define(XML)
        driver.undefine(NAME)

    def check() -> None:
        again = make_driver(tmp_path, cache_host)
        files = sorted(path.name for path in (tmp_path / "domains").iterdir())
        assert files in ([".lock"], [".lock", f"{NAME}.xml"])
        assert list(again.domains) == ([NAME] if len(files) > 1 else [])
        if again.domains:
            again.undefine(NAME)

    kill_again_and_again(act, check, seed=2)


def test_a_save_of_the_cache_killed_leaves_the_old_or_the_new(tmp_path: Path, cache_host: Host) -> None:
    binary = tmp_path / "qemu"
    turn = [0]

    def act() -> None:
        turn[0] += 1
        binary.write_text("x" * turn[0])
        version = SNAPSHOT.capabilities.version + turn[0] % 2
        capabilities = replace(SNAPSHOT.capabilities, version=version)
        fine = replace(CTIME, whole_seconds=False)
        CapabilityCache(fine, cache_host, lambda _: capabilities, tmp_path / "cache").lookup(str(binary))

    def check() -> None:
        before = [path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")]
        for path in before:
            assert cachefile.read(path).capabilities.version in (7002022, 7002023)
        CapabilityCache(CTIME, cache_host, lambda _: SNAPSHOT.capabilities, tmp_path / "cache").lookup(
            str(binary)
        )
        assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".xml"]

    assert SNAPSHOT.capabilities.version == 7002022
    kill_again_and_again(act, check, seed=3)


def measured(policy: str, runs: int = 1) -> results.Measured:
    counts = Counts(devices=10, lookups=12, validations=12, forks=0, probes=0, sites={"post-parse": 1})
    made = tuple(results.Run(worker, ((0.001, 0.002),) * 50, (0.004,), {}) for worker in range(runs))
    return results.Measured(Cell("disks", 4, policy=policy), counts, made)


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "domains"
    folder.mkdir()
    store = DomainStore(folder)
    (folder / "a.xml.new").symlink_to(victim)
    with store.locks.holding("a"):
        store.publish("a", store.prepare("a", "<domain/>"))
    assert victim.read_text() == "precious"
    assert "<domain/>" in (folder / "a.xml").read_text()


def test_a_results_file_killed_is_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    turn = [0]

    def act() -> None:
        turn[0] += 1
        results.write(path, results.Results((measured("naive", 1 + turn[0] % 2 * 3),)))

    def check() -> None:
        assert len(results.read(path).measured[0].runs) in (1, 4)
        results.write(path, results.Results((measured("once"),)))  # a restart: it goes on, and cleans up
        assert [file.name for file in tmp_path.iterdir()] == ["results.json"]

    act()  # pyperf is imported before the fork
    kill_again_and_again(act, check, seed=4)


def test_a_figure_killed_is_the_old_or_the_new(tmp_path: Path) -> None:
    from matplotlib.figure import Figure  # 0.3 s that one test needs

    figure = Figure(figsize=(2, 2))
    figure.text(0.1, 0.1, "as good as any")
    svg = figures._svg(figure)

    def act() -> None:
        figures._write(figure, svg, "as good as any", tmp_path / "figure")

    def check() -> None:
        assert (tmp_path / "figure.svg").read_bytes().endswith(b"</svg>")
        assert (tmp_path / "figure.png").read_bytes().endswith(b"IEND\xaeB`\x82")
        act()
        assert sorted(file.name for file in tmp_path.iterdir()) == ["figure.png", "figure.svg"]

    act()
    kill_again_and_again(act, check, seed=5)


# ── disks ──────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[ctypes.CDLL]:
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", bytes(folder), b"tmpfs", 0, options.encode()) != 0:
        pytest.skip(f"cannot mount a tmpfs: {errno.errorcode[ctypes.get_errno()]}")
    try:
        yield libc
    finally:
        gc.collect()
        libc.umount2(bytes(folder), 2)


def fill(folder: Path) -> Path:
    """A file that takes what room there is."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.root
def test_a_full_disk_refuses_and_keeps_what_was_there(tmp_path: Path, cache_host: Host) -> None:
    with mounted(tmp_path / "tiny", "size=400k"):
        folder = tmp_path / "tiny"
        driver = make_driver(folder, cache_host)
        driver.define(XML)
        path = folder / "results.json"
        results.write(path, results.Results((measured("naive"),)))
        filler = fill(folder)
        for data in (sized(524288), XML.replace(b"q35-4<", b"other<")):
            with pytest.raises(DomainStoreError, match="No space left on device"):
                driver.define(data)
        with pytest.raises(QcapsError, match="No space left on device"):
            results.write(path, results.Results((measured("once", 4),)))
        assert results.read(path).measured[0].cell.policy == "naive"
        assert b"262144" in (folder / "domains" / f"{NAME}.xml").read_bytes()
        assert sorted(one.name for one in (folder / "domains").iterdir()) == [".lock", f"{NAME}.xml"]
        memory = driver.domains[NAME].memory
        assert memory is not None
        assert memory.value == 262144
        filler.unlink()
        driver.define(sized(524288))


@pytest.mark.root
def test_a_disk_that_becomes_read_only_refuses(tmp_path: Path, cache_host: Host) -> None:
    with mounted(tmp_path / "disk", "size=1m") as libc:
        driver = make_driver(tmp_path / "disk", cache_host)
        driver.define(XML)
        gc.collect()
        read_only_remount = 1 | 32
        if libc.mount(b"none", bytes(tmp_path / "disk"), b"tmpfs", read_only_remount, b"") != 0:
            # our lock file is open for writing: a real disk turns read-only under it, a remount is refused
            assert ctypes.get_errno() == errno.EBUSY
            (tmp_path / "disk" / "domains").chmod(0o500)
            assert as_nobody(lambda: driver.define(sized(524288)), QcapsError) == 0
            return
        with pytest.raises(DomainStoreError, match="Read-only file system"):
            driver.define(sized(524288))
        with pytest.raises(DomainStoreError, match="Read-only file system"):
            driver.undefine(NAME)


def as_nobody(act: Callable[[], object], expected: type[Exception]) -> int:
    """The exit status of a child that runs `act`, without root's rights: 0 if it raised what was expected."""
    child = os.fork()
    if child == 0:
        status = 8
        try:
            if os.geteuid() == 0:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            act()
            status = 7
        except expected as error:
            status = 0 if str(error).isprintable() else 6
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_folders_without_permission_refuse(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert as_nobody(lambda: DomainStore(closed / "domains"), QcapsError) == 0
    assert as_nobody(lambda: DomainStore(closed), QcapsError) == 0
    assert (
        as_nobody(lambda: results.write(closed / "r.json", results.Results((measured("once"),))), QcapsError)
        == 0
    )
    assert list(closed.iterdir()) == []
    closed.chmod(0o700)


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────


def in_child(act: Callable[[], None]) -> None:
    """Run `act` in a forked child, whose limits and descriptors are its own."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            act()
            status = 0
        except BaseException:
            import traceback  # only to say why

            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # counts, no paths


def test_no_more_descriptors_refuses_and_leaves_nothing(tmp_path: Path, cache_host: Host) -> None:
    driver = make_driver(tmp_path, cache_host)
    driver.define(XML)

    def act() -> None:
        lowest_free = os.dup(0)
        os.close(lowest_free)
        before = descriptors()
        usual = resource.getrlimit(resource.RLIMIT_NOFILE)
        for spare in range(12):  # wherever the limit strikes
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + spare, usual[1]))
            for task in (
                lambda: driver.define(sized(524288)),
                lambda: make_driver(tmp_path, cache_host),
                lambda: probe.probe("/bin/true", 1),
                lambda: cachefile.write(tmp_path / "entry.xml", SNAPSHOT),
            ):
                with suppress(QcapsError):
                    task()
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        gc.collect()
        assert descriptors() <= before + 12  # drivers that were made keep their lock file until collected
        driver.define(XML)
        files = sorted(path.name for path in (tmp_path / "domains").iterdir())
        assert files == [".lock", f"{NAME}.xml"]

    in_child(act)


def test_no_more_processes_refuses_a_probe(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)

    with suppress(probe.ProbeError):
        probe.probe("/bin/true", 1)  # what it imports as it goes, nobody may not be able to read

    def act() -> object:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        return probe.probe("/bin/true", 1)

    assert as_nobody(act, probe.ProbeError) == 0


# ── the clock, the device, the emulator ────────────────────────────────────────────────────────────


def test_a_clock_that_jumps_changes_nothing(
    tmp_path: Path, cache_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver(tmp_path, cache_host)
    driver.define(XML)
    probes = driver.cache.counters.probes
    for jump in (-1e9, 0.0, 1e12):
        monkeypatch.setattr(time, "time", lambda jump=jump: jump)
        monkeypatch.setattr(time, "time_ns", lambda jump=jump: int(jump * 1e9))
        driver.define(XML)
    assert driver.cache.counters.probes == probes


def test_an_entry_from_the_future_is_no_better_than_one_from_the_past(
    tmp_path: Path, cache_host: Host
) -> None:
    """The clock was wrong when the entry was made: what differs is outdated, whichever way."""
    binary = tmp_path / "qemu"
    binary.write_text("x")
    cache = CapabilityCache(CTIME, cache_host, lambda _: SNAPSHOT.capabilities, tmp_path / "cache")
    assert cache._store is not None
    for ctime in (1, 4_000_000_000, (1 << 64) - 1):
        stamps = Stamps(str(binary), binary_ctime=ctime, self_ctime=1, self_version=1000)
        cache._store.save(str(binary), Entry(SNAPSHOT.capabilities, stamps))
        found = CapabilityCache(CTIME, cache_host, lambda _: SNAPSHOT.capabilities, tmp_path / "cache")
        found.lookup(str(binary))
        assert found.counters.reasons.keys() & {"binary changed", "module directory changed"}
        assert found.counters.probes == 1


@pytest.mark.parametrize("validity", [FORK, CTIME], ids=lambda one: one.name)
def test_a_device_that_comes_and_goes(validity: object, tmp_path: Path, cache_host: Host) -> None:
    device = Path(cache_host.kvm_device)
    binary = tmp_path / "qemu"
    binary.write_text("x")
    kvm = replace(SNAPSHOT.capabilities, flags=SNAPSHOT.capabilities.flags | {"kvm"})
    tcg = replace(SNAPSHOT.capabilities, flags=SNAPSHOT.capabilities.flags - {"kvm"})
    cache = CapabilityCache(validity, cache_host, lambda _: kvm if device.exists() else tcg)  # type: ignore[arg-type]  # one of two
    stop = threading.Event()

    def toggle() -> None:
        while not stop.is_set():
            device.unlink(missing_ok=True)
            time.sleep(0.001)
            device.write_text("")
            time.sleep(0.001)

    thread = threading.Thread(target=toggle)
    thread.start()
    ends = time.monotonic() + 20
    while cache.counters.probes < 5 and time.monotonic() < ends:
        cache.lookup(str(binary))
    stop.set()
    thread.join()
    assert cache.counters.probes >= 5
    cache.lookup(str(binary))  # notices one that came and went within a probe, as long as it is there
    device.unlink()
    cache.lookup(str(binary))  # notices
    assert not cache.lookup(str(binary)).kvm
    device.write_text("")
    cache.lookup(str(binary))
    assert cache.lookup(str(binary)).kvm


EMULATORS = {
    "exits": "exit 3",
    "says half a line and exits": 'printf \'{"QMP": {"vers\' >&$fd; exit 0',
    "floods": "yes",
    "says half a line and hangs": 'printf \'{"QMP": {"vers\' >&$fd; sleep 100',
    "hangs": "sleep 100",
}


def make_emulator(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "emulator"
    fd = "fd=$(printf '%s ' \"$@\" | sed 's/.*fd=\\([0-9]*\\).*/\\1/')"
    path.write_text(f"#!/bin/sh\n{fd}\n{EMULATORS[name]}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_that_fails_fails_the_task_alone(name: str, tmp_path: Path, cache_host: Host) -> None:
    emulator = make_emulator(tmp_path, name)
    cache = CapabilityCache(CTIME, cache_host, lambda path: probe.probe(path, 0.2), tmp_path / "cache")
    driver = QemuDriver(DomainStore(tmp_path / "domains"), cache, by_name("once"), emulator=str(emulator))
    with pytest.raises(QcapsError, match="emulator: "):
        driver.define(XML)
    assert not driver.domains
    assert [path.name for path in (tmp_path / "domains").iterdir()] == [".lock"]
    assert not list((tmp_path / "cache").iterdir())
    cache._prober = lambda _: SNAPSHOT.capabilities
    driver.define(XML)  # a better emulator is all it takes


# ── nothing is left behind ─────────────────────────────────────────────────────────────────────────


def leftovers(tmp_path: Path) -> tuple[int, list[str], bool]:
    """Open descriptors, temporary files, and whether there is a child."""
    gc.collect()
    child = True
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        child = False
    return descriptors(), sorted(path.name for path in (tmp_path / "tmp").iterdir()), child


def test_many_lookups_leave_nothing(
    tmp_path: Path, cache_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    binary = tmp_path / "qemu"
    binary.write_text("x")
    cache = CapabilityCache(FORK, cache_host, lambda _: SNAPSHOT.capabilities, tmp_path / "cache")
    cache.lookup(str(binary))
    before = leftovers(tmp_path)
    for _ in range(LOOKUPS):
        cache.lookup(str(binary))
    assert leftovers(tmp_path) == before
    assert cache.counters.forks >= LOOKUPS
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".xml"]


def test_many_probes_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    names = [name for name in EMULATORS if "hangs" not in name and name != "floods"]
    emulators = {}
    for name in names:
        (tmp_path / name).mkdir()
        emulators[name] = make_emulator(tmp_path / name, name)
    with suppress(QcapsError):
        probe.probe(emulators[names[0]], 5)
    before = leftovers(tmp_path)
    for number in range(PROBES):
        with pytest.raises(QcapsError):
            probe.probe(emulators[names[number % len(names)]], 5)
    assert leftovers(tmp_path) == before


@pytest.mark.qemu
def test_probes_of_a_real_qemu_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))

    def once() -> Capabilities:
        return probe.probe("/usr/bin/qemu-system-x86_64")

    found = once()
    before = leftovers(tmp_path)
    for _ in range(2):
        assert once() == found
    assert leftovers(tmp_path) == before


def test_a_domain_on_the_disk_is_read_back_whole(tmp_path: Path, cache_host: Host) -> None:
    done = make_driver(tmp_path, cache_host).define(XML)
    assert document.load(tmp_path / "domains" / f"{NAME}.xml") == document.parse(done.xml.encode())
