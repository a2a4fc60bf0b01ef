"""The command line as a process: exit statuses, and one line for every failure."""

from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps import __version__, commands
from qcaps.errors import QcapsError
from qcaps.scenario import scenario

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

QCAPS = (sys.executable, "-m", "qcaps")
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def qcaps(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*QCAPS, *arguments], capture_output=True, text=True, check=False)


def test_version() -> None:
    done = qcaps("--version")
    assert (done.returncode, done.stdout) == (0, f"qcaps {__version__}\n")


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from qcaps.commands import main; status = main(['--help']);"
        "print(*(name for name in sys.modules if name.startswith('qcaps.') or name in ('numpy', 'lxml')));"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in commands.COMMANDS:
        assert f"  {command.name} " in done.stdout or f"  {command.name}\n" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["qcaps.errors", "qcaps.commands.parser", "qcaps.commands"]


@pytest.mark.parametrize("command", commands.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(command: commands.Command) -> None:
    module = importlib.import_module(command.module)
    assert callable(module.configure)
    assert callable(module.run)
    done = qcaps(command.name, "--help")
    assert done.returncode == 0
    assert f"qcaps {command.name}" in done.stdout.partition("xample")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a command is needed"),
        (("dotcor",), "did you mean 'doctor'?"),
        (("zzz",), "no command called 'zzz'"),
        (("--json",), "unrecognized arguments: --json"),
        (("doctor", "--unknown"), "see 'qcaps doctor --help'"),
        (("doctor", "surplus"), "surplus"),
    ],
)
def test_wrong_usage_is_one_line_and_2(arguments: tuple[str, ...], said: str) -> None:
    done = qcaps(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("qcaps: error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run `main` with a command that fails as told."""

    def fail(_args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("qcaps.commands.doctor.run", fail)
    return commands.main(["doctor"])


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (QcapsError("guest.xml:3: bad\nnews"), 1, "qcaps: error: guest.xml:3: bad news"),
        (PermissionError(13, "Permission denied", "/a/b"), 1, "qcaps: error: /a/b: Permission denied"),
        (KeyboardInterrupt(), 130, "qcaps: interrupted"),
    ],
)
def test_a_failure_is_one_line(
    error: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert raising(error, monkeypatch) == status
    assert capsys.readouterr().err == line + "\n"


def test_a_fault_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(ZeroDivisionError("ours"), monkeypatch) == 2
    err = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in err
    assert "a fault in qcaps" in err.splitlines()[-1]


def test_a_full_disk_under_standard_output_is_named() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  # a device, opened as a shell would
        done = subprocess.run(
            [*QCAPS, "--help"], stdout=full, stderr=subprocess.PIPE, env=BUFFERED, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"qcaps: error: standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_is_no_news(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*QCAPS, "doctor"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**BUFFERED, "PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_nothing_in_the_engine_knows_the_content_by_name(checkout: Path) -> None:
    by_name = re.compile(r"^\s*(from|import) (scenarios|bench|reports)\b", re.MULTILINE)
    sources = list((checkout / "qcaps").rglob("*.py"))
    assert checkout / "qcaps" / "content.py" in sources
    assert [path for path in sources if by_name.search(path.read_text())] == []


def test_a_dash_is_standard_input_and_a_folder_no_domain(tmp_path: Path) -> None:
    domain = scenario("serials").xml(2)
    (tmp_path / "guest.xml").write_text(domain)
    for command in ("explain", "define", "start"):
        ask = [sys.executable, "-m", "qcaps", command]
        by_file = subprocess.run([*ask, tmp_path / "guest.xml"], capture_output=True, text=True, check=True)
        by_pipe = subprocess.run([*ask, "-"], input=domain, capture_output=True, text=True, check=True)
        assert by_pipe.stdout.replace("/dev/stdin", str(tmp_path / "guest.xml")) == by_file.stdout
        folder = subprocess.run([*ask, tmp_path], capture_output=True, text=True, check=False)
        assert folder.returncode == 2
        assert f"{tmp_path}: is a folder: name a file in it" in folder.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_so_where_no_file_is_named(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(_argv: list[str]) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(commands, "_dispatch", write)
    assert commands.main([]) == 1
    assert "in the folder of --output, --scratch or for temporary files" in capsys.readouterr().err
