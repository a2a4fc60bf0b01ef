"""Ask a QEMU binary what it can do."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

_LONGEST_DEADLINE = 3600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Start a QEMU binary without devices, ask it over QMP what libvirt asks, and say what it can do: "
        "once with KVM if this user can open /dev/kvm, and once with TCG alone. Nothing is left running."
    )
    parser.add_argument("binary", metavar="BINARY", help="a qemu-system binary: a path, or a name on PATH")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="write the capabilities here, in the format of libvirt's cache",
    )
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=float,
        default=30.0,
        help="give up after this many seconds (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = "Example: qcaps probe /usr/bin/qemu-system-x86_64 -o qemu-system-x86_64.xml"


def run(args: argparse.Namespace) -> int:
    """Probe the binary, write the file if one was asked for, and print a summary."""
    if not 0 < args.deadline <= _LONGEST_DEADLINE:
        raise UsageError(
            f"--deadline {args.deadline:g}: expected seconds, above 0, at most {_LONGEST_DEADLINE:g}"
        )
    # lxml and ctypes only now: `qcaps --help` must not pay for them
    from qcaps.capabilities import cachefile
    from qcaps.capabilities.host import stamps_for
    from qcaps.capabilities.probe import probe
    from qcaps.capabilities.stamps import Entry

    binary = os.path.abspath(shutil.which(args.binary) or args.binary)  # noqa: PTH100 - symbolic links are kept
    start = time.perf_counter()
    capabilities = probe(binary, args.deadline)
    seconds = time.perf_counter() - start
    entry = Entry(capabilities, stamps_for(binary, capabilities))
    if args.output is not None:
        cachefile.write(args.output, entry)
    summary = _summary(entry, seconds, args.output)
    print(json.dumps(summary) if args.json else _table(summary))
    return 0


def _summary(entry: Any, seconds: float, output: Path | None) -> dict[str, Any]:  # noqa: ANN401 - an Entry
    """The summary as plain values; `accelerators` maps a name to its counts."""
    capabilities = entry.capabilities
    version = capabilities.version
    return {
        "binary": entry.stamps.binary,
        "version": f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}",
        "package": capabilities.package,
        "arch": capabilities.arch,
        "kvm": capabilities.kvm,
        "flags": len(capabilities.flags),
        "accelerators": {
            one.name: {
                "machines": len(one.machines),
                "default_machine": one.machines[0].name if one.machines else None,
                "cpus": len(one.cpus),
                "usable_cpus": sum(cpu.usable is True for cpu in one.cpus),
            }
            for one in capabilities.accelerators
        },
        "seconds": round(seconds, 3),
        "output": str(output) if output is not None else None,
    }


def _table(summary: dict[str, Any]) -> str:
    package = f" ({summary['package']})" if summary["package"] else ""
    lines = [
        f"binary    {summary['binary']}",
        f"version   {summary['version']}{package}",
        f"arch      {summary['arch']}",
        f"flags     {summary['flags']}",
    ]
    for name, counts in summary["accelerators"].items():
        default = f", first {counts['default_machine']}" if counts["default_machine"] else ""
        lines.append(
            f"{name:<9} {counts['machines']} machine types{default}; "
            f"{counts['cpus']} CPU models, {counts['usable_cpus']} known to be usable"
        )
    lines.append(f"seconds   {summary['seconds']:.3f}")
    if summary["output"]:
        lines.append(f"written   {summary['output']}")
    return "\n".join(lines)
