"""What the system calls of one capability lookup cost here: reading /proc/cpuinfo, and all the others.

    python bench/studies/lookup_calls.py [--qemu /usr/bin/qemu-system-x86_64]

The calls are those that strace shows of libvirt 9.0.0 (`qcaps live count --syscalls`), made one after
another from Python, which adds its own part to each; the share is what to look at. Each figure is the
quickest of many rounds, in microseconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS, _CALLS = 20, 300
_ACCESSED = (*["/sys/module/kvm/parameters/nested"] * 4, "/sys/module/kvm_amd/parameters/sev")


def main() -> int:
    """Print both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--qemu", default="/usr/bin/qemu-system-x86_64")
    parser.add_argument("--modules", default="/usr/lib/x86_64-linux-gnu/qemu")
    args = parser.parse_args()

    def others() -> None:
        os.access(args.modules, os.R_OK)
        for path in (args.modules, args.qemu, "/dev/kvm"):
            with suppress(OSError):
                os.stat(path)  # noqa: PTH116  # the call itself
        for path in _ACCESSED:
            os.access(path, os.R_OK)
        os.uname()

    first, rest = microseconds(cpuinfo), microseconds(others)
    sys.stdout.write(
        f"/proc/cpuinfo {first:.1f} µs, the other ten calls {rest:.1f} µs: {first / (first + rest):.0%},"
        f" {os.cpu_count()} CPUs\n"
    )
    return 0


def cpuinfo() -> None:
    """Open, read to the end, close: as libvirt finds the microcode's version."""
    descriptor = os.open("/proc/cpuinfo", os.O_RDONLY)
    while os.read(descriptor, 4096):
        pass
    os.close(descriptor)


def microseconds(call: Callable[[], None]) -> float:
    """The quickest of many rounds of calls, a call."""
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(_CALLS):
            call()
        found.append((time.perf_counter() - start) / _CALLS)
    return 1e6 * min(found)


if __name__ == "__main__":
    sys.exit(main())
