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


def test_every_command_named_exists(readme: str) -> None:
    named = set(re.findall(r"\bqcaps ([a-z]+)(?= |`|\n)", "\n".join(re.findall(r"`[^`]+`", readme))))
    assert named, "the README names no command"
    assert named <= {command.name for command in COMMANDS}


def test_every_tox_environment_named_exists(readme: str, checkout: Path) -> None:
    named = {name for group in re.findall(r"tox -e ([\w,]+)", readme) for name in group.split(",")}
    assert {"lint", "types", "wheel"} <= named
    assert named <= set(re.findall(r"^\[testenv:(\w+)\]", (checkout / "tox.ini").read_text(), re.MULTILINE))


def test_ci_finds_the_test_command_in_the_readme(checkout: Path, tmp_path: Path) -> None:
    script = (checkout / ".ci" / "run").read_text()
    extraction = re.search(r"test_command=\$\((grep .*?)\)", script)
    assert extraction is not None
    done = subprocess.run(
        ["bash", "-c", extraction[1]], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout == "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox\n"
    assert subprocess.run(["bash", "-n", checkout / ".ci" / "run"], cwd=tmp_path, check=False).returncode == 0
