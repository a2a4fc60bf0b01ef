"""The action in this repository, carried out as GitHub's runner would, on a repository of a libvirt."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import tests
from tests.support.repositories import BUILD, commit, git
from tests.support.runner import ActionRun

HERE = Path(tests.__file__).resolve().parents[1]
GH = '#!/bin/sh\necho "$GH_TOKEN $GH_REPO $*" >> "$SEEN"\ncat "$5" >> "$SEEN"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    commit(tmp_path / "checkout", "file", "one")
    commit(tmp_path / "checkout", "file", "two")
    return tmp_path / "checkout"


def carried_out(checkout: Path, event: dict[str, Any], **inputs: str) -> ActionRun:
    temp = checkout.parent / "temp"
    programs = temp / "qcaps" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("qcaps", f'#!/bin/sh\nexec {sys.executable} -m qcaps "$@"\n'), ("gh", GH)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    shutil.copy(HERE / "action.yml", temp)
    return ActionRun(
        action=temp,
        work=checkout,
        temp=temp,
        github={"token": "t0ken", "repository": "o/r", "action_path": str(HERE), **event},
        inputs=inputs,
        environment={"PATH": f"{programs}:{'/usr/bin:/bin'}", "SEEN": str(temp / "seen")},
        leave_out=("Install qcaps",),  # pip's own work, from a registry
    ).run()


def pull_request(base: str) -> dict[str, Any]:
    return {"event_name": "pull_request", "event": {"pull_request": {"base": {"sha": base}, "number": 7}}}


@pytest.mark.libvirt
def test_a_pull_request_is_gated_and_commented(checkout: Path) -> None:
    base = git(checkout, "rev-parse", "HEAD~1")
    arguments = "--counts-only\nsimple\n-n\n1\n--task\ndefine"
    done = carried_out(checkout, pull_request(base), build=BUILD, arguments=arguments)
    assert not done.failed, done.log
    assert done.outputs == {"status": "0", "report": "qcaps-gate/gate.md"}
    text = (checkout / "qcaps-gate" / "gate.md").read_text()
    assert "counts agree" in text
    assert "| libvirt simple/1 define ctime stock |" in text
    assert (done.temp / "summary").read_text() == text
    said = (done.temp / "seen").read_text()
    assert said.startswith(
        "t0ken o/r pr comment 7 --body-file qcaps-gate/gate.md --edit-last --create-if-none"
    )
    assert text in said
    assert done.used == [("actions/upload-artifact@v4", {"name": "qcaps-gate", "path": "qcaps-gate"})]
    assert (checkout / "qcaps-gate" / "junit.xml").exists()
    assert "building" in done.log


@pytest.mark.libvirt
def test_what_does_not_build_fails_the_job_after_it_is_told(checkout: Path) -> None:
    event = {"event_name": "push", "event": {"before": git(checkout, "rev-parse", "HEAD~1")}}
    build = "echo 'no \"; touch broken; \" $(touch broken)' >&2; exit 3"
    done = carried_out(checkout, event, build=build)
    assert done.failed == "Status"
    assert done.outputs["status"] == "2"
    assert "no verdict (status 2)" in (done.temp / "summary").read_text()
    assert done.used
    assert not (done.temp / "seen").exists()  # no pull request to comment
    assert not list(checkout.rglob("broken"))  # an input is never part of a script


def test_no_input_is_written_into_a_script() -> None:
    for step in yaml.safe_load((HERE / "action.yml").read_text())["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
