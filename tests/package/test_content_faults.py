"""Content that raises, lacks a name or hides what ships: one line with its file, from every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps import content
from qcaps.commands import main
from qcaps.errors import QcapsError
from qcaps.measure.suite import suite

if TYPE_CHECKING:
    from pathlib import Path

SCENE = "SUMMARY = 'one'\nLARGEST = {'q35': 9}\ndef devices(n, machine, random):\n    yield from ()\n"
SUITE = "from qcaps.measure.cell import Cell\nSUMMARY = 'one'\ndef cells():\n    yield Cell('simple', 1)\n"
SECTION = "ORDER = 1\nHEADING = 'x'\nMISSING = 'x'\ndata = content = print\n"
TORN = "SCENARIO = 'disks'\nN = 1\nREMOVED = ()\ndef arms():\n    return ()\n"


@pytest.mark.parametrize(
    ("file", "text", "said", "calls"),
    [
        (
            "scenarios/mine.py",
            "import sys\nsys.exit(0)\n",
            ":2: cannot be loaded: SystemExit",
            ["run --scenario mine"],
        ),
        (
            "scenarios/mine.py",
            "x = 1\n1 / 0\n",
            ":2: cannot be loaded: ZeroDivisionError",
            [
                "run --scenario mine",
                "scenarios list",
                "scenarios generate mine",
                "profile --scenario mine",
                "torn --scenario mine",
                "live count --scenario mine",
            ],
        ),
        (
            "scenarios/mine.py",
            SCENE.replace("LARGEST", "LARGE"),
            ": declares no LARGEST",
            [
                "run --scenario mine",
                "scenarios list",
                "live count --scenario mine",
            ],
        ),
        (
            "scenarios/mine.py",
            SCENE.replace("{'q35': 9}", "9"),
            ": LARGEST: expected dict",
            ["scenarios list"],
        ),
        ("scenarios/mine.py", SCENE.replace("{'q35': 9}", "{}"), ": LARGEST gives", ["scenarios list"]),
        (
            "scenarios/mine.py",
            SCENE.replace("yield from ()", "yield n / 0"),
            ":4: failed: ZeroDivisionError",
            [
                "scenarios generate mine",
                "profile --scenario mine",
                "live count --scenario mine",
            ],
        ),
        (
            "scenarios/mine.py",
            SCENE.replace("yield from ()", "yield 7"),
            ": devices() yields text",
            [
                "scenarios generate mine",
            ],
        ),
        ("scenarios/disks.py", SCENE, ": hides ", ["run --scenario disks", "scenarios list"]),
        (
            "bench/suites/mine.py",
            "1 / 0\n",
            ":1: cannot be loaded",
            [
                "run mine",
                "gate --suite mine --base-python python3",
                "calibrate --suite mine",
            ],
        ),
        ("bench/suites/mine.py", SUITE.replace("cells", "sells"), ": declares no cells", ["run mine"]),
        (
            "bench/suites/mine.py",
            SUITE.replace("yield Cell", "yield 1 / 0, Cell"),
            ":4: failed: Zero",
            ["run mine"],
        ),
        (
            "bench/suites/mine.py",
            SUITE.replace("yield Cell('simple', 1)", "yield 1"),
            ": cells() gives",
            ["run mine"],
        ),
        ("bench/suites/quick.py", SUITE, ": hides ", ["run quick", "run"]),
        ("bench/torn/mine.py", "1 / 0\n", ":1: cannot be loaded", ["torn mine"]),
        ("bench/torn/mine.py", TORN.replace("REMOVED", "REMOVE"), ": declares no REMOVED", ["torn mine"]),
        ("bench/torn/mine.py", TORN.replace("return ()", "1 / 0"), ":5: failed: Zero", ["torn mine"]),
        ("reports/sections/mine.py", "\n1 / 0\n", ":2: cannot be loaded", ["report FILE", "run"]),
        (
            "reports/sections/mine.py",
            SECTION.replace("ORDER", "OTHER"),
            ": a section declares",
            ["report FILE", "run"],
        ),
        ("reports/sections/timeline.py", SECTION, ": hides ", ["report FILE", "run"]),
    ],
)
def test_bad_content_is_one_line_with_its_file(
    *,
    file: str,
    text: str,
    said: str,
    calls: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    results = str(content.SHIPPED.find_file("reports", "reference/results.json"))
    for call in calls:
        words = [results if word == "FILE" else word for word in call.split()]
        assert main([*words, "--content", "own"]) == 1, call
        err = capsys.readouterr().err
        assert err.startswith(f"qcaps: error: {path}{said}"), call
        assert err.count("\n") == 1, call


def test_conclusions_that_raise_name_their_line(tmp_path: Path) -> None:
    folder = tmp_path / "bench" / "suites"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(SUITE + "def conclusions(results):\n    yield results.nothing\n")
    with pytest.raises(QcapsError, match=r"mine\.py:6: failed: AttributeError"):
        suite("mine", content.ContentFolders(tmp_path)).conclusions(None)  # type: ignore[arg-type]  # any
