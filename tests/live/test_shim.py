"""The interposer: compiled once, all or nothing, and its counters' layout the same in C and Python."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qcaps.live.counting import shim
from qcaps.live.counting.shim import MappedCounters, Reading
from qcaps.live.errors import LiveError, NoCompiler
from qcaps.live.host import live_folder

VERSION = 9_000_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.compiled(VERSION, tmp_path_factory.mktemp("cache"))


@pytest.mark.libvirt
def test_it_is_compiled_once_and_again_for_another_libvirt(library: Path) -> None:
    before = library.stat()
    assert shim.compiled(VERSION, library.parent) == library
    assert library.stat().st_mtime_ns == before.st_mtime_ns
    other = shim.compiled(VERSION + 1, library.parent)
    assert other != library
    assert {path.name for path in library.parent.iterdir()} == {library.name, other.name}


@pytest.mark.libvirt
def test_both_languages_know_the_same_layout(library: Path, tmp_path: Path) -> None:
    counters = shim.create_counters(tmp_path / "counters")
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)"
    subprocess.run(
        [sys.executable, "-c", code, str(library)],
        env={**os.environ, shim.ENVIRONMENT: str(tmp_path / "counters")},
        check=True,
    )
    counters.check()
    assert counters.reading(counters.snapshot()) == Reading(phases=dict.fromkeys(shim.PHASES, (0, 0)))


@pytest.mark.libvirt
def test_a_file_too_short_is_left_alone(library: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"\0" * 16)
    subprocess.run(
        [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(library)],
        env={**os.environ, shim.ENVIRONMENT: str(short)},
        check=True,
    )
    assert short.read_bytes() == b"\0" * 16


def test_counters_that_nothing_fills_are_noticed(tmp_path: Path) -> None:
    shim.create_counters(tmp_path / "counters")
    with pytest.raises(LiveError, match="does not count"):
        MappedCounters(tmp_path / "counters").check()


def test_no_compiler_is_said_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompiler, match=r"install gcc, or count with --counting log"):
        shim.compiled(VERSION, tmp_path / "cache")


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'no room for this' >&2\nexit 1\n")
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NoCompiler, match="no room for this"):
        shim.compiled(VERSION, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoCompiler, match="XDG_CACHE_HOME"):
        shim.compiled(VERSION, tmp_path / "file" / "cache")


@pytest.mark.libvirt
def test_folder_and_library_are_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = os.umask(0)
    try:
        library = shim.compiled(VERSION)
    finally:
        os.umask(before)
    assert library.parent == tmp_path / "qcaps" / "shim"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (library, library.parent)} == {0o700}


@pytest.mark.libvirt
@pytest.mark.parametrize("planted", ["writable", "link"])
def test_a_library_that_another_could_write_is_made_anew(library: Path, tmp_path: Path, planted: str) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    there, elsewhere = folder / library.name, tmp_path / "elsewhere"
    if planted == "writable":
        there.write_bytes(b"not a library")
        there.chmod(0o722)
    else:
        elsewhere.write_bytes(b"not a library")
        there.symlink_to(elsewhere)
    assert shim.compiled(VERSION, folder).read_bytes()[:4] == b"\x7fELF"
    assert not there.is_symlink()
    assert stat.S_IMODE(there.stat().st_mode) == 0o700


def test_no_library_is_loaded_from_where_another_user_can_write(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for cache in (shared, shared / "below" / "cache"):
        with pytest.raises(NoCompiler, match=f"{shared}: another user can write there"):
            shim.compiled(VERSION, cache)
    shared.chmod(0o1777)  # as /tmp: others cannot rename what is ours
    (shared / "mine").mkdir(mode=0o700)
    assert shim.compiled(VERSION, shared / "mine").is_file()


@pytest.mark.root
def test_no_library_is_loaded_from_another_users_folder(tmp_path: Path) -> None:
    for name in ("home", "home/cache"):
        (tmp_path / name).mkdir(mode=0o700)
        os.chown(tmp_path / name, 65534, 65534)
    for cache in (tmp_path / "home" / "cache", tmp_path / "home" / "roots"):
        with pytest.raises(NoCompiler, match="another user can write there"):
            shim.compiled(VERSION, cache)


def test_a_window_is_the_difference_of_two_readings() -> None:
    earlier = Reading(lookups=3, forks=1, phases={"save": (1, 10)}, sites={"a": 2})
    later = Reading(lookups=8, forks=1, phases={"save": (3, 40)}, sites={"a": 2, "b": 5})
    assert later - earlier == Reading(lookups=5, phases={"save": (2, 30)}, sites={"b": 5})


def test_the_package_carries_its_scripts() -> None:
    assert Path(shim.__file__).with_name("shim.c").is_file()
    assert Path(live_folder.__file__).with_name("namespace.sh").is_file()


def test_the_layout_is_whole_words() -> None:
    assert shim.SIZE % ctypes.sizeof(ctypes.c_uint64) == 0


LIBVIRT = """
unsigned long virFileCacheLookup(void *cache, const char *name) { (void)cache; (void)name; return 7; }
unsigned long virObjectRef(unsigned long object) { return object; }
void virObjectUnref(unsigned long object) { (void)object; }
"""
DRIVER = """
extern unsigned long virFileCacheLookup(void *cache, const char *name);
unsigned long virQEMUCapsCacheLookup(void *cache, const char *name) { return virFileCacheLookup(cache, name) + 0 * (unsigned long)cache; }
unsigned long qemuGetNbdkitCaps(void *cache) { return virFileCacheLookup(cache, "/opt/renamed") + 0 * (unsigned long)cache; }
unsigned long unnamed(void *cache) { return virFileCacheLookup(cache, "/usr/sbin/nbdkit") + 0 * (unsigned long)cache; }
unsigned long qemuValidateDomainDef(void *cache) { return virQEMUCapsCacheLookup(cache, "/q") + 0 * (unsigned long)cache; }
unsigned long qemuAnything(void *cache) { return virQEMUCapsCacheLookup(cache, "/q") + 0 * (unsigned long)cache; }
"""  # noqa: E501
CALLS = """
import ctypes, sys
from pathlib import Path
from qcaps.live.counting.shim import MappedCounters
counters = MappedCounters(Path(sys.argv[2]))
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
ctypes.CDLL(sys.argv[3] + "/libvirt.so.0", ctypes.RTLD_GLOBAL)
driver = ctypes.CDLL(sys.argv[3] + "/libvirt_driver_qemu.so")
def counted(*calls, once=False):
    before = counters.reading(counters.snapshot())
    counters.set_once(once=once)
    for call in calls:
        getattr(driver, call)(None)
    counters.set_once(once=False)
    done = counters.reading(counters.snapshot()) - before
    print(done.lookups, done.answered, dict(done.sites))
