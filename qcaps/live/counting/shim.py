"""The interposer: compiled once into a cache folder, its counters read from a mapped file.

`shim.c` counts and describes itself; the layout below is the same one in Python.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qcaps.live.errors import LiveError, NoCompiler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENVIRONMENT: Final = "QCAPS_SHIM_COUNTERS"
"""Names the file that holds the counters, for the interposer to map."""

PHASES: Final = ("parse", "post-parse", "validate", "save")
"""Phases that the interposer times. Parse contains post-parse and validate."""

_COMPILE: Final = ("-shared", "-fPIC", "-O2", "-ftls-model=initial-exec")
_MAGIC: Final = 0x71636170
_SITES, _THREADS, _NAME = 64, 128, 120
_COUNTERS: Final = ("lookups", "lookup_ns", "answered", "failed", "forks")
_HEADER = struct.Struct("=QQQ")
_ONCE_OFFSET: Final = 16
_WORD = struct.Struct("=Q")
_SITES_OFFSET: Final = _HEADER.size
_THREAD = struct.Struct(f"=Q{len(_COUNTERS) + 2 * len(PHASES)}Q{_SITES}Q")
_FIRST_THREAD = _SITES_OFFSET + _SITES * _WORD.size
_LAST_THREAD = _FIRST_THREAD + (_THREADS - 1) * _THREAD.size
_NAMES_OFFSET = _LAST_THREAD + _THREAD.size
SIZE: Final = _NAMES_OFFSET + _SITES * _NAME
"""Bytes of the counters' file."""


@dataclass(frozen=True)
class Reading:
    """Counters at one moment, or between two moments (`later - earlier`).

    `answered` are lookups that the what-if spared; `phases` maps a phase to (calls, nanoseconds);
    `sites` maps what is looked up for (post-parse, validate domain, validate device, copy, API call) to
    lookups.
    """

    lookups: int = 0
    lookup_ns: int = 0
    answered: int = 0
    failed: int = 0
    forks: int = 0
    phases: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sites: Mapping[str, int] = field(default_factory=dict)

    def __sub__(self, earlier: Reading) -> Reading:
        return Reading(
            **{name: getattr(self, name) - getattr(earlier, name) for name in _COUNTERS},
            phases={name: _minus(pair, earlier.phases.get(name)) for name, pair in self.phases.items()},
            sites={
                name: more
                for name, count in self.sites.items()
                if (more := count - earlier.sites.get(name, 0))
            },
        )


def _minus(later: tuple[int, int], earlier: tuple[int, int] | None) -> tuple[int, int]:
    return (later[0] - earlier[0], later[1] - earlier[1]) if earlier else later


