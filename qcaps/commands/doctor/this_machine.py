"""What the doctor says of this machine: its processors and memory, what may be counted, KVM and QEMU."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
import time
from pathlib import Path

from qcaps.commands.doctor.finding import Finding
from qcaps.commands.doctor.libvirt import KVM
from qcaps.measure import circumstances
from qcaps.measure.machine import timer_step_ns
from qcaps.measure.worker.chance import why_random

_OTHER_PYTHON = (
    "ratios hold, times are longer than a distribution's Python needs: install qcaps under /usr/bin/python3"
)
INSTALL_QEMU = "apt-get install -y --no-install-recommends qemu-system-x86"
_COARSE_TIMER_NS = 1000.0
_MEBIBYTE = 1 << 20
_ENOUGH_MEMORY_MB = 1024.0
_NOT_PERMITTED = (errno.EPERM, errno.EACCES)
# The number of perf_event_open by machine, from the kernel's system call tables.
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "s390x": 331, "ppc64le": 319}


def _python() -> Finding:
    build = circumstances.python_build()
    text = f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, {build}"
    if sys.gettrace() is not None:
        return Finding("python", ok=False, text=text, advice="measure without a debugger or coverage")
    if build == circumstances.PLAIN:
        return Finding("python", ok=False, text=text, advice=_OTHER_PYTHON)
    return Finding("python", ok=True, text=text)


def _quota() -> Finding:
    limit = circumstances.quota()
    text = f"a control group allows {limit}" if limit else "no control group limits the processors"
    return Finding(
        "quota", not limit, text, "raise cpu.max: a call is stopped in its middle" if limit else ""
    )


def _cpus() -> Finding:
    usable = len(os.sched_getaffinity(0))
    text = f"{usable} of {os.cpu_count()} usable"
    advice = "" if usable > 1 else "one CPU is shared with everything else: give qcaps a second one"
    return Finding("cpus", usable > 1, text, advice)


def _governor() -> Finding:
    names = {
        path.read_text().strip()
        for path in Path("/sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_governor")
    }
    if not names:
        return Finding("governor", ok=True, text="the CPU frequency is not ours to set (virtual machine)")
    ok = names == {"performance"}
    return Finding(
        "governor", ok, ", ".join(sorted(names)), "" if ok else "cpupower frequency-set -g performance"
    )


def _pinning() -> Finding:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        os.sched_setaffinity(0, before)
    except OSError as error:
        return Finding(
            "pinning", ok=False, text=f"refused: {error.strerror}", advice="allow sched_setaffinity"
        )
    return Finding("pinning", ok=True, text="a process can be pinned to one CPU")


def _layout() -> Finding:
    random = why_random()
    if random is None:
        return Finding("layout", ok=True, text="both processes of a pair can have one memory layout")
    why, advice = random
    text = f"memory layouts stay random, and a pair scatters by half as much again: {why}"
    return Finding("layout", ok=False, text=text, advice=advice)


def _load() -> Finding:
    one_minute = os.getloadavg()[0]
    ok = one_minute < 0.5 * (os.cpu_count() or 1)
    text = f"{one_minute:.2f} in the last minute"
    return Finding("load", ok, text, "" if ok else "wait until other work is done: uptime")


def _memory() -> Finding:
    lines = Path("/proc/meminfo").read_text().splitlines()
    fields = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    available = fields["MemAvailable"] * 1024 / _MEBIBYTE
    ok = available >= _ENOUGH_MEMORY_MB
    return Finding("memory", ok, f"{available:.0f} MB available", "" if ok else "free memory: 1 GB is enough")


def _timer() -> Finding:
    info = time.get_clock_info("perf_counter")
    step = timer_step_ns()
    ok = step < _COARSE_TIMER_NS
    text = f"{step:.0f} ns between two readings of {info.implementation}"
    return Finding("timer", ok, text, "" if ok else "set the kernel's clocksource to tsc or kvm-clock")


def _perf_counters() -> Finding:
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        return Finding("perf counters", ok=False, text=f"not known how to ask on {platform.machine()}")
    # struct perf_event_attr: type 0 (hardware), size 112, config 1 (instructions), then zeros.
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 0, 112, 1), 112)
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.syscall(number, attributes, 0, -1, -1, 0)
    if handle >= 0:
        os.close(handle)
        return Finding("perf counters", ok=True, text="instructions can be counted")
    advice = (
        "sysctl kernel.perf_event_paranoid=1"
        if ctypes.get_errno() in _NOT_PERMITTED
        else "none on most virtual machines; count with valgrind --tool=callgrind instead"
    )
    why = os.strerror(ctypes.get_errno())
    text = f"this machine offers no counter of instructions ({why[0].lower()}{why[1:]})"
    return Finding("perf counters", ok=False, text=text, advice=advice)


def _kvm() -> Finding:
    if not KVM.exists():
        return Finding("kvm", ok=False, text=f"no {KVM}", advice="modprobe kvm; without it QEMU uses TCG")
    ok = os.access(KVM, os.R_OK | os.W_OK)
    text = f"{KVM} is {'usable' if ok else 'not usable'} by this process"
    return Finding("kvm", ok, text, "" if ok else "usermod -aG kvm $USER, then log in again")


def _qemu() -> Finding:
    # /bin may be /usr/bin under another name.
    places = {Path(place).resolve() for place in os.environ.get("PATH", os.defpath).split(os.pathsep)}
    # a place that we may not read has nothing for us to run
    readable = (place for place in places if os.access(place, os.R_OK | os.X_OK))
    found = sorted(path for place in readable for path in place.glob("qemu-system-*") if _executable(path))
    if not found:
        text = "no qemu-system-* on PATH; the recorded capabilities are used"
        return Finding("qemu", ok=False, text=text, advice=INSTALL_QEMU)
    return Finding("qemu", ok=True, text=_by_folder(found))


def _by_folder(programs: list[Path]) -> str:
    """The folders, and of each QEMU the part of its name that tells it from the others; one is its path."""
    if len(programs) == 1:
        return str(programs[0])
    folders: dict[Path, list[str]] = {}
    for path in programs:
        folders.setdefault(path.parent, []).append(path.name.removeprefix("qemu-system-"))
    return "; ".join(f"{folder}/qemu-system-: {', '.join(names)}" for folder, names in folders.items())


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


CHECKS = (
    _python,
    _cpus,
    _governor,
    _quota,
    _pinning,
    _layout,
    _load,
    _memory,
    _timer,
    _perf_counters,
    _kvm,
    _qemu,
)
