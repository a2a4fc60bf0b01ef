"""`qcaps live probe`: our probe of a QEMU, held against libvirt's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qcaps.commands.live.output import facts, said
from qcaps.commands.live.subject import add_libvirt, subject_of
from qcaps.commands.options import add_binary, add_options, print_json
from qcaps.commands.terminal import note
from qcaps.errors import visible
from qcaps.units import duration

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_binary(parser)
    add_options(parser, "json", "quiet")


def run(args: argparse.Namespace) -> int:
    """1 if the two differ."""
    from qcaps.capabilities import cachefile  # lxml
    from qcaps.capabilities.probe import probe
    from qcaps.live.probe_difference import differences

    binary = args.binary
    with subject_of(args, "interposer") as subject:
        known = subject.installation.nearest
        if known.warning:
            note(known.warning)
        start = time.perf_counter()
        ours = probe(binary, release=known.release)
        seconds = time.perf_counter() - start
        cost, text = subject.probe(binary, ours.arch)
        about = facts(subject)
    found = differences(
        ours, cachefile.parse(text.encode(), f"libvirt's cache file of {binary}").capabilities
    )
    answer = {
        **about,
        "binary": binary,
        "seconds": seconds,
        "libvirt_seconds": cost.ns / 1e9,
        "flags": len(ours.flags),
        "machines": {one.name: len(one.machines) for one in ours.accelerators},
        "cpus": {one.name: len(one.cpus) for one in ours.accelerators},
        "differences": found,
    }
    if args.json:
        print_json("live-probe", answer)
    else:
        counts = ", ".join(
            f"{len(one.machines)} machine types and {len(one.cpus)} CPU models ({one.name})"
            for one in ours.accelerators
        )
        print(f"{visible(binary)}: {len(ours.flags)} flags, {counts}")
        print(
            f"our probe {duration(seconds)}, libvirt's {duration(cost.ns / 1e9)};"
            f" {len(found) or 'no'} differences"
        )
        print("".join(f"{visible(line)}\n" for line in found) + said(about))
    return 1 if found else 0
