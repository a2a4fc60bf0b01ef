"""The page in a real browser at three widths, light and dark; a validator's and axe's opinion of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qcaps.history.store import reading
from qcaps.report import history_page, page
from tests.support import histories, reporting

pytestmark = pytest.mark.browser
HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    page.build(reporting.sources(reporting.full(), reporting.full()), folder)
    return folder / "report.html"


def test_nothing_is_cut_and_nobody_is_left_out(report: Path) -> None:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, str(HERE / "browser" / "check.mjs"), str(report)], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == []


def test_the_html_is_valid(report: Path) -> None:
    java = shutil.which("java")
    assert java is not None
    jar = Path(os.environ["QCAPS_NODE_MODULES"], "node_modules", "vnu-jar", "build", "dist", "vnu.jar")
    done = subprocess.run(
        [java, "-jar", str(jar), "--errors-only", str(report)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_history_is_whole_and_answers_a_pointer(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None
    file = tmp_path / "history.html"
    names = histories.fill(tmp_path / "h.db")
    with reading(tmp_path / "h.db") as store:
        history_page.build(store, file)

    def asked(script: str) -> Any:  # JSON
        done = subprocess.run(
            [node, str(HERE / "browser" / script), str(file)], capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    assert asked("check.mjs") == []
    said = asked("history.mjs")
    assert said["last"].startswith("r39, 2026-11-27, time +")
    assert said["last"].endswith("9 lookups")
    assert said["first"].startswith("r0, 2026-11-27, time +0.0 %")
    assert said["sorted"] == sorted(names)
    assert said["settled"] == ["disks/4 define fork naive"]
    assert said["named"] == ["quiet/2 define fork naive"]
