"""The reference report: its results can be read, every section has something to show, the README shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from qcaps.content import SHIPPED
from qcaps.report import section, sources

if TYPE_CHECKING:
    from pathlib import Path

ONLY_WITH_OTHERS = {"gate", "files"}


@pytest.fixture(scope="module")
def given() -> sources.Sources:
    return sources.load(
        [SHIPPED.find_file("reports", f"reference/{name}.json") for name in ("results", "live", "torn")]
    )


def test_it_has_something_for_every_section(given: sources.Sources) -> None:
    assert given.complaints == ()
    missing = section.absent(section.sections(given))
    assert {one.name for one in missing} == ONLY_WITH_OTHERS
    assert not any(one.failed for one in missing)


def test_its_counts_agree_with_the_laws(given: sources.Sources) -> None:
    (counters,) = (one for one in section.present(section.sections(given)) if one.name == "counters")
    assert counters.content.finding.startswith("All ")


def test_it_is_small_and_says_what_the_results_say(checkout: Path, given: sources.Sources) -> None:
    folder = checkout / "reports" / "reference"
    assert (folder / "report.html").stat().st_size < 2_000_000
    assert (folder / "results.json").stat().st_size < 1_500_000
    page = (folder / "report.html").read_text()
    first = section.present(section.sections(given))[0]
    assert first.name == "today"
    assert first.content.finding.split(" (")[0] in page


def test_the_readme_s_pictures_exist(checkout: Path) -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (checkout / "README.md").read_text())
    assert len(pictures) == 2
    assert all((checkout / picture).is_file() for picture in pictures)
