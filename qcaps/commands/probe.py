"""Ask a QEMU binary what it can do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qcaps.commands.options import FILE, add_binary, add_options, print_json, ruled_by
from qcaps.units import duration

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Start a QEMU binary without devices, ask it over QMP what libvirt asks, and say what it can do: "
        "once with KVM if this user can open /dev/kvm, and once with TCG alone. Nothing is left running. "
        "Flags, and the file that is written, are those of libvirt's --release."
    )
    add_binary(parser)
    add_options(parser, "release", "json", deadline=30.0, output=FILE)
    parser.epilog = "Example: qcaps probe /usr/bin/qemu-system-x86_64 -o qemu-system-x86_64.xml"


def run(args: argparse.Namespace) -> int:
    """Probe the binary, write the file if one was asked for, and print a summary."""
    # lxml and ctypes only now: `qcaps --help` must not pay for them
    from qcaps.capabilities import cachefile
    from qcaps.capabilities.host_stamps import stamps_for
    from qcaps.capabilities.probe import probe
    from qcaps.capabilities.stamps import Entry
    from qcaps.release import DEFAULT

    binary = args.binary
    start = time.perf_counter()
    ruled = ruled_by(args.release) or DEFAULT
    capabilities = probe(binary, args.deadline, ruled)
    seconds = time.perf_counter() - start
    entry = Entry(capabilities, stamps_for(binary, capabilities))
    if args.output is not None:
        cachefile.write(args.output, entry, ruled, named=True)
    summary = _summary(entry, seconds, args.output) | {"release": str(ruled)}
    if args.json:
        print_json("probe", summary)
    else:
        print(_table(summary))
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
        f"flags     {summary['flags']}, by the table of libvirt {summary['release']}",
    ]
    for name, counts in summary["accelerators"].items():
        default = f", first {counts['default_machine']}" if counts["default_machine"] else ""
        lines.append(
            f"{name:<9} {counts['machines']} machine types{default}; "
            f"{counts['cpus']} CPU models, {counts['usable_cpus']} known to be usable"
        )
    lines.append(f"took      {duration(summary['seconds'])}")
    if summary["output"]:
        lines.append(f"written   {summary['output']}")
    return "\n".join(lines)
