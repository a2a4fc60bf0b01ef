"""One name, one thing; and the glossary's places are there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_no_class_has_the_name_of_another(checkout: Path) -> None:
    found = defaultdict(list)
    for top in ("qcaps", "reports", "bench", "scenarios"):
        for path in sorted((checkout / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(str(path.relative_to(checkout)))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_each_place_the_glossary_names_is_there(checkout: Path) -> None:
    rows = re.findall(
        r"^\| (\S.*?) \| (.*?) \|", (checkout / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    places = {
        place: word for word, column in rows[2:] for place in re.findall(r"`([\w/.]+/[\w/.]*)`", column)
    }
    assert len(places) > 20
    missing = {
        place: word
        for place, word in places.items()
        if not any(
            (root / place).exists() or (root / f"{place}.py").exists()
            for root in (checkout, checkout / "qcaps")
        )
    }
    assert missing == {}
