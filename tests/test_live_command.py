"""`qcaps live` from the outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.libvirt
@pytest.mark.root
def test_count_prints_a_table_and_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "count", "--scenario", "simple", "-n", "1", "--task", "define", "detach"]) == 0
    out = capsys.readouterr().out
    assert out.count("equal") == 2
    assert "counted by the interposer" in out


@pytest.mark.libvirt
@pytest.mark.root
def test_count_is_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "count", "-n", "4", "--counting", "log", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["counted_by"] == "log"
    (one,) = answer["counts"]
    assert (one["lookups"], one["law"], one["verdict"], one["forks"]) == (20, 20, "equal", None)


@pytest.mark.libvirt
@pytest.mark.root
def test_a_refusal_is_one_line_and_exit_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "broken.py").write_text(
        "SUMMARY = 'n sound cards that do not exist'\n"
        "LARGEST = {'q35': 9}\n"
        "def devices(n, machine, random):\n"
        "    yield from [\"<sound model='made-up'/>\"] * n\n"
    )
    assert main(["live", "count", "--scenario", "broken", "-n", "0", "1", "--content", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "equal" in captured.out
    assert "refused" in captured.out
    assert len(captured.err.splitlines()) == 1


@pytest.mark.libvirt
@pytest.mark.root
def test_without_a_compiler_the_log_counts_and_the_output_says_why(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "setpriv", "unshare", "mount", "mkdir", "grep", "cp", "mknod", "stat"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", "live", "count", "-n", "0", "--json"],
        env={**os.environ, "PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["counted_by"] == "log"
    assert answer["counts"][0]["lookups"] == 12
    assert "no C compiler" in done.stderr


@pytest.mark.libvirt
@pytest.mark.root
def test_whatif_pairs_and_spares_lookups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "whatif", "--scenario", "serials", "-n", "128", "--runs", "12", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["speedups"]
    assert (one["lookups"], one["lookups_once"], one["pairs"]) == (141, 1, 12)
    assert 1.5 < one["low"] <= one["speedup"] <= one["high"]


@pytest.mark.libvirt
@pytest.mark.root
def test_time_says_which_share_is_lookups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "time", "--scenario", "serials", "-n", "64", "--runs", "5", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["times"]
    assert one["lookups"] == 77
    assert 0.3 < one["share_of_lookups"] < 1
    assert one["seconds_a_lookup"] * one["lookups"] == pytest.approx(one["share_of_lookups"] * one["seconds"])


@pytest.mark.libvirt
@pytest.mark.root
def test_probe_names_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "probe", "qemu-system-x86_64", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["differences"] == []
    assert answer["libvirt_seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["count", "--task", "reboot"], "no task 'reboot'"),
        (["whatif", "--task", "undefine"], "parses no domain"),
        (["time", "--runs", "0"], "expected at least 1"),
        (["count", "-n", "9999999"], "takes 0 to"),
        (["dance"], "invalid choice"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_starts(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", *arguments]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert len(err.splitlines()) == 1
