"""Tables that keep every digit in a narrow terminal: names go above their numbers, then columns go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

_INDENT = "  "
_GAPS = (2, 1)
"""Columns between two cells: what is comfortable, and what is enough."""


def fitted(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    left: Sequence[str] = (),
    drop: Sequence[str] = (),
    styles: Sequence[str] = (),
) -> Text:
    """A table for so many columns. The first heading is a name's, which may fold; no other cell is ever cut.

    Where the rows are too wide, a row's name stands on a line of its own; where that is not enough, the
    columns called in `drop` go, one after the other. `left` ones are words, as the name is.
    """
    from rich.text import Text  # 50 ms

    shown = [[visible(cell) for cell in row] for row in rows]
    kept = list(range(len(headings)))
    above = _needed(headings, shown, kept, _GAPS[0]) > width
    if above:
        kept.remove(0)
        for name in drop:
            if len(_INDENT) + _needed(headings, shown, kept, _GAPS[1]) <= width:
                break
            kept.remove(list(headings).index(name))
    gap = _GAPS[0] if len(_INDENT) * above + _needed(headings, shown, kept, _GAPS[0]) <= width else _GAPS[1]
    widths = {column: _width(headings, shown, column) for column in kept}
    words = {0, *(number for number, heading in enumerate(headings) if heading in left)}

    def line(row: Sequence[str]) -> str:
        cells = (
            row[column].ljust(size) if column in words else row[column].rjust(size)
            for column, size in widths.items()
        )
        return (_INDENT * above + (" " * gap).join(cells)).rstrip()

    def lines() -> Iterator[tuple[str, str]]:
        yield line(headings), "bold"
        for number, row in enumerate(shown):
            style = styles[number] if number < len(styles) else ""
            if above:
                yield row[0], style
            yield line(row), style

    return Text("\n", overflow="fold").join(Text(text, style=style) for text, style in lines())


def _width(headings: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> int:
    return max(len(one[column]) for one in (headings, *rows))


def _needed(headings: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], gap: int) -> int:
    """Columns of the terminal that these take side by side."""
    return sum(_width(headings, rows, column) for column in kept) + gap * (len(kept) - 1)
