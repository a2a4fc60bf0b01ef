"""What `qcaps live` prints: tables, JSON, progress."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from qcaps.live.host.process import LibvirtProcess

Cell = tuple[str, int, str, str]
"""Scenario, n, task, and the domain as XML."""

_LEFT = ("scenario", "task", "way", "counts", "verdict")


def facts(subject: LibvirtProcess) -> dict[str, Any]:
    return {
        "libvirt": subject.installation.version_name,
        "library": str(subject.installation.library),
        "counted_by": subject.counted_by,
    }


def with_progress(cells: list[Cell]) -> Iterator[Cell]:
    """The cells; a bar on standard error while that is a terminal."""
    if not sys.stderr.isatty():
        yield from cells
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(cells, description="asking libvirt", console=Console(stderr=True), transient=True)


def finish(args: argparse.Namespace, about: dict[str, Any], what: str, rows: list[dict[str, Any]]) -> int:
    if args.json:
        print(json.dumps({**about, what: rows}, indent=2))
    else:
        print_table(about, rows, tuple(rows[0]))
    return 0


def print_table(about: dict[str, Any], rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.replace("_", " "), justify="left" if column in _LEFT else "right", no_wrap=True
        )
    for row in rows:
        table.add_row(*(_text(column, row.get(column)) for column in columns))
    # a table for a file or a pipe is as wide as it needs to be
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    print(said(about))


def said(about: dict[str, Any]) -> str:
    library = f" ({about['library']})" if "library" in about else ""
    return f"libvirt {about['libvirt']}{library}, counted by the {about['counted_by']}"


def _text(column: str, value: Any) -> str:  # noqa: ANN401  # what JSON has
    from qcaps.report.table import duration

    if value is None:
        return "-"
    if column.startswith("seconds"):
        return duration(value)
    if column.startswith("share"):
        return f"{value:.0%}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
