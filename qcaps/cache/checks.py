"""The checks a validity names: each compares one thing recorded with an entry against the host of now.

A check is made once for an entry and then called on each hit. It returns None, or why the entry no
longer holds: "what changed: from -> to".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from stat import ST_CTIME, ST_MTIME
from time import perf_counter_ns
from typing import TYPE_CHECKING

from qcaps.cache.access import accessible_as
from qcaps.cache.host_files import Host, nested_is_on, secure_guest_is_on

if TYPE_CHECKING:
    from qcaps.cache.counters import Counters
    from qcaps.cache.validity import Validity
    from qcaps.capabilities.model import Capabilities
    from qcaps.capabilities.stamps import Stamps

Check = Callable[[], "str | None"]


class Now:
    """What a cache last saw of its host; shared by the checks of all its entries.

    `kvm_ctime` is the one of /dev/kvm (seconds) when a fork last answered `kvm_usable`.
    """

    __slots__ = ("counters", "host", "kvm_ctime", "kvm_usable", "microcode_version")

    def __init__(self, host: Host, counters: Counters) -> None:
        self.host = host
        self.counters = counters
        self.microcode_version = 0
        self.kvm_ctime: float | None = None
        self.kvm_usable = False

    def kvm_by_fork(self) -> bool:
        """Whether QEMU's user may use /dev/kvm; costs a fork."""
        counters, host = self.counters, self.host
        counters.forks += 1
        start = perf_counter_ns() if counters.on_event else 0
        try:
            return accessible_as(host.kvm_device, os.R_OK | os.W_OK, host.user)
        finally:
            if counters.on_event:
                counters.on_event("fork", start, perf_counter_ns(), host.kvm_device)

    def kvm_by_ctime(self) -> bool:
        """The same, remembered until the device's ctime changes; no device, no fork.

        Follows: virQEMUCapsKVMUsable
        """
        try:
            ctime = os.stat(self.host.kvm_device)[ST_CTIME]  # noqa: PTH116  on the hot path
        except OSError:
            return False
        if ctime != self.kvm_ctime:
            self.kvm_usable = self.kvm_by_fork()
            self.kvm_ctime = ctime
        return self.kvm_usable


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the checks of one entry compare with the host of now.

    `kvm_usable` is what a check of /dev/kvm should find; None, as nothing would be right, if the device
    changed during the probe. `module_dir_mtime_ns` is None for an entry from disk and where there was no
    such directory.
    """

    capabilities: Capabilities
    stamps: Stamps
    kvm_usable: bool | None
    module_dir_mtime_ns: int | None = None


def make_checks(validity: Validity, recorded: Recorded, now: Now) -> tuple[Check, ...]:
    """The checks of one entry, in order; those that can never object are left out.

    Follows: virQEMUCapsIsValid
    """
    names = _names(validity, now.host, recorded.capabilities.arch)
    made = (CHECKS[name](validity, recorded, now) for name in names)
    return tuple(check for check in made if check is not None)


def kvm_asker(validity: Validity, now: Now, arch: str) -> Callable[[], bool] | None:
    """How `validity` finds out whether /dev/kvm can be used, or None if it never asks for `arch`."""
    for name in _names(validity, now.host, arch):
        if name in _KVM_ASKERS:
            return _KVM_ASKERS[name](now)
    return None


# Follows: virQEMUCapsIsValid
def _names(validity: Validity, host: Host, arch: str) -> tuple[str, ...]:
    return validity.checks + (validity.native_checks if host.runs_natively(arch) else ())


def _module_directory(validity: Validity, recorded: Recorded, now: Now) -> Check:
    path, access, stat = now.host.module_dir, os.access, os.stat
    seconds = recorded.stamps.module_dir_mtime or 0
    nanoseconds = None if validity.whole_seconds else recorded.module_dir_mtime_ns

    def check() -> str | None:
        if not access(path, os.F_OK):
            return None  # as libvirt: a directory that went away invalidates nothing
        try:
            status = stat(path)
        except OSError as error:
            return f"module directory unreadable: {path}: {error.strerror}"
        if status[ST_MTIME] != seconds:
            return f"module directory changed: {path}: mtime {seconds} -> {status[ST_MTIME]}"
        if nanoseconds is not None and status.st_mtime_ns != nanoseconds:
            return f"module directory changed: {path}: mtime {nanoseconds} -> {status.st_mtime_ns} ns"
        return None

    return check


def _binary(validity: Validity, recorded: Recorded, now: Now) -> Check:
    del now
    stamps, stat = recorded.stamps, os.stat
    path, seconds = stamps.binary, stamps.binary_ctime
    fine = (stamps.binary_ctime_ns, stamps.binary_inode, stamps.binary_size)
    compares_fine = not validity.whole_seconds and None not in fine
    unknown = not validity.whole_seconds and not compares_fine

    def check() -> str | None:
        try:
            status = stat(path)
        except OSError as error:
            # One that was missing all along (a stand-in for a snapshot) is as it was.
            return None if seconds == 0 else f"binary gone: {path}: {error.strerror}"
        if status[ST_CTIME] != seconds:
            return f"binary changed: {path}: ctime {seconds} -> {status[ST_CTIME]}"
        if unknown and seconds:
            return f"binary unknown: {path}: the entry says nothing finer than the second of its ctime"
        if compares_fine and (is_now := (status.st_ctime_ns, status.st_ino, status.st_size)) != fine:
            return f"binary changed: {path}: within the second: {_identity(fine)} -> {_identity(is_now)}"
        return None

    return check


def _identity(of: tuple[object, ...]) -> str:
    return "ctime {} ns, inode {}, {} bytes".format(*of)


def _self(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    stamps, host = recorded.stamps, now.host
    return _constant(
        "qcaps changed", (stamps.self_ctime, stamps.self_version), (host.self_ctime, host.self_version)
    )


def _kernel(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    if not recorded.capabilities.kvm:
        return None
    return _constant("kernel changed", recorded.stamps.kernel_version, now.host.kernel_version)


def _cpu(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    if not recorded.capabilities.kvm:
        return None
    return _constant("host CPU changed", recorded.stamps.host_cpu_signature, now.host.cpu_signature)


def _constant(what: str, was: object, is_now: object) -> Check | None:
    """A comparison whose both sides stay while this process runs: decided here, once."""
    if was == is_now:
        return None
    reason = f"{what}: {was} -> {is_now}"
    return lambda: reason


def _microcode(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    if not recorded.capabilities.kvm:
        return None
    was = recorded.stamps.microcode_version

    def check() -> str | None:
        if now.microcode_version == was:
            return None
        return f"microcode changed: {was:#x} -> {now.microcode_version:#x}"

    return check


def _kvm_by(ask_of: Callable[[Now], Callable[[], bool]]) -> Callable[[Validity, Recorded, Now], Check]:
    def make(validity: Validity, recorded: Recorded, now: Now) -> Check:
        ask, device = ask_of(now), now.host.kvm_device
        expected = recorded.kvm_usable
        if validity.strict_kvm and expected is not None:
            expected = recorded.capabilities.kvm

        def check() -> str | None:
            if ask() is expected:
                return None
            if expected is None:
                return f"KVM changed: {device}: during the probe"
            if expected:
                return f"KVM not usable: {device}: usable -> not usable"
            return f"KVM usable: {device}: not usable -> usable"

        return check

    return make


def _nested(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    if not recorded.capabilities.kvm:
        return None
    was, parameters = recorded.stamps.kvm_nested, now.host.nested

    def check() -> str | None:
        return None if nested_is_on(parameters) is was else f"nested KVM changed: {was} -> {not was}"

    return check


def _secure_guest(validity: Validity, recorded: Recorded, now: Now) -> Check | None:
    del validity
    if not recorded.capabilities.kvm:
        return None
    was, host = recorded.stamps.kvm_secure_guest, now.host

    def check() -> str | None:
        return None if secure_guest_is_on(host) is was else f"secure guests changed: {was} -> {not was}"

    return check


_KVM_ASKERS: dict[str, Callable[[Now], Callable[[], bool]]] = {
    "kvm by fork": lambda now: now.kvm_by_fork,
    "kvm by ctime": lambda now: now.kvm_by_ctime,
}

CHECKS: dict[str, Callable[[Validity, Recorded, Now], Check | None]] = {
    "module directory": _module_directory,
    "self": _self,
    "binary": _binary,
    **{name: _kvm_by(ask_of) for name, ask_of in _KVM_ASKERS.items()},
    "cpu": _cpu,
    "microcode": _microcode,
    "kernel": _kernel,
    "nested": _nested,
    "secure guest": _secure_guest,
}
