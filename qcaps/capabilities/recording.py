"""Recorded conversations: a stream of JSON objects, each command followed by its answer.

The format of the `.replies` files with which libvirt tests its own probing. `qmp_capabilities` begins
a run of QEMU; events are skipped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from qcaps.bounded import UnreadableError, read_bounded
from qcaps.capabilities.answers import AnswerError, Exchange, Recording, Session
from qcaps.capabilities.interpretation import capabilities_from
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.capabilities.model import Capabilities
    from qcaps.release import Release

_SPACE: Final = re.compile(r"\s*")

LARGEST_FILE: Final = 64 << 20
"""Bytes; real recordings take less than 1 MB."""


def read(path: Path | str) -> Recording:
    """The runs recorded in the file `path`; AnswerError if it is no such recording."""
    try:
        data = read_bounded(path, LARGEST_FILE)
    except UnreadableError as error:
        raise AnswerError(str(error)) from None
    except OSError as error:
        raise AnswerError(f"{path}: cannot read the recording: {error.strerror}") from error
    return parse(data.decode(errors="replace"), str(path))


def capabilities(path: Path | str, release: Release = DEFAULT) -> Capabilities:
    """The capabilities that follow from the recording in the file `path`, by a release's table of flags."""
    return capabilities_from(read(path), release)


def parse(text: str, source: str) -> Recording:
    """The runs recorded in `text`; `source` names it in errors."""
    runs: list[Session] = []
    pending: dict[str, Any] | None = None
    for line, message in _messages(text, source):
        if "execute" in message:
            pending = message
            if message["execute"] == "qmp_capabilities":
                runs.append(Session(source))
        elif "return" in message or "error" in message:
            if pending is None or not runs:
                raise AnswerError(f"{source}:{line}: an answer without a command")
            if pending["execute"] != "qmp_capabilities":
                runs[-1].exchanges.append(_exchange(pending, message, f"{source}:{line}"))
            pending = None
    if not runs:
        raise AnswerError(f"{source}: no recording of a probe: it does not begin with qmp_capabilities")
    return tuple(runs)


def _messages(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each message with the line it begins on."""
    decoder = json.JSONDecoder()
    line, counted, position = 1, 0, _after_space(text, 0)
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        try:
            message, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise AnswerError(
                f"{source}:{line}: the message that begins here is not JSON: {problem}"
            ) from error
        if not isinstance(message, dict):
            raise AnswerError(f"{source}:{line}: expected an object, got {type(message).__name__}")
        yield line, message
        position = _after_space(text, end)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _exchange(command: dict[str, Any], answer: dict[str, Any], place: str) -> Exchange:
    """One exchange; what has the wrong shape is an AnswerError that names `place`."""
    arguments = command.get("arguments", {})
    if not isinstance(command["execute"], str) or not isinstance(arguments, dict):
        raise AnswerError(f"{place}: the command answered here is malformed")
    if "return" in answer:
        return Exchange(command["execute"], arguments, answer["return"])
    error = answer["error"]
    if not isinstance(error, dict):
        raise AnswerError(f"{place}: expected an object as 'error', got {type(error).__name__}")
    return Exchange(command["execute"], arguments, str(error.get("desc")), str(error.get("class")))
