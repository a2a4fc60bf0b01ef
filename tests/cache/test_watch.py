from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.access import user_named
from qcaps.cache.cache import CapabilityCache
from qcaps.cache.validity import WATCH
from qcaps.cache.watch import Watcher, WatchError
from qcaps.capabilities.model import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.cache.host_files import Host

DEADLINE = 5.0


def fresh(_binary: str) -> Capabilities:
    return Capabilities("x86_64", 7_002_022, frozenset({"kvm"}))


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "qemu"
    path.parent.mkdir()
    path.write_text("first")
    return path


@pytest.fixture
def cache(cache_host: Host) -> Iterator[CapabilityCache]:
    with CapabilityCache(WATCH, cache_host, fresh) as made:
        yield made


def reason_within(
    cache: CapabilityCache, binary: Path, capabilities: Capabilities, seconds: float
) -> str | None:
    """Why they became invalid, asked until they do; the watcher's thread needs a moment."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        reason = cache.why_invalid(str(binary), capabilities)
        if reason is not None:
            return reason
        time.sleep(0.002)
    return None


def _rewrite(path: Path) -> None:
    path.write_text("other")


def _rename_over(path: Path) -> None:
    new = path.with_name("new")
    new.write_text("first")
    new.rename(path)


def _chmod(path: Path) -> None:
    path.chmod(0o711)


def _unlink(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [_rewrite, _rename_over, _chmod, _unlink])
def test_each_change_of_the_binary_is_seen(
    change: Callable[[Path], None], cache: CapabilityCache, binary: Path
) -> None:
    first = cache.lookup(str(binary))
    change(binary)
    reason = reason_within(cache, binary, first, DEADLINE)
    assert reason is not None
    assert reason.startswith(("binary changed: ", "binary gone: "))
    assert cache.lookup(str(binary)) is not first


def test_what_a_link_leads_to_is_watched(cache: CapabilityCache, binary: Path, tmp_path: Path) -> None:
    link = tmp_path / "emulator"
    link.symlink_to(binary)
    first = cache.lookup(str(link))
    _rename_over(binary)
    assert reason_within(cache, binary, first, DEADLINE) is not None


def test_a_link_turned_elsewhere_is_seen(cache: CapabilityCache, binary: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "emulator", tmp_path / "bin" / "other"
    other.write_text("other")
    link.symlink_to(binary)
    first = cache.lookup(str(link))
    (tmp_path / "turned").symlink_to(other)
    (tmp_path / "turned").rename(link)
    assert reason_within(cache, binary, first, DEADLINE) is not None


def test_a_second_replacement_is_seen_too(cache: CapabilityCache, binary: Path) -> None:
    for _ in range(3):
        found = cache.lookup(str(binary))
        _rename_over(binary)
        assert reason_within(cache, binary, found, DEADLINE) is not None


def test_a_binary_that_appears_is_seen(cache: CapabilityCache, tmp_path: Path) -> None:
    path = tmp_path / "later" / "qemu"
    first = cache.lookup(str(path))
    path.parent.mkdir()
    assert reason_within(cache, path, first, 0.1) is None  # the watch moved on into the new folder
    path.write_text("here")
    assert reason_within(cache, path, first, DEADLINE) is not None


def test_modules_and_the_device_are_watched(cache: CapabilityCache, cache_host: Host, binary: Path) -> None:
    first = cache.lookup(str(binary))
    (Path(cache_host.module_dir) / "ui-gtk.so").write_text("")
    assert (reason_within(cache, binary, first, DEADLINE) or "").startswith("module directory changed: ")
    second = cache.lookup(str(binary))
    Path(cache_host.kvm_device).unlink()
    assert (reason_within(cache, binary, second, DEADLINE) or "").startswith("KVM not usable: ")


def test_a_change_that_changes_nothing_keeps_the_entry(
    cache: CapabilityCache, cache_host: Host, binary: Path
) -> None:
    first = cache.lookup(str(binary))
    Path(cache_host.kvm_device).chmod(0o640)
    (binary.parent / "unrelated").write_text("")
    assert reason_within(cache, binary, first, 0.1) is None
    assert cache.lookup(str(binary)) is first
    assert cache.counters.probes == 1


@pytest.mark.root
def test_the_device_closed_to_qemus_user(cache_host: Host, binary: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        device = Path(folder) / "kvm"
        device.write_text("")
        device.chmod(0o666)
        host = replace(cache_host, kvm_device=str(device), user=user_named("nobody"))
        with CapabilityCache(WATCH, host, fresh) as cache:
            first = cache.lookup(str(binary))
            while time.time() < int(device.stat().st_ctime) + 1.01:
                time.sleep(0.01)
            device.chmod(0o600)
            assert (reason_within(cache, binary, first, DEADLINE) or "").startswith("KVM not usable: ")
            assert cache.counters.forks == 2


def test_closing_ends_the_thread_and_gives_descriptors_back(cache_host: Host, binary: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors(), threading.active_count()
    cache = CapabilityCache(WATCH, cache_host, fresh)
    cache.lookup(str(binary))
    assert threading.active_count() == before[1] + 1
    cache.close()
    cache.close()
    assert (descriptors(), threading.active_count()) == before


def test_running_out_of_watchers_is_a_clear_error() -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    if limit > 1024:
        pytest.skip(f"{limit} watchers allowed: too many to use up")
    watchers: list[Watcher] = []
    try:
        with pytest.raises(WatchError, match="max_user_instances"):
            watchers.extend(Watcher() for _ in range(limit + 1))
    finally:
        for watcher in watchers:
            watcher.close()
