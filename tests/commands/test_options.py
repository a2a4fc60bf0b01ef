"""One set of options: a flag means the same in every command, and errors point at the command's help."""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import qcaps
from qcaps.commands import COMMANDS, command_parser, main
from qcaps.measure.cell import Cell
from qcaps.measure.suite import Choice, choose, suite

if TYPE_CHECKING:
    from collections.abc import Iterator


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Of every command, and of every action of a command."""
    for command in COMMANDS:
        parser = command_parser(command)
        nested = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not nested:
            yield parser
        for actions in nested:
            yield from actions.choices.values()


def meaning(action: argparse.Action) -> tuple[object, ...]:
    """All that must not differ; the default may, and what the help says of it."""
    reads = getattr(action.type, "__qualname__", action.type)
    return (*action.option_strings, action.dest, reads, (action.help or "").partition(" (default")[0])


def test_a_flag_means_the_same_everywhere() -> None:
    meanings: defaultdict[str, dict[tuple[object, ...], str]] = defaultdict(dict)
    for parser in parsers():
        for action in parser._actions:
            for flag in action.option_strings:
                meanings[flag].setdefault(meaning(action), parser.prog)
    assert meanings.keys() >= {"-o", "-n", "--json", "--content", "--seed", "-q", "-v", "--color", "-V"}
    # what is written may be a file or a folder, and the help says which
    where = meanings.pop("-o")
    del meanings["--output"]
    assert {one[:4] for one in where} == {("-o", "--output", "output", "Path")}
    assert {str(one[4]) for one in where} == {"write to this file", "write to this folder"}
    assert {flag: found for flag, found in meanings.items() if len(found) > 1} == {}


def test_every_command_that_prints_a_result_prints_it_as_json() -> None:
    for parser in parsers():
        assert "--json" in parser._option_string_actions, parser.prog


def test_no_option_is_abbreviated() -> None:
    assert all(not parser.allow_abbrev for parser in parsers())


GUEST = "guest.xml"
QUICKEST = """
from qcaps.measure.cell import Cell
SUMMARY = "a loop"
def cells():
    yield Cell("loop", 500, subject="loop")
