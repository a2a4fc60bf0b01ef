"""The command line: one module a command, imported only when it is the one asked for.

A command module has `configure(parser)`, which adds its arguments, and `run(args)`, which returns the exit
status. Its name and its one line of help stand here, so that `qcaps --help` imports none of them.

Exit status: 0 done, 1 something is wrong with the input or the machine (`gate`: a regression), 2 called
wrongly or a fault of ours, 3 and 4 as `qcaps gate --help` says,
130 interrupted, 141 the reader of our output went away.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from qcaps import __version__
from qcaps.commands.parser import Parser
from qcaps.errors import QcapsError, UsageError, meant

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

INTERNAL_ERROR = 2
INTERRUPTED = 130
READER_WENT_AWAY = 141
_VERSION: dict[str, Any] = {"action": "version", "version": f"qcaps {__version__}"}


class CommandModule(Protocol):
    """What the module behind a command offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments, a description and an example."""

    def run(self, args: argparse.Namespace) -> int:
        """Carry the command out and return the exit status."""


class Command(NamedTuple):
    """One line of `qcaps --help`."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command(
        "run", "qcaps.commands.run", "measure policies against each other: a table, plots, a results file"
    ),
    Command(
        "gate", "qcaps.commands.gate", "judge whether one version is slower than another: counts, then times"
    ),
    Command("bisect", "qcaps.commands.bisect", "find the first commit that counts otherwise, or is slower"),
    Command(
        "history",
        "qcaps.commands.history",
        "measure commit after commit in pairs, and find what changed where",
    ),
    Command("report", "qcaps.commands.report", "draw results: one page, a summary, figures"),
    Command("calibrate", "qcaps.commands.calibrate", "measure how often the gate is wrong on this host"),
    Command("compare", "qcaps.commands.compare", "show two results files side by side"),
    Command("profile", "qcaps.commands.profile", "show where one task's time goes: exact spans, call tree"),
    Command("define", "qcaps.commands.define", "define domain files with the reference driver"),
    Command("start", "qcaps.commands.start", "start a domain file: QEMU's command line, and a real QEMU"),
    Command("explain", "qcaps.commands.explain", "show every lookup of one task, its site and its device"),
    Command("scenarios", "qcaps.commands.scenarios", "list, show and generate families of domains"),
    Command("fidelity", "qcaps.commands.fidelity", "hold the reference against what a real libvirt did"),
    Command("probe", "qcaps.commands.probe", "ask a QEMU binary what it can do"),
    Command(
        "cache", "qcaps.commands.cache", "say which of libvirt's cached capabilities still hold, and why not"
    ),
    Command("live", "qcaps.commands.live", "count, time and what-if on this machine's own libvirt"),
    Command(
        "torn", "qcaps.commands.torn", "replace the QEMU binary in the middle of tasks, and count the harm"
    ),
    Command("doctor", "qcaps.commands.doctor", "say what this machine can measure, and how noisy it is"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and turn every failure into one line on standard error and an exit status."""
    _open_standard_streams()
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except QcapsError as error:
        return _complain(f"error: {error}", error.exit_status)
    except OSError as error:
        return _report_os_error(error)
    except MemoryError:
        return _complain("error: memory ran out: allow more, or ask for less", 1)
    except Exception:  # noqa: BLE001  # a fault of ours must not exit 1, which says "your input"
        import traceback  # 5 ms that only a fault of ours should cost

        traceback.print_exc()
        return _complain("error: this is a fault in qcaps; please report the lines above", INTERNAL_ERROR)
    return status


def _open_standard_streams() -> None:
    """Standard streams that can be used: one that was closed refuses, as a disk may; foreign letters go.

    A number that is free would be that of the next file we open, and hold what we print.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (stream.errors == "strict" or stream.encoding != "utf-8"):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(argv: list[str]) -> int:
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    chosen = _chosen(argv)
    parser = _parser() if chosen is None else command_parser(chosen)
    if chosen is not None and chosen.name != "doctor":  # which says what is wrong with it
        _configure(parser, chosen)
    try:
        args = parser.parse_args(argv if chosen is None else argv[1:])
    except SystemExit as stop:  # --help and --version end here
        return int(stop.code or 0)
    if chosen is None:
        raise UsageError("options of a command come after its name; see 'qcaps --help'")
    from qcaps.commands import terminal

    terminal.set_up(args)
    return _module(chosen).run(args)


def _configure(parser: Parser, chosen: Command) -> None:
    from pathlib import Path

    from qcaps.commands import configuration

    configuration.apply(parser, chosen.name, {one.name: one for one in COMMANDS}, Path.cwd())


def _chosen(argv: list[str]) -> Command | None:
    """The command that is named; None if an option comes first. Raises UsageError."""
    names = [one.name for one in COMMANDS]
    if not argv:
        raise UsageError(f"a command is needed: one of {', '.join(names)}; see 'qcaps --help'")
    if argv[0].startswith("-"):
        return None
    for one in COMMANDS:
        if one.name == argv[0]:
            return one
    raise UsageError(f"no command called {argv[0]!r}{meant(argv[0], names)}; see 'qcaps --help'")


def _module(command: Command) -> CommandModule:
    return cast("CommandModule", importlib.import_module(command.module))


def command_parser(command: Command) -> Parser:
    """The parser of one command, which imports its module."""
    parser = Parser(prog=f"qcaps {command.name}", description=_sentence(command))
    parser.add_argument("-V", "--version", **_VERSION)
    _module(command).configure(parser)
    return parser


def whole_parser() -> Parser:
    """One parser with every command in it, for completions and manuals; it imports every command's module."""
    parser = Parser(prog="qcaps", description="What QEMU capability lookups cost, and what one a task buys.")
    parser.add_argument("-V", "--version", **_VERSION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.help, description=_sentence(command))
        _module(command).configure(one)
    return parser


def _sentence(command: Command) -> str:
    return command.help[0].upper() + command.help[1:] + "."


def _parser() -> Parser:
    """The parser of `qcaps --help`: it knows commands by their lines alone, and imports none."""
    width = max(len(one.name) for one in COMMANDS)
    parser = Parser(
        prog="qcaps",
        usage="qcaps [-h] [-V] COMMAND ...",
        description="What QEMU capability lookups cost, and what looking up once per task buys.\n"
        "\ncommands:\n" + "\n".join(f"  {one.name:{width}}  {one.help}" for one in COMMANDS),
        epilog="Example: qcaps run --quick. 'qcaps help COMMAND' says more of each, with an example.",
    )
    parser.add_argument("-V", "--version", **_VERSION)
    return parser


def _complain(message: str, status: int) -> int:
    print("qcaps:", " ".join(message.splitlines()), file=sys.stderr)
    return status


def _report_os_error(error: OSError) -> int:
    fault = _standard_output_fault()
    if isinstance(fault or error, BrokenPipeError):
        return READER_WENT_AWAY
    if fault is not None:
        return _complain(f"error: standard output: {fault.strerror or fault}", 1)
    name = "standard output, a file or a process" if error.filename is None else error.filename
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
        name = "a file that was being written, in the folder of --output, --scratch or for temporary files"
    return _complain(f"error: {name}: {error.strerror or error}", 1)


def _standard_output_fault() -> OSError | None:
    """What is wrong with standard output, if anything: what it could not write, it tries again."""
    try:
        sys.stdout.flush()
    except OSError as fault:
        # Python flushes once more on its way out, and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return fault
    return None