class MappedCounters:
    """The mapped file, read while libvirt counts."""

    def __init__(self, path: Path) -> None:
        """Map `path`, made by `create_counters`."""
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._calls = 0

    def check(self) -> None:
        """Raise LiveError unless an interposer of this very layout has mapped the file."""
        magic, size, _ = _HEADER.unpack_from(self._map)
        if (magic, size) != (_MAGIC, SIZE):
            raise LiveError("the interposer does not count: it was not loaded, or is of another version")

    def set_once(self, *, once: bool) -> None:
        """Answer each thread's further lookups with what its first one finds, from now on, or not."""
        self._calls += once
        struct.pack_into("=Q", self._map, _ONCE_OFFSET, self._calls if once else 0)

    def snapshot(self, thread: int | None = None) -> bytes:
        """The counters of one thread (its kernel id), or of all, as they are: read them later.

        The call that is timed next finds the processor's caches as we leave them: no more is done than copy.
        """
        return b"".join(self._map[offset : offset + _THREAD.size] for offset in self._offsets(thread))

    def reading(self, snapshot: bytes) -> Reading:
        """What a snapshot says."""
        sums = [sum(column) for column in zip(*_THREAD.iter_unpack(snapshot), strict=True)]
        counters, phases, sites = _split(sums[1:] or [0] * (_THREAD.size // _WORD.size - 1))
        roles: Counter[str] = Counter()
        for i, count in enumerate(sites):
            if count:
                roles[self._site_name(i)] += count
        return Reading(
            **dict(zip(_COUNTERS, counters, strict=True)),
            phases=dict(zip(PHASES, zip(phases[::2], phases[1::2], strict=True), strict=True)),
            sites=dict(roles),
        )

    def _offsets(self, only: int | None) -> Iterator[int]:
        """Where the threads' counters lie; the last place is that of all for whom there was none."""
        for offset in range(_FIRST_THREAD, _LAST_THREAD, _THREAD.size):
            (thread,) = _WORD.unpack_from(self._map, offset)
            if not thread:
                break
            if only in (None, thread):
                yield offset
        if only is None:
            yield _LAST_THREAD

    def _site_name(self, index: int) -> str:
        begin = _NAMES_OFFSET + index * _NAME
        name = self._map[begin : begin + _NAME].split(b"\0", 1)[0]
        (address,) = _WORD.unpack_from(self._map, _SITES_OFFSET + index * _WORD.size)
        return name.decode(errors="replace") or hex(address)


def _split(sums: list[int]) -> tuple[list[int], list[int], list[int]]:
    first, second = len(_COUNTERS), len(_COUNTERS) + 2 * len(PHASES)
    return sums[:first], sums[first:second], sums[second:]


def create_counters(path: Path) -> MappedCounters:
    """A new file of zeros for an interposer that is loaded later."""
    with path.open("xb") as file:
        file.truncate(SIZE)
    return MappedCounters(path)


def compiled(libvirt_version: int, cache: Path | None = None) -> Path:
    """The interposer as a shared library, compiled now unless it has been before.

    One file for each source and each libvirt version, in `$XDG_CACHE_HOME/qcaps/shim` or in `cache`.
    It is loaded into processes of ours, root's too: so folder and file are ours, and nobody else can put
    others in their place. Raises NoCompiler if that is not so, without a `cc`, or with what it complains of.
    """
    source = Path(__file__).with_name("shim.c").read_bytes()
    key = hashlib.sha256(source).hexdigest()[:16]
    folder = cache or _cache_folder()
    library = folder / f"shim-{key}-{libvirt_version}.so"
    try:
        _make_ours(folder)
        _refuse_shared(folder)
        if not (_is_ours(library) and stat.S_ISREG(library.lstat().st_mode)):
            _compile(source, library)
    except OSError as error:
        raise NoCompiler(f"{library}: cannot be written: {error.strerror}; set XDG_CACHE_HOME") from error
    return library


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache") / "qcaps" / "shim"


def _make_ours(folder: Path) -> None:
    """Make what is not there of a path, for us alone whatever the umask says."""
    if not folder.exists():
        _make_ours(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _refuse_shared(folder: Path) -> None:
    """Raise NoCompiler where somebody else could put a library in the folder, or another in its place."""
    whole = folder.resolve()
    others = next((one for one in whole.parents if not _is_kept_from_others(one)), None)
    if others is not None or not _is_ours(whole):
        place = others or whole
        raise NoCompiler(f"{place}: another user can write there, so no library is loaded from {folder}; "
                         "name a folder of your own with XDG_CACHE_HOME")  # fmt: skip


def _is_ours(path: Path) -> bool:
    """Whether it is there, belongs to us, and nobody else can write to it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & _WRITABLE_BY_OTHERS


def _is_kept_from_others(parent: Path) -> bool:
    """Whether nobody but us and who owns the system can rename what is in it."""
    found = parent.stat()
    trusted = found.st_uid in (0, os.geteuid(), Path("/").stat().st_uid)
    return trusted and (not found.st_mode & _WRITABLE_BY_OTHERS or bool(found.st_mode & stat.S_ISVTX))


_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def _compile(source: bytes, library: Path) -> None:
    """All of the library or nothing: it is loaded into a process that must not meet half of it."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler("no C compiler called cc on PATH: install gcc, or count with --counting log")
    with tempfile.TemporaryDirectory(prefix=".shim-", dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        done = subprocess.run(
            [compiler, *_COMPILE, "-x", "c", "-o", str(made), "-", "-ldl"],
            input=source,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise NoCompiler(f"{compiler} cannot compile the interposer: {complaint[0]}")
        made.chmod(0o700)
        made.rename(library)
