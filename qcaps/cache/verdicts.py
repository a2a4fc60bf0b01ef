"""What libvirt would make of each entry of its own cache folder, found out without asking it.

An entry is judged by the checks that libvirt makes at each lookup, in libvirt's order; the first that objects
is the reason. Nothing is written: a stale entry stays for libvirt to replace.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from qcaps.cache.checks import CHECKS, Now, Recorded
from qcaps.cache.counters import Counters
from qcaps.cache.host_files import microcode_version
from qcaps.cache.validity import CTIME
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcaps.cache.machine import LibvirtHost
    from qcaps.capabilities.model import Capabilities
    from qcaps.capabilities.stamps import Entry, Stamps

VALID: Final = "valid"
STALE: Final = "stale"
STORM: Final = "probe storm"
BROKEN: Final = "broken"

LIBVIRT: Final = replace(CTIME, name="libvirt", strict_kvm=True)
"""As libvirt holds them: an entry that says "kvm" is believed only while QEMU's user may use the device."""

EMPTY_DEFINE: Final = 12
"""Lookups of a define of an empty q35 domain on libvirt 9.0.0: 2 and one for each of its 10 devices."""

FUNCTIONS: Final = {
    "libvirt's ctime": "virGetSelfLastChanged",
    "libvirt's version": "LIBVIR_VERSION_NUMBER",
    "kvm": "virQEMUCapsKVMUsable",
    "host cpu": "virHostCPUGetSignature",
    "microcode": "virHostCPUGetMicrocodeVersion",
    "nested": "virQEMUCapsKVMSupportsNesting",
    "secure guest": "virQEMUCapsKVMSupportsSecureGuest",
}
"""What virQEMUCapsIsValid asks in a check; the others it makes itself."""

_NAMES: Final = {"kvm by ctime": "kvm", "cpu": "host cpu"}
_HOME: Final = "virQEMUCapsIsValid"
_FOREIGN_LOADER: Final = re.compile(r"error while loading shared libraries|cannot execute|No such file")


@dataclass(frozen=True, kw_only=True)
class EntryVerdict:
    """One entry. `check` names what objected, `was` and `is_now` say from what to what.

    `function` is libvirt's for that check. `probe_seconds` is what the probe took that the next lookup of a
    stale entry makes, and each lookup of a storm; None where none was made.
    """

    path: str
    binary: str | None
    verdict: str
    check: str | None = None
    reason: str | None = None
    was: str | None = None
    is_now: str | None = None
    function: str | None = None
    probe_seconds: float | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColdProbe:
    """What a cold start costs for one binary; `error` is its own last words where it cannot be probed."""

    binary: str
    seconds: float
    version: str | None = None
    flags: int | None = None
    error: str | None = None


def judge_all(
    folder: Path, machine: LibvirtHost, prober: Callable[[str], Capabilities]
) -> Iterator[EntryVerdict]:
    """A verdict for each `*.xml` in `folder`, in the order of the names. OSError if it cannot be read."""
    for name in sorted(os.listdir(folder)):  # noqa: PTH208  names, no paths
        if name.endswith(".xml") and not name.startswith("."):
            yield judge(folder / name, machine, prober)


def judge(path: Path, machine: LibvirtHost, prober: Callable[[str], Capabilities]) -> EntryVerdict:
    """What libvirt would make of the entry in the file `path` now.

    A binary whose entry does not hold is probed once, as the next lookup would: what that costs, and whether
    QEMU still answers.

    Follows: virFileCacheLoad, virQEMUCapsLoadFile
    """
    from qcaps.capabilities import cachefile  # lxml

    try:
        entry = cachefile.read(path)
    except cachefile.CacheFileError as error:
        return EntryVerdict(
            path=str(path), binary=None, verdict=BROKEN, check="file", reason=str(error),
            function="virQEMUCapsLoadCache",
        )  # fmt: skip
    binary = entry.stamps.binary
    expected = f"{sha256(binary.encode()).hexdigest()}.xml"
    if path.name != expected:
        return EntryVerdict(
            path=str(path), binary=binary, verdict=BROKEN, check="file", function="virFileCacheGetFileName",
            reason=f"describes {binary}, which libvirt keeps in {expected}: this file is never read",
        )  # fmt: skip
    place = machine.binary(binary)
    if not os.path.exists(place):  # noqa: PTH110  a str
        return EntryVerdict(
            path=str(path), binary=binary, verdict=BROKEN, check="binary", function=_HOME,
            reason=f"binary missing: {place}",
        )  # fmt: skip
    objection = first_objection(entry, place, machine)
    if objection is None:
        return EntryVerdict(path=str(path), binary=binary, verdict=VALID)
    return _with_probe(_stale(path, binary, objection, machine), place, machine, prober)


