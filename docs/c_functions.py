"""Writes docs/c-functions.md: which of our functions follows which C function of libvirt 9.0.0.

python docs/c_functions.py            write it
python docs/c_functions.py --check    status 1 if it is not current
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / "docs" / "c-functions.md"
ROOMS = ("rules", "cache", "driver")
_FOLLOWS = re.compile(r"Follows: (\w+(?:,\s+\w+)*)")
_HEAD = """# C functions of libvirt 9.0.0, and what follows them

For whoever brings the port up to a newer release: find the function that changed, and the place here. Written
by `python docs/c_functions.py` from the lines `Follows: …` in the source; a test holds it to them.

| libvirt | here |
|---|---|
"""


def follows(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Each C function that is named, with the place: `rules/devices/vsock.py: complete`."""
    for room in ROOMS:
        for path in sorted((root / "qcaps" / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            place = path.relative_to(root / "qcaps")
            owners = _owners(ast.parse(text))
            for number, line in enumerate(lines, 1):
                # a long list goes on in the next line
                whole = line + (" " + lines[number].strip(" #") if line.rstrip().endswith(",") else "")
                for found in _FOLLOWS.finditer(whole):
                    for name in re.split(r",\s+", found[1]):
                        yield name, f"{place}: {_owner(owners, number)}".removesuffix(": ")


def index(root: Path = ROOT) -> str:
    """The page."""
    places: dict[str, list[str]] = {}
    for name, place in follows(root):
        places.setdefault(name, []).append(place)
    rows = (
        f"| `{name}` | {', '.join(f'`{place}`' for place in dict.fromkeys(found))} |"
        for name, found in sorted(places.items(), key=lambda item: item[0].lower())
    )
    return _HEAD + "\n".join(rows) + "\n"


def _owners(tree: ast.Module) -> list[tuple[int, int, str]]:
    """First and last line and name of each function, class and table at the top of a module."""
    return [
        (node.lineno, node.end_lineno or node.lineno, name) for node in tree.body if (name := _name(node))
    ]


def _name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _owner(owners: list[tuple[int, int, str]], line: int) -> str:
    """What the line is in, or stands above."""
    return next((name for _, last, name in owners if line <= last), "")


def main() -> int:
    """Write the page, or check it."""
    text = index()
    if "--check" in sys.argv:
        return int(INDEX.read_text(encoding="utf-8") != text)
    INDEX.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