"""
FEW = (
    "run",
    "--scenario",
    "serials",
    "-n",
    "1",
    "--policy",
    "once",
    "--validity",
    "trust",
    "--pairs",
    "2",
    "--processes",
    "1",
)


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert main(["scenarios", "generate", "simple", "-o", GUEST]) == 0
    capsys.readouterr()
    return tmp_path / GUEST


JSON_OF = [
    ("doctor", "doctor"),
    ("define guest.xml guest.xml", "define"),
    ("explain guest.xml", "explain"),
    ("start guest.xml", "start"),
    ("scenarios list", "scenarios"),
    ("scenarios show disks", "scenarios"),
    ("scenarios generate disks -n 2", "domain"),
    ("profile --seconds 0.05", "profile"),
    ("torn --tasks 2 -n 1", "torn"),
    ("run --scenario serials -n 1 --policy once --validity trust --pairs 1 --processes 1", "run"),
    ("compare qcaps-results/results.json qcaps-results/results.json", "comparison"),
    ("report qcaps-results/results.json", "report"),
    ("gate qcaps-results/results.json qcaps-results/results.json", "gate"),
    ("calibrate --suite quickest --content . --repetitions 1 --slowdown 0", "calibration"),
]


@pytest.mark.parametrize(("call", "schema"), JSON_OF)
def test_json_is_one_object_with_a_schema(
    call: str, schema: str, guest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "calibrate" in call:
        (guest.parent / "bench" / "suites").mkdir(parents=True)
        (guest.parent / "bench" / "suites" / "quickest.py").write_text(QUICKEST)
    if "qcaps-results" in call:
        main([*FEW, "-q"])
        capsys.readouterr()
    main([*call.split(), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == f"qcaps/{schema}/1"
    assert len(printed) > 1


def test_each_command_that_prints_json_has_its_schema_tested() -> None:
    printed = {
        name
        for file in Path(qcaps.__file__).parent.rglob("*.py")
        for name in re.findall(r'print_json\(\s*"([\w-]+)"', file.read_text())
    }
    tests = "".join(file.read_text() for file in Path(__file__).parent.parent.rglob("test_*.py"))
    tested = {schema for _, schema in JSON_OF} | set(re.findall(r"qcaps/([\w-]+)/1", tests))
    assert printed - tested == set()


@pytest.mark.parametrize("call", [("help", "run"), ("run", "--help")])
def test_help_of_a_command(call: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(call) == 0
    assert capsys.readouterr().out.startswith("usage: qcaps run ")


def test_help_of_an_action_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "live", "watch"]) == 0
    assert capsys.readouterr().out.startswith("usage: qcaps live watch ")
    assert main(["help"]) == 0
    assert capsys.readouterr().out.startswith("usage: qcaps ")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("rnu", "did you mean 'run'?"),
        ("help rnu", "did you mean 'run'?"),
        ("run --polcy once", "did you mean '--policy'?; see 'qcaps run --help'"),
        ("explain --josn", "did you mean '--json'?; see 'qcaps explain --help'"),
        ("live count --scenaro disks", "did you mean '--scenario'?; see 'qcaps live count --help'"),
        ("live cuont", "did you mean 'count'?"),
        ("run --policy onec", "did you mean 'once'?"),
        ("run --validity ctme", "did you mean 'ctime'?"),
        ("run --task defin", "did you mean 'define'?"),
        ("run --scenario dsks", "did you mean 'disks'?"),
        ("run --scenario disks@q36", "did you mean 'q35'?"),
        ("run defualt", "did you mean 'default'?"),
        ("run --color alway", "did you mean 'always'?"),
        ("run --policy naive once default", "qcaps run default --policy"),
        ("run --scenario disks quick", "qcaps run quick --scenario"),
        ("fidelity --live --at-least device=99", "did you mean 'devices'?"),
        # absurd amounts
        ("probe /bin/true --deadline nan", "--deadline: expected seconds"),
        ("probe /bin/true --deadline inf", "--deadline: expected seconds"),
        ("profile --seconds 1e9", "--seconds: expected seconds"),
        ("profile --seconds -1", "--seconds: expected seconds"),
        ("profile -n -4", "-n: expected a whole number"),
        ("calibrate --seconds nan", "--seconds: expected seconds"),
        ("calibrate --slowdown nan", "--slowdown: expected percent"),
        ("torn --mean inf", "--mean: expected milliseconds"),
        ("torn --tasks 0", "--tasks: expected a whole number"),
        ("gate --base-rev HEAD --hang inf", "--hang: expected seconds"),
        ("live watch qemu:///system --interval nan", "--interval: expected seconds"),
        ("run --subject libvrit", "no subject 'libvrit'"),
        ("run --subject libvirt:/nowhere", "libvirt:/nowhere: no such folder"),
        ("run --subject libvirt-daemon:qemu:///system", "a daemon that runs is libvirt:"),
        ("run --subject libvirt:qemu:///system", "--yes says that this is known"),
        ("gate --base libvirt", "--head names the other's"),
        ("profile disks serials.xml", "unrecognized arguments"),
        ("fidelity --live --at-least devices=nan", "expected percent"),
        # files that are not there
        ("define absent.xml", "absent.xml: no such file"),
        ("explain absent.xml", "absent.xml: no such file"),
        ("start absent.xml", "absent.xml: no such file"),
        ("compare absent.json absent.json", "absent.json: no such file"),
        ("report absent.json", "absent.json: no such file"),
        ("gate absent.json absent.json", "absent.json: no such file"),
        ("gate --base-rev HEAD --margins absent.toml", "absent.toml: no such file"),
        ("define /dev/null --capabilities absent.xml", "absent.xml: no such file"),
        ("fidelity absent", "absent: no such file"),
        ("probe absent-qemu", "absent-qemu: no such file"),
        ("live count --libvirt absent", "absent: no such file"),
    ],
)
def test_called_wrongly_is_one_line_and_2(
    call: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(call.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_takes_what_the_suite_does_to_it() -> None:
    def asked(name: str, scenario: str) -> set[str]:
        return {cell.task for cell in choose(suite(name).cells, Choice(scenarios=(scenario,), ns=(1,)))}

    assert asked("default", "disks") == asked("default", "disks@pc") == asked("default", "usb") == {"define"}
    assert asked("default", "simple") == {"define+undefine"}
    own = (Cell("disks", 1, "start", "trust", "naive"),)
    assert {cell.task for cell in choose(own, Choice(scenarios=("usb",), ns=(1,)))} == {"start"}


def test_color_and_quiet(guest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FEW, "--color", "always", "-v"]) == 0
    captured = capsys.readouterr()
    assert "\x1b[" in captured.out
    assert "serials/1" in captured.err
    assert main([*FEW, "--color", "never"]) == 0
    assert "\x1b[" not in capsys.readouterr().out
    assert main(["define", str(guest), "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["define", str(guest)]) == 0
    assert "lookups" in capsys.readouterr().err
