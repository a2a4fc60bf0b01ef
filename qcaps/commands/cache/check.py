"""`qcaps cache check`: a verdict for every entry of libvirt's cache."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.commands.options import add_options, existing_path, print_json
from qcaps.errors import QcapsError, UsageError
from qcaps.units import duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from qcaps.cache.machine import LibvirtHost
    from qcaps.cache.verdicts import ColdProbe, EntryVerdict
    from qcaps.capabilities.model import Capabilities
    from qcaps.live.host.installation import Installation


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument(
        "--root",
        type=existing_path,
        metavar="DIR",
        help="entries, and what they depend on, below this folder: another root, or an embedded driver's",
    )
    parser.add_argument(
        "--cold", action="store_true", help="probe every qemu-system-* on PATH once: what a cold start costs"
    )
    add_options(parser, "json", deadline=30.0)


def run(args: argparse.Namespace) -> int:
    """1 if an entry is stale or broken, or every lookup probes."""
    # lxml and ctypes only now: `--help` must not pay for them
    from qcaps.cache import verdicts
    from qcaps.cache.machine import entries_below, machine_below, storm_of
    from qcaps.capabilities.probe import probe

    if args.root is None and os.geteuid() != 0:
        raise QcapsError("libvirt's cache is root's to read: run as root, or name a folder with --root")
    root = Path("/") if args.root is None else args.root.absolute()
    if not root.is_dir():
        raise UsageError(f"--root {args.root}: not a folder")
    folder = entries_below(root)
    installation = _libvirt_of(root)
    programs = _programs(installation)
    machine = machine_below(root, programs, installation.version if installation else 0)

    def prober(binary: str) -> Capabilities:
        return probe(binary, args.deadline)

    found = _judged(folder, machine, prober)
    colds = [verdicts.cold(binary, prober) for binary in _emulators()] if args.cold else []
    storm = machine.storms and any(one.verdict in (verdicts.VALID, verdicts.STALE) for one in found)
    about = {
        "folder": str(folder),
        "libvirt": installation.version_name if installation else None,
        "programs": [{"program": program, "ctime": ctime} for program, ctime in programs.items()],
        "kvm": {
            "device": machine.host.kvm_device if machine.kvm_ctime is not None else None,
            "as_root": machine.kvm_as_root,
            "user": machine.user,
            "as_user": machine.kvm_as_user,
            "storms": machine.storms,
        },
    }
    if args.json:
        print_json(
            "cache-check",
            {
                **about,
                "entries": [{**asdict(one), **_cost(one)} for one in found],
                "cold": [asdict(one) for one in colds] if args.cold else None,
            },
        )
    else:
        _print(found, about)
        _print_cold(colds, asked=args.cold)
        if storm:
            print("the next probe begins a storm: " + storm_of(machine))
    bad = any(one.verdict != verdicts.VALID for one in found)
    return 1 if bad or any(one.error for one in colds) else 0


def _libvirt_of(root: Path) -> Installation | None:
    """The libvirt below `root` if there is a `usr`, else this machine's; None where there is none."""
    from qcaps.live.errors import NoLibvirt
    from qcaps.live.host.installation import find

    try:
        return find(root / "usr" if root != Path("/") and (root / "usr").is_dir() else None)
    except NoLibvirt:
        return None


def _programs(installation: Installation | None) -> dict[str, int]:
    from qcaps.live.host.installation import self_ctimes

    return self_ctimes(installation) if installation else {}


def _judged(folder: Path, machine: LibvirtHost, prober: Callable[[str], Capabilities]) -> list[EntryVerdict]:
    from qcaps.cache import verdicts

    try:
        return list(verdicts.judge_all(folder, machine, prober))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise QcapsError(
            f"{folder}: cannot be read: {error.strerror}: run as root, or name a folder with --root"
        ) from error


def _emulators() -> list[str]:
    """Each qemu-system-* on PATH once, by its first name there."""
    found: dict[str, str] = {}
    for folder in os.get_exec_path():
        for path in sorted(Path(folder).glob("qemu-system-*")):
            if path.is_file() and os.access(path, os.X_OK):
                found.setdefault(path.name, str(path))
    return list(found.values())


def _cost(one: EntryVerdict) -> dict[str, Any]:
    """What a define costs in a storm."""
    from qcaps.cache.verdicts import EMPTY_DEFINE, STORM

    if one.verdict != STORM or one.probe_seconds is None:
        return {"define_lookups": None, "define_seconds": None}
    return {
        "define_lookups": EMPTY_DEFINE,
        "define_seconds": round(EMPTY_DEFINE * one.probe_seconds, 3),
    }


def _print(found: Sequence[EntryVerdict], about: dict[str, Any]) -> None:
    from collections import Counter

    for one in found:
        print(f"{one.verdict:<11}  {one.binary or one.path}")
        if one.reason is not None:
            print(f"             {_indented(one)}")
        for line in _consequences(one):
            print(f"             {line}")
    counts = Counter(one.verdict for one in found)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    libvirt = (
        f"libvirt {about['libvirt']}" if about["libvirt"] else "no libvirt found: its own is not compared"
    )
    entries = f"{len(found)} {'entry' if len(found) == 1 else 'entries'}: {said}" if found else "no entries"
    print(f"{about['folder']}: {entries}; {libvirt}")
    kvm = about["kvm"]
    if found and kvm["device"] and kvm["as_user"] is None:
        print(f"no user of QEMU's is known here: access to {kvm['device']} is not compared")


def _indented(one: EntryVerdict) -> str:
    function = f" ({one.function})" if one.function else ""
    return f"{one.reason}{function}"


def _consequences(one: EntryVerdict) -> list[str]:
    from qcaps.cache.verdicts import EMPTY_DEFINE, STORM

    lines = [] if one.note is None else [one.note]
    if one.probe_seconds is None:
        return lines
    if one.verdict != STORM:
        return [*lines, f"the next lookup probes: {duration(one.probe_seconds)}"]
    return [
        *lines,
        f"every lookup probes: {duration(one.probe_seconds)} each, 2 and one a device for a define:",
        f"{duration(EMPTY_DEFINE * one.probe_seconds)} for an empty q35 domain ({EMPTY_DEFINE} lookups)",
    ]


def _print_cold(colds: Sequence[ColdProbe], *, asked: bool) -> None:
    if not asked:
        return
    if not colds:
        print("cold: no qemu-system-* on PATH")
        return
    width = max(len(one.binary) for one in colds)
    for one in colds:
        what = one.error or f"QEMU {one.version}, {one.flags} flags"
        print(f"cold  {one.binary:<{width}}  {duration(one.seconds):>7}  {what}")
    print(f"cold  {'all, one after another':<{width}}  {duration(sum(one.seconds for one in colds)):>7}")
