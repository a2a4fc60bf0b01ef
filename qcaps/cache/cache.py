"""The capability cache: a lookup looks in memory, validates, else loads from disk, else probes."""

from __future__ import annotations

import os
from contextlib import nullcontext
from threading import Lock
from time import perf_counter_ns
from typing import TYPE_CHECKING, Self

from qcaps.cache.checks import Check, Now, Recorded, kvm_asker, make_checks
from qcaps.cache.counters import Counters
from qcaps.cache.folder import CacheFolder
from qcaps.cache.host_files import (
    Host,
    microcode_version,
    module_dir_mtime_ns,
    nested_is_on,
    secure_guest_is_on,
)
from qcaps.capabilities.stamps import Entry, Stamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.cache.validity import Validity
    from qcaps.cache.watch import Changed
    from qcaps.capabilities.model import Capabilities

_REPLACED = "entry replaced: the cache no longer holds it"


class _Stored:
    """An entry in memory; `changed` is the watcher's word, None where nothing is watched."""

    __slots__ = ("capabilities", "changed", "checks")

    def __init__(self, recorded: Recorded, checks: tuple[Check, ...], changed: Changed | None) -> None:
        self.capabilities = recorded.capabilities
        self.checks = checks
        self.changed = changed


class CapabilityCache:
    """Capabilities of QEMU binaries, by path, checked as `validity` says.

    `prober` makes capabilities for a path when no entry holds: a real probe, or a function that hands
    out a snapshot; its errors pass through and leave nothing behind. With a snapshot the path may name
    any stand-in file, or none: a file that is missing counts as unchanged while it is missing.
    With a `directory` entries are kept in it too, in libvirt's format. One lock is held from the look
    in memory to the end of a probe, as libvirt holds it: lookups of other binaries wait as well. Processes
    that share a `directory` load, probe and save in it one after another, so a change costs one probe.
    Close a cache whose validity watches, or use it as a context manager.
    """

    def __init__(
        self,
        validity: Validity,
        host: Host,
        prober: Callable[[str], Capabilities],
        directory: str | os.PathLike[str] | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.validity = validity
        self.host = host
        self.counters = Counters() if counters is None else counters
        self._prober = prober
        self._store = None if directory is None else CacheFolder(directory)
        self._lock = Lock()
        self._table: dict[str, _Stored] = {}
        self._ended: dict[str, tuple[Capabilities, str]] = {}
        self._now = Now(host, self.counters)
        self._now.microcode_version = microcode_version(host.cpuinfo)
        self._reads_microcode = validity.reads_microcode and host.arch in ("x86_64", "i686")
        self._watcher = None
        if validity.on_change:
            from qcaps.cache.watch import Watcher

            self._watcher = Watcher()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all entries in memory and stop watching."""
        with self._lock:
            self._table.clear()
            self._ended.clear()
            if self._watcher is not None:
                self._watcher.close()

    def lookup(self, binary: str) -> Capabilities:
        """What `binary` can do. The same object as long as its entry holds: compare with `is`.

        Raises what the prober raises, AccessError if no child can be made to check access, StoreError
        if an entry cannot be saved.

        Follows: virQEMUCapsCacheLookup, virFileCacheLookup
        """
        if self._reads_microcode:
            self._now.microcode_version = microcode_version(self.host.cpuinfo)
        with self._lock:
            counters = self.counters
            counters.lookups += 1
            stored = self._table.get(binary)
            if stored is not None:
                reason = self._still_holds(binary, stored)
                if reason is None:
                    counters.hits += 1
                    return stored.capabilities
                self._end(binary, reason)
            counters.misses += 1
            return self._renew(binary)

    def why_invalid(self, binary: str, capabilities: Capabilities) -> str | None:
        """Why the `capabilities` of `binary`, from an earlier lookup, no longer hold; None if they do.

        One validation and no lookup: what a task does at its end. An entry that fails is forgotten. The
        reason says what changed, from what to what, also where another task met the change first.
        """
        if self._reads_microcode:
            self._now.microcode_version = microcode_version(self.host.cpuinfo)
        with self._lock:
            stored = self._table.get(binary)
            if stored is None or stored.capabilities is not capabilities:
                ended, reason = self._ended.get(binary, (None, _REPLACED))
                return reason if ended is capabilities else _REPLACED
            why = self._still_holds(binary, stored)
            if why is not None:
                self._end(binary, why)
            return why

    def _end(self, binary: str, reason: str) -> None:
        """Forget an entry; of each binary the last that ended is remembered, for `why_invalid`."""
        self._ended[binary] = (self._table.pop(binary).capabilities, reason)

    def _still_holds(self, binary: str, stored: _Stored) -> str | None:
        """Validate an entry once: None, or why it no longer holds.

        Follows: virFileCacheValidate
        """
        counters = self.counters
        counters.validations += 1
        observer = counters.on_event
        if observer is None:
            reason = self._run_checks(stored)
        else:
            start = perf_counter_ns()
            reason = self._run_checks(stored)
            observer("validation", start, perf_counter_ns(), reason or binary)
        if reason is not None:
            counters.invalidated(reason)
        return reason

    def _run_checks(self, stored: _Stored) -> str | None:
        changed = stored.changed
        if changed is not None:
            if not changed.flag:
                return None
            changed.rearm()
        for check in stored.checks:
            reason = check()
            if reason is not None:
                return reason
        return None

    def _renew(self, binary: str) -> Capabilities:
        """Load or probe, and remember; the watch begins before anything is read.

        Follows: virFileCacheNewData
        """
        changed = None
        if self._watcher is not None:
            changed = self._watcher.watch((binary, self.host.kvm_device, self.host.module_dir))
        with self._store.alone() if self._store is not None else nullcontext():
            recorded = self._load(binary) or self._probe(binary)
        checks = make_checks(self.validity, recorded, self._now)
        self._table[binary] = _Stored(recorded, checks, changed)
        return recorded.capabilities

    def _load(self, binary: str) -> Recorded | None:
        """The entry on disk, if there is one and it holds; an outdated file is removed.

        Follows: virFileCacheLoad
        """
        if self._store is None:
            return None
        start = perf_counter_ns()
        entry = self._store.load(binary)
        if entry is None:
            return None
        self.counters.loads += 1
        if self.counters.on_event is not None:
            self.counters.on_event("load", start, perf_counter_ns(), self._store.path(binary))
        # The file does not say who could use KVM; its "kvm" flag is libvirt's word for it.
        recorded = Recorded(entry.capabilities, entry.stamps, entry.capabilities.kvm)
        fresh = _Stored(recorded, make_checks(self.validity, recorded, self._now), None)
        if self._still_holds(binary, fresh) is None:
            return recorded
        self._store.discard(binary)
        return None

    def _probe(self, binary: str) -> Recorded:
        """Ask the prober, and save; the files are stamped before, so that a change meanwhile shows.

        Follows: virQEMUCapsNewForBinaryInternal
        """
        counters = self.counters
        status, device = _status(binary), _status(self.host.kvm_device)
        modules = module_dir_mtime_ns(self.host.module_dir)
        counters.probes += 1
        start = perf_counter_ns()
        try:
            capabilities = self._prober(binary)
        finally:
            if counters.on_event is not None:
                counters.on_event("probe", start, perf_counter_ns(), binary)
        usable = self._kvm_usable(capabilities, device)
        recorded = self._recorded(binary, capabilities, status, modules, usable)
        if self._store is not None and usable is not None:
            start = perf_counter_ns()
            self._store.save(binary, Entry(capabilities, recorded.stamps))
            counters.saves += 1
            if counters.on_event is not None:
                counters.on_event("save", start, perf_counter_ns(), self._store.path(binary))
        return recorded

    def _kvm_usable(self, capabilities: Capabilities, before: os.stat_result | None) -> bool | None:
        """What a check of /dev/kvm should find; None if the device changed during the probe."""
        ask = kvm_asker(self.validity, self._now, capabilities.arch)
        if ask is None:
            return capabilities.kvm
        usable, after = ask(), _status(self.host.kvm_device)
        return usable if _identity(before) == _identity(after) else None

    def _recorded(
        self,
        binary: str,
        capabilities: Capabilities,
        status: os.stat_result | None,
        modules: int | None,
        kvm_usable: bool | None,  # noqa: FBT001  # a value of the record, no switch
    ) -> Recorded:
        host, kvm = self.host, capabilities.kvm
        stamps = Stamps(
            binary=binary,
            binary_ctime=status.st_ctime_ns // 1_000_000_000 if status else 0,
            module_dir_mtime=None if modules is None else modules // 1_000_000_000,
            self_ctime=host.self_ctime,
            self_version=host.self_version,
            microcode_version=self._now.microcode_version if kvm else 0,
            host_cpu_signature=host.cpu_signature if kvm else None,
            kernel_version=host.kernel_version if kvm else None,
            kvm_nested=kvm and nested_is_on(host.nested),
            kvm_secure_guest=kvm and secure_guest_is_on(host),
            binary_ctime_ns=status.st_ctime_ns if status else None,
            binary_inode=status.st_ino if status else None,
            binary_size=status.st_size if status else None,
        )
        return Recorded(capabilities, stamps, kvm_usable, modules)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  callers hold strings
    except OSError:
        return None


def _identity(status: os.stat_result | None) -> tuple[int, int] | None:
    return None if status is None else (status.st_ctime_ns, status.st_ino)