def first_objection(entry: Entry, place: str, machine: LibvirtHost) -> tuple[str, str] | None:
    """The first check that objects, by name, and why; None where the entry holds. `place` is the binary.

    The host's cpuid leaves are not compared: what changes them changes the CPU's signature or the microcode,
    which are.

    Follows: virQEMUCapsIsValid
    """
    now = Now(machine.host, Counters())
    now.microcode_version = microcode_version(machine.host.cpuinfo) if machine.host.arch in _X86 else 0
    now.kvm_ctime, now.kvm_usable = machine.kvm_ctime, bool(machine.kvm_as_user)
    recorded = Recorded(entry.capabilities, replace(entry.stamps, binary=place), entry.capabilities.kvm)
    native = machine.host.runs_natively(entry.capabilities.arch)
    for name in LIBVIRT.checks + (LIBVIRT.native_checks if native else ()):
        if name == "self":
            found = _self(entry.stamps, machine)
            if found is not None:
                return found
            continue
        if name == "kvm by ctime" and machine.kvm_as_user is None:
            continue  # whose access it would be is not known
        check = CHECKS[name](LIBVIRT, recorded, now)
        reason = None if check is None else check()
        if reason is not None:
            return _NAMES.get(name, name), reason
    return None


def _self(stamps: Stamps, machine: LibvirtHost) -> tuple[str, str] | None:
    """What libvirt is: the newest ctime among the program and its modules, which depends on the program."""
    if not machine.programs:
        return None
    if stamps.self_ctime not in machine.programs.values():
        program, ctime = next(iter(machine.programs.items()))
        return "libvirt's ctime", f"libvirt changed: {program}: ctime {stamps.self_ctime} -> {ctime}"
    if stamps.self_version != machine.host.self_version:
        was, is_now = version_name(stamps.self_version), version_name(machine.host.self_version)
        return "libvirt's version", f"libvirt changed: version {was} -> {is_now}"
    return None


def _stale(path: Path, binary: str, objection: tuple[str, str], machine: LibvirtHost) -> EntryVerdict:
    check, reason = objection
    _, _, detail = reason.partition(": ")
    for known in machine.known_paths(binary):
        detail = detail.removeprefix(f"{known}: ")
    was, arrow, is_now = detail.partition(" -> ")
    storm = check == "kvm" and machine.storms
    return EntryVerdict(
        path=str(path),
        binary=binary,
        verdict=STORM if storm else STALE,
        check=check,
        reason=reason,
        was=was if arrow else None,
        is_now=is_now if arrow else None,
        function=FUNCTIONS.get(check, _HOME),
    )


def _with_probe(
    found: EntryVerdict, place: str, machine: LibvirtHost, prober: Callable[[str], Capabilities]
) -> EntryVerdict:
    start = time.perf_counter()
    try:
        prober(place)
    except QcapsError as error:
        said = str(error)
        if machine.foreign(place) and _FOREIGN_LOADER.search(said):
            return replace(found, note="not probed: it needs the libraries of its own root")
        return replace(found, verdict=BROKEN, check="probe", reason=said, was=None, is_now=None)
    return replace(found, probe_seconds=round(time.perf_counter() - start, 3))


def cold(binary: str, prober: Callable[[str], Capabilities]) -> ColdProbe:
    """Probe one binary as if there were no entry."""
    start = time.perf_counter()
    try:
        found = prober(binary)
    except QcapsError as error:
        return ColdProbe(binary=binary, seconds=time.perf_counter() - start, error=str(error))
    seconds = round(time.perf_counter() - start, 3)
    return ColdProbe(
        binary=binary, seconds=seconds, version=version_name(found.version), flags=len(found.flags)
    )


def version_name(version: int) -> str:
    """As in 9.0.0."""
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"


_X86: Final = ("x86_64", "i686")
