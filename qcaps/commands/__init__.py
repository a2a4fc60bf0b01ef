"""The command line: one module a command, imported only when it is the one asked for.

A command module has `configure(parser)`, which adds its arguments, and `run(args)`, which returns the exit
status. Its name and its one line of help stand here, so that `qcaps --help` imports none of them.

Exit status: 0 done, 1 something is wrong with the input or the machine (`gate`: a regression), 2 called
wrongly or a fault of ours, 3 and 4 as `qcaps gate --help` says,
130 interrupted, 141 the reader of our output went away.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol, cast

from qcaps import __version__
from qcaps.errors import QcapsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERNAL_ERROR = 2
INTERRUPTED = 130
READER_WENT_AWAY = 141


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
    Command("live", "qcaps.commands.live", "count, time and what-if on this machine's own libvirt"),
    Command(
        "torn", "qcaps.commands.torn", "replace the QEMU binary in the middle of tasks, and count the harm"
    ),
    Command("doctor", "qcaps.commands.doctor", "say what this machine can measure, and how noisy it is"),
)


class _Parser(argparse.ArgumentParser):
    """Argparse whose complaint is an exception with one line, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and turn every failure into one line on standard error and an exit status."""
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


def _dispatch(argv: list[str]) -> int:
    chosen = _chosen(argv)
    parser, subparsers = _parser()
    if chosen is None:
        # --help and --version end here; anything else is a complaint.
        return _print_and_stop(parser, argv)
    module = cast("CommandModule", importlib.import_module(chosen.module))
    subparser = subparsers[chosen.name]
    module.configure(subparser)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    return module.run(args)


def _chosen(argv: list[str]) -> Command | None:
    return next((one for one in COMMANDS if argv and one.name == argv[0]), None)


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog="qcaps",
        description="What QEMU capability lookups cost, and what looking up once per task buys.",
        epilog="Example: qcaps run --quick. Every command has its own --help with an example.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"qcaps {__version__}")
    adder = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    return parser, {
        one.name: adder.add_parser(
            one.name,
            help=one.help,
            description=one.help[0].upper() + one.help[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for one in COMMANDS
    }


def _print_and_stop(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    names = [one.name for one in COMMANDS]
    if not argv:
        raise UsageError(f"a command is needed: one of {', '.join(names)}; see 'qcaps --help'")
    if not argv[0].startswith("-"):
        import difflib  # only a mistyped command pays for it

        near = difflib.get_close_matches(argv[0], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see 'qcaps --help'"
        raise UsageError(f"no command called {argv[0]!r}; {hint}")
    try:
        parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    raise UsageError("options of a command come after its name; see 'qcaps --help'")


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
