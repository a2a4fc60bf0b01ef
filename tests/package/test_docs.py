"""What the README and the tutorial show is run; a page of the documentation may not go unplaced.

Above a block may stand, as a comment that no reader sees,

    <!-- not in the test: why -->
    <!-- in the test: `A` is `B` -->              a shorter run in place of a long one
    <!-- in the test where libvirt is -->         likewise with `A` is `B`
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

import qcaps

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("README.md", "docs/tutorial.md", "docs/library.md")
BLOCK = re.compile(
    r"(?:<!-- (?P<marker>[^>]*?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
INSTEAD = re.compile(r"`([^`]+)` is `([^`]+)`")
NEED_NO_TEST = re.compile(r"pip install|bin/tox|tox -e|--base ")


class Block(NamedTuple):
    marker: str
    kind: str
    text: str

    @property
    def shortened(self) -> str:
        text = self.text
        for long, short in INSTEAD.findall(self.marker):
            assert long in text, f"{long!r} is not in the block below its marker"
            text = text.replace(long, short)
        return text

    def is_run(self, *, libvirt: bool) -> bool:
        return (
            not self.marker.startswith("not in the test") and ("where libvirt is" in self.marker) == libvirt
        )


def blocks(page: Path) -> list[Block]:
    """The blocks that are commands or Python; output is marked as text."""
    found = [Block(one["marker"] or "", one["kind"], one["text"]) for one in BLOCK.finditer(page.read_text())]
    assert {one.kind for one in found} <= {"", "python", "text"}
    return [one for one in found if one.kind != "text"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a guest in it, and this qcaps on the path."""
    (tmp_path / "guest.xml").write_text(qcaps.domain("simple", 1))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qcaps").write_text(f'#!/bin/sh\nexec {sys.executable} -m qcaps "$@"\n')
    (tmp_path / "bin" / "qcaps").chmod(0o755)
    return tmp_path


def run(page: Path, place: Path, *, libvirt: bool) -> int:
    """Run a page's blocks in turn, each from what the one before left; how many."""
    environment = {**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    chosen = [one for one in blocks(page) if one.is_run(libvirt=libvirt)]
    script = ["bash", "-euc", "\n".join(one.shortened for one in chosen if not one.kind)]
    program = [sys.executable, "-c", "\n".join(one.shortened for one in chosen if one.kind)]
    for call in (script, program):
        done = subprocess.run(call, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return len(chosen)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_works(page: str, checkout: Path, place: Path) -> None:
    assert run(checkout / page, place, libvirt=False) > 1


@pytest.mark.libvirt
def test_what_the_tutorial_asks_of_libvirt_works(checkout: Path, place: Path) -> None:
    assert run(checkout / "docs" / "tutorial.md", place, libvirt=True) > 1


@pytest.mark.parametrize("page", PAGES)
def test_only_what_installs_or_builds_is_left_out(page: str, checkout: Path) -> None:
    left_out = [one for one in blocks(checkout / page) if one.marker.startswith("not in the test")]
    assert all(NEED_NO_TEST.search(one.text) or "pytest" in one.text for one in left_out), left_out


def test_what_explain_is_shown_to_print_it_prints(checkout: Path, place: Path) -> None:
    """Line for line, but for those that a page leaves out with an ellipsis."""
    shown = 0
    for page in PAGES:
        for command, output in re.findall(
            r"^(qcaps explain [^\n]*)\n```\n+```text\n(.*?)^```$",
            (checkout / page).read_text(),
            re.MULTILINE | re.DOTALL,
        ):
            done = subprocess.run(
                [sys.executable, "-m", *command.split()],
                cwd=place,
                capture_output=True,
                text=True,
                check=True,
            )
            parts = [part.strip("\n") for part in re.split(r"^ *…\n", output, flags=re.MULTILINE)]
            assert all(part in done.stdout for part in parts), (page, command)
            assert done.stdout.startswith(parts[0])
            assert done.stdout.rstrip("\n").endswith(parts[-1])
            shown += 1
    assert shown >= 2


def test_every_page_of_the_site_is_one_of_the_folder(checkout: Path) -> None:
    pages = {page.stem for page in (checkout / "docs").glob("*.md")}
    indexes = [
        (checkout / "docs" / f"{name}.md").read_text() for name in ("how-to", "reference", "explanation")
    ]
    placed = {name for text in indexes for name in re.findall(r"^[\w-]+$", text, re.MULTILINE)}
    assert placed <= pages
