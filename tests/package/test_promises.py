"""Every test that docs/promises.md names is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_every_promise_is_held_by_a_test(checkout: Path) -> None:
    text = (checkout / "docs" / "promises.md").read_text()
    named = re.findall(r"`([\w/]+/test_\w+)::(test_\w+)`", text)
    assert len(named) > 40
    for file, test in named:
        assert re.search(rf"^def {test}\(", (checkout / "tests" / f"{file}.py").read_text(), re.MULTILINE), (
            test
        )


def test_no_promise_names_a_test_in_another_way(checkout: Path) -> None:
    text = (checkout / "docs" / "promises.md").read_text()
    assert len(re.findall(r"\btest_\w+(?!\w|\.py)", text)) == 2 * len(
        re.findall(r"`[\w/]+/test_\w+::test_\w+`", text)
    )
