"""Content is found by path, one module at a time, and a broken file is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps import content
from qcaps.errors import QcapsError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "mine.py").write_text("from ._shared import VALUE\nNAME = 'mine'\n")
    (folder / "_shared.py").write_text("VALUE = 42\n")
    (folder / "broken.py").write_text("import sys\n\nundefined_name\n")
    (folder / "garbled.py").write_text("x = 1\ny = = 2\n")
    return tmp_path


def test_own_content_is_added_to_the_shipped(own: Path) -> None:
    shipped = content.SHIPPED.files("scenarios")
    assert set(content.ContentFolders(own).files("scenarios")) == set(shipped) | {"mine", "broken", "garbled"}


def test_own_folder_comes_first(own: Path) -> None:
    assert content.ContentFolders(own).folders("scenarios")[0] == own / "scenarios"
    assert content.ContentFolders(own).folders("reports") == content.SHIPPED.folders("reports")


def test_same_name_wins_with_the_users(tmp_path: Path, own: Path) -> None:
    other = tmp_path / "other"
    (other / "scenarios").mkdir(parents=True)
    (other / "scenarios" / "mine.py").write_text("NAME = 'other'\n")
    assert content.ContentFolders(own).load("scenarios", "mine").NAME == "mine"
    assert content.ContentFolders(other).load("scenarios", "mine").NAME == "other"
    assert content.ContentFolders(own).load("scenarios", "mine").NAME == "mine"


def test_loading_one_loads_no_other_and_finds_its_neighbours(own: Path) -> None:
    module = content.ContentFolders(own).load("scenarios", "mine")
    assert module.VALUE == 42
    assert module.__name__ == "qcaps_content.scenarios.mine"


def test_pattern_selects(own: Path) -> None:
    assert list(content.ContentFolders(own).modules("scenarios", pattern="min*.py")) == ["mine"]


@pytest.mark.parametrize(
    ("name", "line", "said"), [("broken", 3, "undefined_name"), ("garbled", 2, "SyntaxError")]
)
def test_a_broken_file_is_named_with_its_line(own: Path, name: str, line: int, said: str) -> None:
    with pytest.raises(QcapsError) as caught:
        content.ContentFolders(own).load("scenarios", name)
    assert str(caught.value).startswith(f"{own}/scenarios/{name}.py:{line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_name_lists_what_there_is(own: Path) -> None:
    with pytest.raises(UsageError, match=r"no scenario 'nope'; choose from .*mine"):
        content.ContentFolders(own).load("scenarios", "nope")


def test_a_folder_without_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds none of scenarios/"):
        content.ContentFolders(tmp_path).folders("bench")
    with pytest.raises(UsageError, match="no such folder"):
        content.ContentFolders(tmp_path / "absent").folders("bench")


def test_data_files_are_found_below_a_folder(own: Path) -> None:
    (own / "reports" / "style").mkdir(parents=True)
    (own / "reports" / "style" / "own.css").write_text("")
    assert (
        content.ContentFolders(own).find_file("reports", "style/own.css")
        == own / "reports" / "style" / "own.css"
    )
    with pytest.raises(QcapsError, match="no such file"):
        content.ContentFolders(own).find_file("reports", "style/absent.css")
