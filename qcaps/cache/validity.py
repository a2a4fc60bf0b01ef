"""How the cache decides that an entry still holds: values that name the checks, no code."""

from __future__ import annotations

from dataclasses import dataclass

from qcaps.errors import unknown


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Which checks (names in `checks.CHECKS`) run on a hit, in order; the first to object ends them.

    `native_checks` follow only for a guest architecture that this host runs natively.
    `reads_microcode` reads /proc/cpuinfo at each lookup, before the lock is taken.
    `on_change` leaves the checks out until inotify says that a watched file changed.
    `whole_seconds` compares the binary's ctime as libvirt does: a binary replaced twice within one
    second is taken for the first replacement. False compares nanoseconds, inode and size as well;
    an entry from a file that does not say them (libvirt's own) is probed anew then.
    `strict_kvm` holds an entry's "kvm" flag against the QEMU user's access to /dev/kvm, as libvirt
    does. Where QEMU found KVM as another user than the one checked for, no entry then ever passes,
    and *every* lookup probes again. False holds today's access against the access when the entry was
    made, which a snapshot from another machine can pass.
    """

    name: str
    summary: str
    checks: tuple[str, ...] = ()
    native_checks: tuple[str, ...] = ()
    reads_microcode: bool = False
    on_change: bool = False
    whole_seconds: bool = True
    strict_kvm: bool = False


FORK = Validity(
    name="fork",
    summary="libvirt until about 4.10: a stat of the binary, then a fork that tries /dev/kvm as QEMU's user",
    checks=("self", "binary", "kvm by fork", "microcode", "kernel"),
)
CTIME = Validity(
    name="ctime",
    summary="libvirt 9.0: 14 system calls, a fork only after /dev/kvm's ctime changed",
    checks=("module directory", "self", "binary"),
    native_checks=("kvm by ctime", "cpu", "microcode", "kernel", "nested", "secure guest"),
    reads_microcode=True,
)
WATCH = Validity(
    name="watch",
    summary="no system call until inotify tells of a change to the binary, /dev/kvm or the module directory",
    checks=CTIME.checks,
    native_checks=CTIME.native_checks,
    on_change=True,
    whole_seconds=False,
)
TRUST = Validity(name="trust", summary="no check at all: the lower limit")

VALIDITIES = (FORK, CTIME, WATCH, TRUST)


def by_name(name: str) -> Validity:
    """The validity called `name`; UsageError names the ones there are."""
    for validity in VALIDITIES:
        if validity.name == name:
            return validity
    raise unknown("validity", name, (one.name for one in VALIDITIES))
