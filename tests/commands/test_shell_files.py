"""Completions in real shells, and man pages: of the sources, else those that a wheel brought."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import COMMANDS, command_parser
from tests.conftest import without_component

if TYPE_CHECKING:
    from collections.abc import Callable

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p qcaps | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function qcaps "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source "$argv[1]"; complete -C "$argv[2]" | string replace -r "\\t.*" ""; true'
EXPECTED = [
    ("qcaps expl", "explain"),
    ("qcaps explain --poli", "--policy"),
    ("qcaps explain --policy per", "per-callback"),
    ("qcaps run --validity wat", "watch"),
    ("qcaps run --scenario kitch", "kitchen-sink"),
    ("qcaps live wat", "watch"),
    ("qcaps live count --scenario seri", "serials"),
    ("qcaps explain gue", "guest.xml"),
]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has them."""
    root = Path(__file__).resolve().parent.parent.parent
    if (root / "docs" / "shell_files.py").is_file():
        folder = tmp_path_factory.mktemp("usr")
        environment = {**os.environ, "PYTHONPATH": str(root)}
        subprocess.run([sys.executable, root / "docs/shell_files.py", folder], env=environment, check=True)
        return folder / "share"
    brought = [file for file in metadata.files("qcaps") or () if file.name == "qcaps.1"]
    assert brought, "the wheel has no man page"
    return Path(brought[0].locate()).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "guest.xml").touch()
    return folder


def in_bash(share: Path, home: Path, line: str) -> str:
    words = line.split()
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", share / "bash-completion/completions/qcaps", *words],
        cwd=home, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def in_fish(share: Path, home: Path, line: str) -> str:
    done = subprocess.run(
        ["fish", "--no-config", "-c", FISH, share / "fish/vendor_completions.d/qcaps.fish", line],
        cwd=home, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def in_zsh(share: Path, home: Path, line: str) -> str:
    """A zsh on a terminal of its own, and the tabulator pressed: what it writes then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        environment = {**os.environ, "TERM": "dumb", "HOME": str(home), "PS1": "> "}
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)  # noqa: S606
    try:
        setup = f"fpath=({share}/zsh/site-packages $fpath); autoload -U compinit; compinit -u -D"
        os.write(terminal, f"{setup}; echo rea''dy\n".encode())
        _until(terminal, "ready")
        os.write(terminal, line.encode() + b"\t")
        return _until(terminal, " $").strip().removeprefix("> ").split()[-1]
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _until(terminal: int, pattern: str, seconds: float = 30.0) -> str:
    said, end = "", time.monotonic() + seconds
    while not re.search(pattern, said.removeprefix("> ")) or select.select([terminal], [], [], 0.3)[0]:
        if not select.select([terminal], [], [], max(end - time.monotonic(), 0))[0]:
            pytest.fail(f"zsh wrote {said!r} and nothing that has {pattern!r}")
        said += os.read(terminal, 4096).decode(errors="replace")
    return said


@pytest.mark.parametrize("complete", [in_bash, in_fish, in_zsh])
def test_what_is_begun_is_completed(
    complete: Callable[[Path, Path, str], str], share: Path, home: Path
) -> None:
    shell = complete.__name__.removeprefix("in_")
    if shutil.which(shell) is None:
        without_component(f"{shell} is not on PATH")
    assert [(line, complete(share, home, line)) for line, _ in EXPECTED] == EXPECTED


def test_there_is_a_man_page_of_every_command(share: Path) -> None:
    if shutil.which("man") is None:
        without_component("man is not on PATH")
    pages = {page.stem: page for page in (share / "man" / "man1").glob("*.1")}
    assert pages.keys() >= {"qcaps", "qcaps-live-count", *(f"qcaps-{one.name}" for one in COMMANDS)}
    for command in COMMANDS:
        text = _shown(pages[f"qcaps-{command.name}"])
        assert f"qcaps-{command.name} - " in text
        for action in command_parser(command)._actions:
            if action.help and action.help != "==SUPPRESS==":
                assert all(flag in text for flag in action.option_strings if flag not in ("-h", "--help"))
    assert all(f"qcaps {command.name}" in _shown(pages["qcaps"]) for command in COMMANDS)


def _shown(page: Path) -> str:
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(
        ["man", "--warnings", "--nj", "--nh", "-l", page],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_parsers_are_made_without_what_a_build_has_not() -> None:
    """A wheel is built where neither lxml nor numpy is."""
    code = (
        "import sys; from qcaps.commands import whole_parser; whole_parser();"
        "others = ('lxml', 'numpy', 'rich', 'pyperf', 'jinja2', 'matplotlib');"
        "print(*(name for name in others if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
