"""`qcaps live watch`: lookups a second of a daemon that runs, by task."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.live.subject import add_libvirt, open_subject, say_how
from qcaps.commands.measuring import interruptible
from qcaps.commands.naming import add_yes
from qcaps.commands.options import LONGEST, add_options, number, print_json
from qcaps.commands.terminal import console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from rich.table import Table

    Show = Callable[[Mapping[str, int], float], None]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    parser.add_argument("uri", metavar="URI", help="the daemon; its log settings are changed, and put back")
    add_yes(parser)
    parser.add_argument(
        "--counting", choices=("log", "uprobes"), help="by which way (default: the best there is)"
    )
    parser.add_argument(
        "--interval",
        type=number(0, LONGEST, "seconds"),
        default=1.0,
        metavar="S",
        help="seconds between two readings (1)",
    )
    add_options(parser, "seconds", "json", color="auto")


def run(args: argparse.Namespace) -> int:
    """Until Ctrl-C, or as long as asked; the daemon's log settings are put back."""
    from qcaps.live.host.daemon import RunningDaemon  # lxml, subprocess

    with interruptible(), open_subject(args, args.counting) as subject, _shown(args) as show:
        assert isinstance(subject, RunningDaemon)
        begin = before = time.monotonic()
        while args.seconds is None or before - begin < args.seconds:
            time.sleep(max(before + args.interval - time.monotonic(), 0))  # asking takes a while itself
            now = time.monotonic()
            show(subject.activity(), now - before)
            before = now
        say_how(subject)
    return 0


@contextmanager
def _shown(args: argparse.Namespace) -> Iterator[Show]:
    """One JSON object or line an interval, or on a terminal one table that stays in its place."""
    totals: Counter[str] = Counter()
    if args.json:
        yield lambda lookups, seconds: print_json(
            "live-watch", {"seconds": seconds, "lookups": lookups}, indent=None
        )
    elif not sys.stdout.isatty():
        yield lambda lookups, seconds: print(_line(lookups, seconds), flush=True)
    else:
        from rich.live import Live

        with Live(_table(totals, {}, 1.0), console=console()) as live:

            def show(lookups: Mapping[str, int], seconds: float) -> None:
                totals.update(lookups)
                live.update(_table(totals, lookups, seconds))

            yield show


def _line(lookups: Mapping[str, int], seconds: float) -> str:
    each = ", ".join(f"{task} {count / seconds:.1f}" for task, count in sorted(lookups.items()))
    return f"{sum(lookups.values()) / seconds:.1f} lookups/s" + (f": {each}" if each else "")


def _table(totals: Counter[str], lookups: Mapping[str, int], seconds: float) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task")
    table.add_column("lookups/s", justify="right")
    table.add_column("lookups", justify="right")
    for task, total in totals.most_common():
        table.add_row(task, f"{lookups.get(task, 0) / seconds:.1f}", str(total))
    table.add_row("all", f"{sum(lookups.values()) / seconds:.1f}", str(totals.total()), style="bold")
    return table
