"""`qcaps.explain` and the command that prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import qcaps
from qcaps.commands import main
from qcaps.release import DEFAULT
from qcaps.rules.shared.host_facts import PLAIN_HOST

if TYPE_CHECKING:
    from pathlib import Path

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def guest(tmp_path: Path) -> str:
    path = tmp_path / "guest.xml"
    path.write_text(qcaps.domain("simple", 2))
    return str(path)


def test_a_define_asks_for_each_device_and_under_once_for_none(guest: str) -> None:
    naive = qcaps.explain(guest, policy="naive")
    with qcaps.Driver() as driver:
        devices = driver.define(guest).devices
    assert [one.site for one in naive] == ["post-parse", "validate domain"] + ["validate device"] * devices
    assert [one.device for one in naive[:4]] == [None, None, "disk file vda", "disk file vdb"]
    assert [(one.site, one.device) for one in qcaps.explain(guest, policy="once")] == [("post-parse", None)]


def test_each_line_is_where_the_device_stands(guest: str) -> None:
    lines = [""]
    with open(guest) as file:  # noqa: PTH123  # as a user would
        lines += file.read().splitlines()
    told = [one for one in qcaps.explain(guest) if one.line is not None]
    assert len(told) > 10
    for one in told:
        assert one.line is not None
        assert one.device is not None
        assert f"<{one.device.split()[0]}" in lines[one.line], one
    added = [one.device for one in qcaps.explain(guest) if one.device and one.line is None]
    assert {device.split()[0] for device in added} == {"controller", "console", "input", "audio"}


@pytest.mark.parametrize("task", ["define", "start", "createXML"])
@pytest.mark.parametrize("policy", ["naive", "stock", "once", "oracle"])
def test_the_command_prints_what_the_library_says(
    guest: str, capsys: Printed, task: str, policy: str
) -> None:
    expected = qcaps.explain(guest, policy, task=task, validity="trust")
    words = ["explain", guest, "--task", task, "--policy", policy, "--validity", "trust"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["task"], said["policy"], said["release"]) == (task, policy, str(DEFAULT))
    assert [tuple(one.values()) for one in said["lookups"]] == [
        (one.number, one.site, one.device, one.line) for one in expected
    ]
    assert main(words) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    lookups = f"{len(expected)} lookup{'' if len(expected) == 1 else 's'}"
    assert last == f"{lookups} in one {task} of libvirt {DEFAULT} under '{policy}'"
    for line, one in zip(lines, expected, strict=True):
        assert line.split()[0] == str(one.number)
        assert one.site in line
        assert (f"(line {one.line})" in line) == (one.line is not None)


def test_another_task_is_refused(guest: str, capsys: Printed) -> None:
    with pytest.raises(qcaps.UsageError, match="no task 'strat'; did you mean 'start'"):
        qcaps.explain(guest, task="strat")
    assert main(["explain", guest, "--task", "strat"]) == 2
    assert "did you mean 'start'?" in capsys.readouterr().err


def test_what_libvirt_refuses_is_refused_with_its_place(guest: str, tmp_path: Path, capsys: Printed) -> None:
    bad = tmp_path / "bad.xml"
    with open(guest) as file:  # noqa: PTH123
        bad.write_text(file.read().replace("</devices>", "<watchdog model='diag288'/></devices>"))
    with pytest.raises(qcaps.Refused) as caught:
        qcaps.explain(bad)
    assert main(["explain", str(bad)]) == 1
    assert capsys.readouterr().err == f"qcaps: error: {caught.value}\n"
    assert main(["define", str(bad)]) == 1
    assert capsys.readouterr().err == f"qcaps: {caught.value}\n"


def test_what_the_driver_takes_can_be_handed_on() -> None:
    guest = qcaps.domain("disks@q35", 1)
    older, newer = (qcaps.explain(guest, release=release, host=PLAIN_HOST) for release in ("9.0", "12.8"))
    assert {one.device for one in newer} - {one.device for one in older} == {"watchdog itco"}
