"""Argparse whose complaint is one line, which names the command's own help and what was probably meant."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from qcaps.errors import UsageError, meant

if TYPE_CHECKING:
    from collections.abc import Sequence


class Parser(argparse.ArgumentParser):
    """The parser of qcaps, of a command, and of an action of a command: no option is abbreviated."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # what argparse takes
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        self.default_action = ""
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message.removeprefix('argument ')}; see '{self.prog} --help'")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401  # as argparse's
        """As argparse's, but what is not known is an error here, where the command's options are known."""
        if args is not None and self._wants_default(args):
            args = [self.default_action, *args]
        if args is not None:
            self._refuse_misspelt(args)
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(unknown[0])}")
        return known, unknown

    def _wants_default(self, args: Sequence[str]) -> bool:
        """Whether no action is named where one may be left out, and the command itself is asked nothing."""
        if not self.default_action or self._subparsers is None:
            return False
        actions = next(one for one in self._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001
        return not args or (args[0] not in actions.choices and args[0] not in self._option_string_actions)

    def _refuse_misspelt(self, args: Sequence[str]) -> None:
        """Before what is missing is complained of: `--josn` is the reason that FILE is not there."""
        if self._subparsers is not None:
            return
        for word in args:
            if word == "--":
                return
            if word.startswith("--") and word.partition("=")[0] not in self._option_string_actions:
                self.error(f"unrecognized arguments: {word}{self._hint(word)}")

    def _hint(self, word: str) -> str:
        return meant(word.partition("=")[0], self._option_string_actions) if word.startswith("-") else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401  # as argparse's
        if action.choices is not None and value not in action.choices:
            choices = [str(one) for one in action.choices]
            raise argparse.ArgumentError(
                action,
                f"no such choice: {value!r}{meant(str(value), choices)}; choose from {', '.join(choices)}",
            )
