"""What the README tells a newcomer to type exists."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def readme(checkout: Path) -> str:
    return (checkout / "README.md").read_text()


def test_it_is_short(readme: str) -> None:
    """Of prose; blocks and the targets of links aside."""
    prose = re.sub(r"```.*?```|<!--.*?-->|\]\([^)]*\)|\|", " ", readme, flags=re.DOTALL)
    assert 400 < len(prose.split()) <= 650


def test_every_command_named_exists(readme: str) -> None:
    named = set(re.findall(r"\bqcaps ([a-z]+)(?= |`|\n)", "\n".join(re.findall(r"`[^`]+`", readme))))
    assert named, "the README names no command"
    assert named <= {command.name for command in COMMANDS}


def test_every_tox_environment_named_exists(readme: str, checkout: Path) -> None:
    named = {name for group in re.findall(r"tox -e ([\w,]+)", readme) for name in group.split(",")}
    assert {"lint", "types", "wheel"} <= named
    assert named <= set(re.findall(r"^\[testenv:(\w+)\]", (checkout / "tox.ini").read_text(), re.MULTILINE))


def test_workflows_ask_for_environments_and_versions_that_there_are(checkout: Path) -> None:
    workflow = (checkout / ".github" / "workflows" / "ci.yml").read_text()
    listed = re.findall(r"environment: \[(.*)\]", workflow) + re.findall(
        r"tox -e ([\w,]+)$", workflow, re.MULTILINE
    )
    asked = {name.strip() for line in listed for name in line.split(",")}
    tox = (checkout / "tox.ini").read_text()
    assert asked - {"py"} <= set(re.findall(r"^\[testenv:(\w+)\]", tox, re.MULTILINE))
    assert {"lint", "types", "wheel", "docs"} <= asked
    versions = re.findall(r'"3\.(\d+)"', re.findall(r"python: \[.*\]", workflow)[0])
    assert [f"py3{one}" for one in versions] == re.findall(r"py3\d+", re.findall(r"versions = .*", tox)[0])


def test_ci_finds_the_test_command_in_the_readme(checkout: Path, tmp_path: Path) -> None:
    script = (checkout / ".ci" / "run").read_text()
    extraction = re.search(r"test_command=\$\((grep .*?)\)", script)
    assert extraction is not None
    done = subprocess.run(
        ["bash", "-c", extraction[1]], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout == "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox\n"
    assert subprocess.run(["bash", "-n", checkout / ".ci" / "run"], cwd=tmp_path, check=False).returncode == 0
