"""What `qcaps live` prints: tables, JSON, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.commands.terminal import console, progress_bar
from qcaps.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qcaps.commands.live.cells import LiveCell
    from qcaps.live.host.libvirt_process import LibvirtProcess

_LEFT = ("scenario", "task", "verdict")


def facts(subject: LibvirtProcess) -> dict[str, Any]:
    """Which libvirt was asked, and how it was counted."""
    return {
        "libvirt": subject.installation.version_name,
        "library": str(subject.installation.library),
        "counted_by": subject.counted_by,
    }


def with_progress(cells: list[LiveCell]) -> Iterator[LiveCell]:
    """The cells, and on standard error how far they are."""
    with progress_bar() as bar:
        for number, cell in enumerate(cells):
            bar(number, len(cells), f"{cell.scenario} -n {cell.n} {cell.task}")
            yield cell


def print_table(about: dict[str, Any], rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """A table for people, and below it which libvirt it is of."""
    from qcaps.report.fitting import fitted  # not for --help

    cells = [["-" if row.get(column) is None else str(row[column]) for column in columns] for row in rows]
    screen = console()
    headings = [column.replace("_", " ") for column in columns]
    screen.print(fitted(headings, cells, screen.width, left=_LEFT))
    print(said(about))


def said(about: dict[str, Any]) -> str:
    """What `facts` gives, as a line."""
    library = f" ({about['library']})" if "library" in about else ""
    return visible(f"libvirt {about['libvirt']}{library}, counted by the {about['counted_by']}")
