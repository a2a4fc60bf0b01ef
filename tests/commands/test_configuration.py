"""What a project says once: where it is found, what wins, what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import COMMANDS, command_parser, configuration, main
from qcaps.commands.configuration import Said
from qcaps.errors import UsageError
from qcaps.measure.gate.margins import MarginTable
from tests.support.repositories import git

if TYPE_CHECKING:
    import argparse

WHOLE = """\
build = "make -j2"
guests = ["web.xml", "disks"]
export = ["junit", "markdown"]
builds-limit = 3

[gate]
output = "out/gate"
counts-only = true
n = [1, 8]
color = "never"

[run]
pairs = 5

[margins.default]
margin = "5 %"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web.xml").write_text("<domain/>")
    return tmp_path


def parsed(name: str, *argv: str, folder: Path | None = None) -> argparse.Namespace:
    command = next(one for one in COMMANDS if one.name == name)
    parser = command_parser(command)
    known = {one.name: one for one in COMMANDS}
    configuration.apply(parser, name, known, folder or Path.cwd())
    return parser.parse_args(argv)


@pytest.mark.parametrize("file", ["qcaps.toml", "pyproject.toml"])
def test_what_is_said_holds_and_what_is_typed_wins(here: Path, file: str) -> None:
    text = WHOLE
    if file == "pyproject.toml":
        text = f"[tool.qcaps]\n{WHOLE}".replace("[gate]", "[tool.qcaps.gate]")
        text = text.replace("[run]", "[tool.qcaps.run]").replace("[margins", "[tool.qcaps.margins")
    (here / file).write_text(text)
    said = parsed("gate", "--base-rev", "HEAD")
    assert (said.build, said.builds_limit, said.counts_only) == ("make -j2", 3.0, True)
    assert (said.output, said.n, said.color) == (here / "out/gate", [1, 8], "never")
    assert said.what == [str(here / "web.xml"), "disks"]
    assert isinstance(said.margins, MarginTable)
    assert said.margins.default.margin == 0.05
    assert said.export == ["junit", "markdown"]
    typed = parsed("gate", "serials", "--base-rev", "HEAD", "--export", "csv", "--build", "", "-n", "3")
    assert (typed.what, typed.export, typed.build, typed.n) == (["serials"], ["csv"], "", [3])
    assert parsed("history", "measure", "HEAD").build == "make -j2"  # a command's actions have options, too
    assert parsed("history", "HEAD", "--build", "ninja").build == "ninja"
    assert parsed("run").pairs == 5
    assert parsed("run", "--pairs", "9").pairs == 9
    assert isinstance(parsed("run").what, Said)
    assert parsed("profile", "disks").json is False  # a command it says nothing of


def test_where_it_is_looked_for(here: Path) -> None:
    below = here / "a" / "b"
    below.mkdir(parents=True)
    (here / "qcaps.toml").write_text("suite = 'gating'\n")
    (below / "pyproject.toml").write_text("[tool.other]\n")
    assert configuration.find(below) is None  # no work tree: a stranger's folder may be above
    git(here, "init", "-q", ".")
    assert configuration.find(below) == here / "qcaps.toml"
    (here / "a" / "pyproject.toml").write_text("[tool.qcaps]\nsuite = 'quick'\n")
    assert configuration.find(below) == here / "a" / "pyproject.toml"
    (here / "a" / "qcaps.toml").write_text("")
    assert configuration.find(below) == here / "a" / "qcaps.toml"
    assert parsed("gate", folder=below).suite is None


WRONG = {
    "a key there is not": ("suite = 'x'\nbiuld = 'make'\n", ":2: biuld: no such key; did you mean 'build'?"),
    "a table of none": ("[gaet]\nstrict = true\n", ":2: strict: [gaet] is no command; did you mean 'gate'?"),
    "an option of others": ("\n[gate]\npairs = 4\n", ":3: pairs: qcaps gate has no such option"),
    "misspelt": (
        "[gate]\nstric = true\n",
        ":2: stric: qcaps gate has no such option; did you mean 'strict'?",
    ),
    "no number": ("builds-limit = 'much'\n", ":1: builds-limit: expected gigabytes"),
    "no truth": ("[gate]\nstrict = 'yes'\n", ":2: strict: expected true or false"),
    "a list for one": ("suite = ['a', 'b']\n", ":1: suite: expected one value"),
    "no list of texts": ("export = [['junit']]\n", ":1: export: expected a list of texts"),
    "no choice": ("[gate]\n# colours\ncolor = 'blue'\n", ":3: color: expected one of auto, always, never"),
    "not there": ("margins = 'nowhere.toml'\n", ":1: margins: "),
    "another unit": ("[margins.default]\nmargin = 0.05\n", ":1: 'default': margin = 0.05: expected a perc"),
    "no TOML": ("suite = \n", "line 1"),
    "written otherwise": ("gate.strict = 1\n", ":1: strict: expected true or false"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_one_line_that_names_its_own(
    here: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = WRONG[kind]
    (here / "qcaps.toml").write_text(text)
    with pytest.raises(UsageError) as found:
        parsed("gate")
    assert str(found.value).startswith(f"{here}/qcaps.toml")
    assert said in str(found.value)
    assert main(["gate", "--base-rev", "HEAD"]) == 2
    assert main(["doctor", "--config"]) == 2
    (line, other) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line == other


def test_guests_alone_are_no_results_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "qcaps.toml").write_text('guests = ["disks"]\n')
    assert main(["gate"]) == 2
    assert "what is the base?" in capsys.readouterr().err


def test_the_doctor_says_what_holds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config"]) == 0
    assert (
        f"no configuration: no qcaps.toml, nor [tool.qcaps] in pyproject.toml, in {here}"
        in capsys.readouterr().out
    )
    (here / "qcaps.toml").write_text(WHOLE)
    assert main(["doctor", "--config"]) == 0
    said = capsys.readouterr().out
    assert f"{here}/qcaps.toml" in said
    assert "  gate      build = 'make -j2'  (line 1)" in said
    assert "  gate      output = 'out/gate'  (line 7)" in said
    assert "  run       guests = ['web.xml', 'disks']  (line 2)" in said
    assert main(["doctor", "--config", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows["schema"] == "qcaps/configuration/1"
    assert {"command": "run", "name": "pairs", "value": 5, "line": 13} in rows["settings"]
