"""The pytest plugin, in a pytest of its own, as a project that uses it has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

THEIRS = """
import pytest, qcaps

def test_as_it_is(qcaps_driver):
    done = qcaps_driver.define(qcaps.domain("simple", 1))
    assert done.lookups == 2 + done.devices

@pytest.mark.qcaps_driver("once", validity="trust")
def test_as_asked(qcaps_driver):
    assert qcaps_driver.domains == ()
    assert qcaps_driver.define(qcaps.domain("simple", 1)).lookups == 1

@pytest.mark.qcaps_driver(policy="onse")
def test_wrong(qcaps_driver):
    pass
"""


def test_the_fixture_is_a_driver_as_the_marker_asks(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "qcaps.pytest_plugin", "--strict-markers", "-q", tmp_path],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "did you mean 'once'?" in done.stdout


def test_pytest_finds_it_by_its_entry_point(checkout: Path) -> None:
    declared = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert callable(import_module(declared["qcaps"]).pytest_configure)
