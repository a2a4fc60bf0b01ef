"""Where a lookup's time goes: its system calls one by one, timed within libvirt.

    python bench/studies/lookup_calls.py [--libvirt DIR] [--defines 200] [--disks 64] [--pause MS]

As root, on Linux, with cc. An unmodified libvirt defines a domain again and again, in a process of its own
with `_lookup_calls.c` before the C library's functions; the reading of the clock around each call is in its
figure. Figures are microseconds a lookup, of the quickest tenth of the defines.
"""

# ruff: noqa: T201  # a command

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.live.host.installation import Installation

KINDS = (
    *("lookup", "/proc/cpuinfo: open", "/proc/cpuinfo: read", "/proc/cpuinfo: close", "QEMU's module folder"),
    *("the binary", "/dev/kvm", "parameters of KVM", "uname"),
)
"""In the order of the enum in the C source."""
_INSIDE = "QCAPS_LOOKUP_CALLS"
_SHARE = 10


def main() -> int:
    """Compile, measure in a process of its own, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--libvirt", type=Path, help="a prefix or a build tree (default: the system's)")
    parser.add_argument("--defines", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.0, metavar="MS", help="milliseconds before each")
    parser.add_argument("--disks", type=int, default=64)
    args = parser.parse_args()
    from qcaps.live.host.installation import find

    installation = find(args.libvirt)
    if library := os.environ.get(_INSIDE):
        return _inside(installation, Path(library), args)
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/calls.so"
        source = Path(__file__).with_name("_lookup_calls.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, str(source), "-ldl"], check=True)
        found = _measured(library, installation)
    print(f"libvirt {installation.version_name}, {os.cpu_count()} CPUs; µs a lookup")
    for kind, (calls, microseconds) in found.items():
        print(f"{microseconds:7.2f}  {calls:4.1f} calls  {kind}")
    own = found["lookup"][1] - sum(each for kind, (_, each) in found.items() if kind != "lookup")
    print(f"{own:7.2f}              libvirt's own, and what the clock takes")
    cpuinfo = sum(each for kind, (_, each) in found.items() if kind.startswith("/proc/cpuinfo"))
    print(f"/proc/cpuinfo is {cpuinfo / found['lookup'][1]:.0%} of a lookup")
    return 0


def _measured(library: str, installation: Installation) -> dict[str, tuple[float, float]]:
    from qcaps.live.host.live_folder import place

    where = place()
    try:
        environment = {**os.environ, **installation.environment, _INSIDE: library}
        command = [*where.prefix, "env", f"LD_PRELOAD={library}", sys.executable, *sys.argv]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    finally:
        where.remove()
    return {kind: (calls, each) for kind, calls, each in json.loads(done.stdout)}


def _inside(installation: Installation, library: Path, args: argparse.Namespace) -> int:
    from qcaps.live.host.connection import connect
    from qcaps.live.host.setup import Setup, a_cpu
    from qcaps.scenario import scenario

    library_path, driver = str(installation.library), str(installation.driver)
    link = connect(Setup("/run/qcaps", "none", "", library_path, a_cpu(), driver=driver))
    os.sched_setaffinity(0, {a_cpu()})
    loaded = ctypes.CDLL(str(library))
    times, calls = ((ctypes.c_uint64 * len(KINDS)).in_dll(loaded, name) for name in ("times", "calls"))
    xml = scenario("disks@pc").xml(args.disks)
    runs = []
    for _ in range(args.defines):
        time.sleep(args.pause / 1e3)
        before = [*times], [*calls]
        link.connection.defineXML(xml).undefine()
        runs.append(
            tuple(
                [after - earlier for after, earlier in zip(now, then, strict=True)]
                for now, then in zip((times, calls), before, strict=True)
            )
        )
    quickest = sorted(runs, key=lambda run: run[0][0])[: max(args.defines // _SHARE, 1)]
    nanoseconds, made = (list(map(sum, zip(*side, strict=True))) for side in zip(*quickest, strict=True))
    lookups = made[0]
    rows = zip(KINDS, made, nanoseconds, strict=True)
    print(json.dumps([(kind, calls / lookups, ns / lookups / 1e3) for kind, calls, ns in rows]), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
