"""Many at once: 16 threads, 8 processes, one cache directory and one domain store, with invalidations."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.validity import CTIME
from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml import document
from qcaps.driver.domain_store import DomainStore
from qcaps.driver.driver import QemuDriver
from qcaps.errors import QcapsError
from qcaps.lookups.policy import by_name
from qcaps.rules.refusal import CapabilitiesChanged, Refused
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.cache.host_files import Host
    from qcaps.capabilities.model import Capabilities

THREADS, PROCESSES = 16, 8
FINE = replace(CTIME, whole_seconds=False)
BASE = scenario("disks").xml(0)
FULL = snapshot("x86_64").capabilities


def xml(name: str, uuid: int = 0) -> bytes:
    text = BASE.replace("<name>disks-q35-0</name>", f"<name>{name}</name>")
    start = text.index("<uuid>") + 6
    number = uuid or int.from_bytes(name.encode()[-4:].rjust(4), "big")
    return f"{text[:start]}00000000-0000-4000-8000-{number:012x}{text[start + 36 :]}".encode()


def disk(number: int) -> bytes:
    target = f"vd{chr(97 + number // 26)}{chr(97 + number % 26)}"
    return (
        f"<disk type='file'><source file='/{number}'/><target dev='{target}' bus='virtio'/></disk>".encode()
    )


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_text("0")
    return path


def touch(binary: Path) -> None:
    """Another file in the binary's place."""
    new = binary.with_name(f"new-{os.getpid()}-{threading.get_ident()}")
    new.write_text(f"{time.monotonic_ns()}")
    new.rename(binary)


