"""`qcaps bisect` as a whole: commits of qcaps' own kind, the user's repository left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qcaps
from qcaps.commands import main
from tests.support.repositories import commit, git

BACKEND = """
import zipfile
from pathlib import Path
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(Path(folder, "qcaps-0-py3-none-any.whl"), "w") as wheel:
        for path in Path("qcaps").rglob("*.*"):
            wheel.write(path)
        wheel.writestr("qcaps-0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: qcaps\\nVersion: 0\\n")
        wheel.writestr("qcaps-0.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("qcaps-0.dist-info/RECORD", "")
    return "qcaps-0-py3-none-any.whl"
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "qcaps"
version = "0"
"""


def history(folder: Path) -> list[str]:
    """Five commits; the fourth makes `once` look up as often as the series does, the third does not build."""
    source = Path(qcaps.__file__).resolve().parent
    shutil.copytree(source, folder / "qcaps", ignore=shutil.ignore_patterns("__pycache__", "_content"))
    (folder / "pyproject.toml").write_text(PROJECT)
    names = [commit(folder, "backend.py", BACKEND), commit(folder, "README", "harmless")]
    names.append(commit(folder, "backend.py", "raise SystemExit('the compiler is on strike')\n"))
    policy = folder / "qcaps" / "lookups" / "policy.py"
    old = 'the correct way", _all(Sharing.TASK)'
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, 'the correct way", SERIES_POLICY.sharing', 1))
    names.append(commit(folder, "backend.py", BACKEND))
    names.append(commit(folder, "README", "harmless too"))
    return names


@pytest.mark.slow
def test_a_cause_by_counts(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    names = history(repository)
    git(repository, "checkout", "-qb", "mine", names[1])
    (repository / "README").write_text("not committed")
    before = git(repository, "status", "--porcelain=2", "--branch")
    command = (
        sys.executable, "-m", "qcaps", "bisect", names[0], "main", "disks", "-n", "2", "--repo", "repository",
        "--builds", "builds", "-o", "out", "--json",
    )  # fmt: skip
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ}
    )
    found = json.loads(done.stdout)
    assert (found["schema"], found["by"], found["finished"]) == ("qcaps/bisect/1", "counts", True)
    assert set(found["left"]) == {
        names[2],
        names[3],
    }  # which of the two cannot be told: the third does not build
    assert done.returncode == 3
    assert "does not build" in done.stderr
    assert [one["side"] for one in found["steps"]].count("skipped") == 1
    assert git(repository, "status", "--porcelain=2", "--branch") == before
    assert git(repository, "worktree", "list").count("\n") == 0
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"bisect.json", "bisect.md", "bisect.svg"}
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout
    assert "building" not in again.stderr
    # from the commit that does not build on, the cause is the first that counts
    first = subprocess.run(
        (*command[:4], names[1], *command[5:-3], "-o", "first"), cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert first.returncode == 3
    assert "one of 2 commits" in first.stdout


def test_wrong_calls_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(tmp_path / "r", "a", "1")
    commit(tmp_path / "r", "a", "2")
    for arguments, said in (
        (("HEAD", "HEAD~1"), "it is the other way round"),
        (("HEAD~1", "nowhere"), "nowhere: no such revision"),
        (("HEAD~1", "HEAD", "--suite", "gatig"), "did you mean 'gating'?"),
    ):
        assert main(["bisect", *arguments, "--repo", "r"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