counted("qemuGetNbdkitCaps", "unnamed")
counted("qemuValidateDomainDef", "qemuAnything", "qemuAnything", "qemuGetNbdkitCaps")
counted("qemuValidateDomainDef", "qemuAnything", once=True)
counted("qemuAnything", once=True)
counted("qemuAnything")
"""


@pytest.mark.libvirt
def test_what_is_counted_and_as_what_is_seen_on_a_stand_in(library: Path, tmp_path: Path) -> None:
    for name, source in (("libvirt.so.0", LIBVIRT), ("libvirt_driver_qemu.so", DRIVER)):
        command = ["cc", "-shared", "-fPIC", "-O1", "-fno-optimize-sibling-calls", "-x", "c", "-", "-o"]
        soname = [f"-Wl,-soname,{name}"]
        subprocess.run([*command, str(tmp_path / name), *soname], input=source.encode(), check=True)
    shim.create_counters(tmp_path / "counters")
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(library), str(tmp_path / "counters"), str(tmp_path)],
        env={**os.environ, shim.ENVIRONMENT: str(tmp_path / "counters"), "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "0 0 {}",  # nbdkit's capabilities are not QEMU's
        "3 0 {'validate domain': 1, 'API call': 2}",
        "1 1 {'validate domain': 1}",
        "1 0 {'API call': 1}",  # another call of the API: nothing is kept for it
        "1 0 {'API call': 1}",
    ]
