from __future__ import annotations

import ctypes
import errno
import gc
import hashlib
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.folder import CacheFolder, CacheFolderError
from qcaps.cache.validity import CTIME, TRUST
from qcaps.capabilities import cachefile
from qcaps.capabilities.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.cache.host_files import Host
    from qcaps.capabilities.model import Capabilities


def probe(_binary: str) -> Capabilities:
    return snapshot("x86_64").capabilities


@pytest.fixture
def binary(tmp_path: Path) -> str:
    path = tmp_path / "qemu"
    path.write_text("first")
    return str(path)


@pytest.fixture
def saved(cache_host: Host, binary: str, tmp_path: Path) -> Path:
    """The file of an entry that holds."""
    CapabilityCache(CTIME, cache_host, probe, tmp_path / "cache").lookup(binary)
    name = hashlib.sha256(binary.encode()).hexdigest() + ".xml"
    path = tmp_path / "cache" / name
    assert [one.name for one in path.parent.iterdir()] == [name]
    return path


def test_another_cache_loads_what_one_saved(cache_host: Host, binary: str, saved: Path) -> None:
    cache = CapabilityCache(CTIME, cache_host, probe, saved.parent)
    found = cache.lookup(binary)
    assert found == probe(binary)
    assert cache.lookup(binary) is found
    counters = cache.counters
    assert (counters.loads, counters.probes, counters.saves, counters.misses, counters.hits) == (
        1,
        0,
        0,
        1,
        1,
    )
    assert counters.validations == 2


def test_an_outdated_file_is_replaced(cache_host: Host, binary: str, saved: Path) -> None:
    newer = replace(cache_host, self_version=1001, kernel_version="6.2 stand-in")
    cache = CapabilityCache(CTIME, newer, probe, saved.parent)
    cache.lookup(binary)
    assert cache.counters.reasons == {"qcaps changed": 1}
    assert (cache.counters.loads, cache.counters.probes, cache.counters.saves) == (1, 1, 1)
    assert cachefile.read(saved).stamps.kernel_version == "6.2 stand-in"


def test_an_outdated_file_is_removed_even_if_the_probe_fails(
    cache_host: Host, binary: str, saved: Path
) -> None:
    def fail(_binary: str) -> Capabilities:
        raise CacheFolderError("no probe today")

    with pytest.raises(CacheFolderError, match="no probe today"):
        CapabilityCache(CTIME, replace(cache_host, self_version=1001), fail, saved.parent).lookup(binary)
    assert not saved.exists()


def test_the_kvm_flag_of_a_loaded_entry_is_held_against_todays_access(
    cache_host: Host, binary: str, saved: Path
) -> None:
    Path(cache_host.kvm_device).unlink()
    cache = CapabilityCache(CTIME, cache_host, probe, saved.parent)
    cache.lookup(binary)
    cache.lookup(binary)
    assert cache.counters.reasons == {"KVM not usable": 1}
    assert cache.counters.probes == 1


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _binary_rubbish(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


def _another_document(path: Path) -> None:
    path.write_text("<domain type='kvm'><name>x</name></domain>")


def _another_binary(path: Path) -> None:
    entry = cachefile.read(path)
    cachefile.write(path, replace(entry, stamps=replace(entry.stamps, binary="/usr/bin/other")))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "occupied").write_text("")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage", [_truncate, _empty, _binary_rubbish, _another_document, _another_binary, _dangling, _pipe]
)
def test_a_damaged_file_is_a_miss_with_a_warning(
    damage: object, cache_host: Host, binary: str, saved: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    damage(saved)
    cache = CapabilityCache(CTIME, cache_host, probe, saved.parent)
    with caplog.at_level(logging.WARNING):
        assert cache.lookup(binary) == probe(binary)
    assert (cache.counters.loads, cache.counters.probes, cache.counters.saves) == (0, 1, 1)
    assert str(saved) in caplog.text
    assert "\n" not in caplog.messages[0]
    assert cachefile.read(saved).stamps.binary == binary  # mended


def test_a_directory_in_the_files_place_is_a_clear_error(cache_host: Host, binary: str, saved: Path) -> None:
    _directory(saved)
    cache = CapabilityCache(CTIME, cache_host, probe, saved.parent)
    with pytest.raises(CacheFolderError, match=saved.name):
        cache.lookup(binary)
    assert [one.name for one in saved.parent.iterdir()] == [saved.name]


def test_a_cache_directory_that_is_a_file_is_a_clear_error(cache_host: Host, binary: str) -> None:
    with pytest.raises(CacheFolderError, match="choose another cache directory"):
        CapabilityCache(TRUST, cache_host, probe, binary).lookup(binary)


def _as_ordinary_user(act: object) -> int:
    """The exit status of a child that runs `act`, as nobody where we are root: 0 after a CacheFolderError."""
    assert callable(act)
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            act()
        except CacheFolderError:
            os._exit(0)
        finally:
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_read_only_directory_is_a_clear_error(cache_host: Host, binary: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o500)
    cache = CapabilityCache(TRUST, cache_host, probe, folder)
    assert _as_ordinary_user(lambda: cache.lookup(binary)) == 0
    assert list(folder.iterdir()) == []
    folder.chmod(0o700)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 kB, far less than an entry."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", bytes(folder), b"tmpfs", 0, b"size=16k") != 0:
        pytest.skip(f"cannot mount a tmpfs: {errno.errorcode[ctypes.get_errno()]}")
    try:
        yield folder
    finally:
        gc.collect()
        libc.umount2(bytes(folder), 2)