def make_driver(
    folder: Path, binary: Path, host: Host, policy: str = "once-abort", retries: int = 1000
) -> QemuDriver:
    def prober(_binary: str) -> Capabilities:
        with (folder / "probes").open("ab", buffering=0) as file:
            file.write(b".")
        return replace(FULL)

    cache = CapabilityCache(FINE, host, prober, folder / "cache")
    store = DomainStore(folder / "domains")
    return QemuDriver(store, cache, by_name(policy), emulator=str(binary), retries=retries)


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Run `act` in threads that start together; whatever one raises is raised."""
    failed: list[BaseException] = []
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        try:
            act(number)
        except BaseException as error:  # noqa: BLE001  # told to the test
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a deadlock"
    if failed:
        raise failed[0]


def in_processes(count: int, act: Callable[[int], None]) -> None:
    """The same in forked processes, which must all end well within a minute."""
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            try:
                act(number)
            except BaseException:  # noqa: BLE001  # told below
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        children.append(child)
    ends = time.monotonic() + 60
    codes: dict[int, int] = {}
    while len(codes) < count and time.monotonic() < ends:
        for child in children:
            if child not in codes and (found := os.waitpid(child, os.WNOHANG))[0]:
                codes[child] = os.waitstatus_to_exitcode(found[1])
        time.sleep(0.01)
    for child in set(children) - codes.keys():
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert codes == dict.fromkeys(children, 0), "a process failed, or there is a deadlock"


def whole(folder: Path) -> dict[str, int]:
    """The domains on the disk and how many disks each has; every file must be whole."""
    names = sorted(path.name for path in (folder / "domains").iterdir())
    assert all(name.endswith(".xml") or name == ".lock" for name in names)
    assert [path.suffix for path in (folder / "cache").iterdir()] == [".xml"]
    return {
        path.stem: sum(device.TAG == "disk" for device in document.load(path).devices.all)
        for path in (folder / "domains").glob("*.xml")
    }


def test_threads_lose_no_update(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    driver = make_driver(tmp_path, binary, cache_host)
    driver.define(xml("shared"))

    def act(number: int) -> None:
        for turn in range(2):
            driver.attach("shared", disk(2 * number + turn))
            driver.define(xml(f"own-{number:02}"))
            if number % 4 == 0:
                touch(binary)
        driver.undefine(f"own-{number:02}")

    in_threads(THREADS, act)
    assert whole(tmp_path) == {"shared": 2 * THREADS}
    assert list(driver.domains) == ["shared"]


def test_processes_lose_no_update(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    before = make_driver(tmp_path, binary, cache_host)
    before.define(xml("shared"))

    def act(number: int) -> None:
        driver = make_driver(tmp_path, binary, cache_host)
        for turn in range(3):
            driver.attach("shared", disk(3 * number + turn))
            if number % 4 == 0:
                touch(binary)
        driver.define(xml(f"own-{number:02}"))

    in_processes(PROCESSES, act)
    expected = {f"own-{number:02}": 0 for number in range(PROCESSES)} | {"shared": 3 * PROCESSES}
    assert whole(tmp_path) == expected
    # a driver that was there all the time sees what the others did once it looks
    assert before.attach("shared", disk(99)).xml.count("<disk ") == 3 * PROCESSES + 1
    assert sorted(before.domains) == sorted(expected)


def test_a_driver_that_a_fork_carried_along_locks_for_itself(
    tmp_path: Path, binary: Path, cache_host: Host
) -> None:
    driver = make_driver(tmp_path, binary, cache_host)
    driver.define(xml("shared"))

    def act(number: int) -> None:
        for turn in range(3):
            driver.attach("shared", disk(3 * number + turn))

    in_processes(4, act)
    assert whole(tmp_path) == {"shared": 12}


def test_one_uuid_is_given_once(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    accepted = tmp_path / "accepted"

    def act(number: int) -> None:
        driver = make_driver(tmp_path, binary, cache_host)
        try:
            driver.define(xml(f"rival-{number}", uuid=7))
        except Refused:
            return
        with accepted.open("ab", buffering=0) as file:
            file.write(b".")

    in_processes(PROCESSES, act)
    assert accepted.read_bytes() == b"."
    assert len(whole(tmp_path)) == 1


def look_up(cache: CapabilityCache, binary: Path) -> None:
    cache.lookup(str(binary))


def test_threads_make_one_probe_a_change(binary: Path, cache_host: Host) -> None:
    probes: list[int] = []

    def prober(_binary: str) -> Capabilities:
        probes.append(1)
        time.sleep(0.02)  # long enough for all to wait
        return replace(FULL)

    cache = CapabilityCache(FINE, cache_host, prober)
    for change in range(1, 6):
        touch(binary)
        in_threads(THREADS, lambda _number: look_up(cache, binary))
        assert len(probes) == change
    assert cache.counters.lookups == 5 * THREADS


def test_processes_make_one_probe_a_change(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    def act(_number: int) -> None:
        def prober(_binary: str) -> Capabilities:
            with (tmp_path / "probes").open("ab", buffering=0) as file:
                file.write(b".")
            time.sleep(0.05)
            return replace(FULL)

        CapabilityCache(CTIME, cache_host, prober, tmp_path / "cache").lookup(str(binary))

    in_processes(PROCESSES, act)
    assert (tmp_path / "probes").read_bytes() == b"."
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".xml"]


def test_a_killed_process_leaves_no_lock(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    """One dies while it holds every lock there is; the next does not wait."""
    driver = make_driver(tmp_path, binary, cache_host)
    driver.define(xml("shared"))
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        other = make_driver(tmp_path, binary, cache_host)
        assert other.cache._store is not None
        with (
            other.cache._store.alone(),
            other.store.locks.holding("shared"),
            other.store.locks.changing(),
        ):
            os.write(write_end, b"!")
            time.sleep(60)
    assert os.read(read_end, 1) == b"!"
    os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(read_end)
    os.close(write_end)
    touch(binary)
    began = time.monotonic()
    driver.attach("shared", disk(1))
    assert time.monotonic() - began < 5


# ── abort ──────────────────────────────────────────────────────────────────────────────────────────

TASKS: dict[str, Callable[[QemuDriver], object]] = {
    "define": lambda driver: driver.define(xml("new", uuid=5)),
    "redefine": lambda driver: driver.define(xml("old").replace(b"262144", b"524288")),
    "start": lambda driver: driver.start("old"),
    "createXML": lambda driver: driver.create_xml(xml("new", uuid=5)),
    "attach": lambda driver: driver.attach("old", disk(1)),
    "detach": lambda driver: driver.detach("old", disk(0)),
}


def state(driver: QemuDriver) -> tuple[object, ...]:
    """All there is to a driver: in memory and on the disk."""
    files = {path.name: path.read_bytes() for path in driver.store.directory.glob("*") if path.suffix}
    return dict(driver.domains), dict(driver.running), files


@pytest.fixture
def interrupted(tmp_path: Path, binary: Path, cache_host: Host) -> QemuDriver:
    """A driver with one domain, whose binary is replaced once, in the middle of its next task."""
    driver = make_driver(tmp_path, binary, cache_host, retries=0)
    driver.define(xml("old"))
    driver.attach("old", disk(0))
    replace_after_lookups(driver, binary, 1)
    return driver


def replace_after_lookups(driver: QemuDriver, binary: Path, most: int) -> list[int]:
    """From now on the binary is replaced right after a lookup, `most` times; the list grows by each."""
    lookup, done = driver.cache.lookup, list[int]()

    def then_replace(path: str) -> Capabilities:
        found = lookup(path)
        if len(done) < most:
            done.append(1)
            touch(binary)
        return found

    setattr(driver.cache, "lookup", then_replace)  # noqa: B010  # a method, for mypy
    return done


@pytest.mark.parametrize("task", TASKS)
def test_an_aborted_task_leaves_everything_as_it_was(
    task: str, interrupted: QemuDriver, binary: Path
) -> None:
    before = state(interrupted)
    with pytest.raises(CapabilitiesChanged) as caught:
        TASKS[task](interrupted)
    assert state(interrupted) == before
    assert caught.value.binary == str(binary)
    assert caught.value.reason.startswith(f"binary changed: {binary}: ")
    assert " -> " in caught.value.reason
    assert "\n" not in str(caught.value)
    TASKS[task](interrupted)  # nothing is in its way now
    assert state(interrupted) != before


@pytest.mark.parametrize("task", TASKS)
def test_a_retried_task_comes_through(task: str, interrupted: QemuDriver) -> None:
    interrupted.retries = 2
    done = TASKS[task](interrupted)
    assert getattr(done, "retried") == 1  # noqa: B009  # the tasks are typed as anything


def test_retries_are_bounded(tmp_path: Path, binary: Path, cache_host: Host) -> None:
    driver = make_driver(tmp_path, binary, cache_host, retries=3)
    attempts = replace_after_lookups(driver, binary, 100)
    with pytest.raises(CapabilitiesChanged):
        driver.define(xml("new"))
    assert len(attempts) == 4
    assert not driver.domains


def test_the_reason_survives_another_task_meeting_the_change_first(binary: Path, cache_host: Host) -> None:
    cache = CapabilityCache(FINE, cache_host, lambda _binary: replace(FULL))
    mine = cache.lookup(str(binary))
    touch(binary)
    cache.lookup(str(binary))  # another task renews the entry
    reason = cache.why_invalid(str(binary), mine)
    assert reason is not None
    assert reason.startswith("binary changed: ")


def test_one_answer_for_two_binaries_is_checked_for_the_right_one(tmp_path: Path, cache_host: Host) -> None:
    """A prober may hand out one object for every binary; which one changed must not be confused."""
    cache = CapabilityCache(FINE, cache_host, lambda _binary: FULL)
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        path.write_text("x")
        cache.lookup(str(path))
    touch(paths[1])
    assert cache.why_invalid(str(paths[0]), FULL) is None
    assert cache.why_invalid(str(paths[1]), FULL) is not None


# ── a store with others' files ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"<domain",
        b"\xff\xfe\x00",
        b"<network/>",
        xml("another"),
        xml("bad").replace(b"<uuid>", b"<uuid>x"),
    ],
)
def test_a_file_edited_by_hand_is_passed_over(
    contents: bytes, tmp_path: Path, binary: Path, cache_host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    make_driver(tmp_path, binary, cache_host).define(xml("good"))
    (tmp_path / "domains" / "bad.xml").write_bytes(contents)
    driver = make_driver(tmp_path, binary, cache_host)
    assert list(driver.domains) == ["good"]
    assert len(caplog.messages) == 1
    assert "bad.xml" in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
    driver.define(xml("bad"))
    assert sorted(make_driver(tmp_path, binary, cache_host).domains) == ["bad", "good"]


def test_a_minimal_file_put_there_by_hand_can_be_used_or_is_refused(
    tmp_path: Path, binary: Path, cache_host: Host
) -> None:
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "tiny.xml").write_text(
        "<domain type='qemu'><name>tiny</name><uuid>00000000-0000-4000-8000-000000000001</uuid>"
        "<os><type>hvm</type></os></domain>"
    )
    driver = make_driver(tmp_path, binary, cache_host)
    tasks: tuple[Callable[[], object], ...] = (
        lambda: driver.start("tiny"),
        lambda: driver.attach("tiny", disk(1)),
    )
    for task in tasks:
        with suppress(QcapsError):
            task()
