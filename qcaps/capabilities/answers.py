"""What a QEMU was asked in one run and what it answered, and access to the answers by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qcaps.errors import QcapsError

TOLERATED: Final[dict[str, str]] = {
    "device-list-properties": "DeviceNotFound",
    "qom-list-properties": "DeviceNotFound",
    "query-cpu-definitions": "GenericError",
    "query-cpu-model-expansion": "GenericError",
    "query-gic-capabilities": "CommandNotFound",
    "query-sev-capabilities": "GenericError",
    "query-sgx-capabilities": "GenericError",
    "query-tpm-models": "CommandNotFound",
    "query-tpm-types": "CommandNotFound",
}
"""Commands that may go unanswered, and the class of error that counts as an empty answer."""


class AnswerError(QcapsError):
    """A QEMU that did not answer a command, or not in the shape QEMU uses."""


@dataclass(frozen=True)
class Exchange:
    """One command and its answer: `reply`, or the class of an error with QEMU's own text in `reply`."""

    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reply: Any = None
    error: str | None = None


@dataclass
class Session:
    """The exchanges with one run of a QEMU, in order; `source` names it in errors."""

    source: str
    exchanges: list[Exchange] = field(default_factory=list)

    def find(self, command: str, **arguments: str) -> Exchange | None:
        """The first exchange with this command and these arguments."""
        for one in self.exchanges:
            if one.command == command and all(one.arguments.get(key) == arguments[key] for key in arguments):
                return one
        return None

    def reply(self, command: str, **arguments: str) -> Any:  # noqa: ANN401 - JSON; the callers check its shape
        """The answer to a command; None if there is none and none is needed, else AnswerError."""
        found = self.find(command, **arguments)
        if found is None:
            if command in TOLERATED:
                return None
            raise AnswerError(f"{self.source}: QEMU was not asked, or did not answer, {command}")
        return self.accepted(found)

    def accepted(self, exchange: Exchange) -> Any:  # noqa: ANN401 - JSON; the callers check its shape
        """The reply of `exchange`; None for a tolerated error, AnswerError for any other."""
        if exchange.error is None:
            return exchange.reply
        if exchange.error == TOLERATED.get(exchange.command):
            return None
        raise AnswerError(f"{self.source}: {exchange.command}: {exchange.error}: {exchange.reply}")

    def mapping(self, command: str, **arguments: str) -> Mapping[str, Any]:
        """The answer as an object; empty if there is none."""
        reply = self.reply(command, **arguments)
        return {} if reply is None else self.as_mapping(reply, command)

    def mappings(self, command: str, **arguments: str) -> list[Mapping[str, Any]]:
        """The answer as a list of objects; empty if there is none."""
        return self.as_mappings(self.values(command, **arguments), command)

    def values(self, command: str, **arguments: str) -> list[Any]:
        """The answer as a list; empty if there is none."""
        reply = self.reply(command, **arguments)
        return [] if reply is None else self.as_list(reply, command)

    def names(self, command: str, key: str = "name", **arguments: str) -> dict[str, Mapping[str, Any]]:
        """The answer, a list of objects, by what each has under `key`."""
        return {self.text(one, key, command): one for one in self.mappings(command, **arguments)}

    def as_list(self, value: object, command: str) -> list[Any]:
        """`value` if it is a list."""
        if not isinstance(value, list):
            raise AnswerError(f"{self.source}: {command}: expected a list, got {type(value).__name__}")
        return value

    def as_mappings(self, value: object, command: str) -> list[Mapping[str, Any]]:
        """`value` if it is a list of objects."""
        return [self.as_mapping(one, command) for one in self.as_list(value, command)]

    def as_mapping(self, value: object, command: str) -> Mapping[str, Any]:
        """`value` if it is an object."""
        if not isinstance(value, Mapping):
            raise AnswerError(f"{self.source}: {command}: expected an object, got {type(value).__name__}")
        return value

    def text(self, value: Mapping[str, Any], key: str, command: str) -> str:
        """The string under `key`."""
        found = value.get(key)
        if not isinstance(found, str):
            raise AnswerError(f"{self.source}: {command}: expected a string as {key!r}, got {found!r:.60}")
        return found

    def optional_text(self, value: Mapping[str, Any], key: str, command: str) -> str | None:
        """The string under `key`, or None where the key is not there."""
        return self.text(value, key, command) if key in value else None

    def number(self, value: Mapping[str, Any], key: str, command: str) -> int:
        """The whole number, at least 0, under `key`."""
        found = value.get(key)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise AnswerError(f"{self.source}: {command}: expected a number as {key!r}, got {found!r:.60}")
        return found


Recording = tuple[Session, ...]
"""One or two runs of a QEMU: the second, with TCG alone, only if the first had a faster accelerator."""
