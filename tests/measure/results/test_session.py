"""What is the same for all that one command measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qcaps
from qcaps.measure.results import session

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_installed_package_knows_the_commit_it_was_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "qcaps"
    package.mkdir(parents=True)
    monkeypatch.setattr(qcaps, "__file__", str(package / "__init__.py"))
    assert session.commit() is None
    (package / "_commit.txt").write_text("0123456789abcdef+\n")
    assert session.commit() == "0123456789abcdef+"