@pytest.mark.root
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(cache_host: Host, binary: str, tiny: Path) -> None:
    cache = CapabilityCache(TRUST, cache_host, probe, tiny)
    with pytest.raises(CacheFolderError, match="No space left on device"):
        cache.lookup(binary)
    assert list(tiny.iterdir()) == []
    assert cache.counters.saves == 0
    with pytest.raises(CacheFolderError):  # nothing was remembered either
        cache.lookup(binary)


def test_the_file_name_is_libvirts() -> None:
    path = CacheFolder("/cache").path("/usr/bin/qemu-system-x86_64")
    assert path == f"/cache/{hashlib.sha256(b'/usr/bin/qemu-system-x86_64').hexdigest()}.xml"


def test_a_binary_replaced_within_the_second_is_seen_through_the_file(
    cache_host: Host, binary: str, tmp_path: Path
) -> None:
    """libvirt compares whole seconds; what we write beside them must survive the way through the file."""
    fine = replace(CTIME, whole_seconds=False)
    for _ in range(50):  # a busy machine may need more than one second for what must happen within one
        while time.time() % 1 > 0.5:
            time.sleep(0.01)
        Path(binary).chmod(0o755)
        before = int(Path(binary).stat().st_ctime)
        CapabilityCache(fine, cache_host, probe, tmp_path / "cache").lookup(binary)
        unchanged = CapabilityCache(fine, cache_host, probe, tmp_path / "cache")
        unchanged.lookup(binary)
        assert (unchanged.counters.loads, unchanged.counters.probes) == (1, 0)
        other = Path(binary).with_name("other")
        other.write_text("second, and longer")
        other.rename(binary)
        if int(Path(binary).stat().st_ctime) == before:
            break
    else:
        pytest.fail("no second was long enough")
    coarse = CapabilityCache(CTIME, cache_host, probe, tmp_path / "cache")
    coarse.lookup(binary)
    assert coarse.counters.probes == 0  # the hole
    seen = CapabilityCache(fine, cache_host, probe, tmp_path / "cache")
    seen.lookup(binary)
    assert (seen.counters.loads, seen.counters.probes) == (1, 1)


def test_a_file_that_says_only_seconds_is_not_believed_finely(
    cache_host: Host, binary: str, saved: Path
) -> None:
    entry = cachefile.read(saved)
    coarse = replace(entry.stamps, binary_ctime_ns=None, binary_inode=None, binary_size=None)
    cachefile.write(saved, replace(entry, stamps=coarse))
    cache = CapabilityCache(replace(CTIME, whole_seconds=False), cache_host, probe, saved.parent)
    cache.lookup(binary)
    assert cache.counters.reasons == {"binary unknown": 1}
    assert cachefile.read(saved).stamps.binary_size == Path(binary).stat().st_size


def test_what_a_killed_save_left_is_removed(cache_host: Host, binary: str, saved: Path) -> None:
    leftover, older = (
        saved.with_name(f".{saved.name}.{end}") for end in ("0123456789abcdef.qcaps-new", "0a1b2c3d")
    )
    leftover.write_text("half")
    older.write_text("half")
    CapabilityCache(CTIME, cache_host, probe, saved.parent).lookup(binary)
    assert not leftover.exists()
    assert not older.exists()
    assert saved.exists()
