"""Ask a real QEMU over QMP what it can do, as libvirt does."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.answers import Exchange, Recording, Session
from qcaps.capabilities.conversation import Ask, converse, converse_again
from qcaps.capabilities.emulator import Emulator, running
from qcaps.capabilities.interpretation import capabilities_from, is_kvm
from qcaps.errors import QcapsError
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from qemu.qmp import QMPClient

    from qcaps.capabilities.model import Capabilities
    from qcaps.release import Release

DEADLINE: Final = 30.0
"""Seconds for both runs together; an idle machine needs less than one."""

_UNREADABLE: Final = (ValueError, RecursionError)
"""JSON that Python does not read: numbers of thousands of digits, and what is nested as deep."""

_FIRST, _AGAIN = "kvm:tcg", "tcg"


class ProbeError(QcapsError):
    """A binary that cannot be probed: names it, and says what it did instead of answering."""


def probe(binary: Path | str, deadline: float = DEADLINE, release: Release = DEFAULT) -> Capabilities:
    """What the QEMU `binary` can do, in the flags of that release of libvirt.

    It is started once with KVM if it can, and once more with TCG alone.

    Raises ProbeError if it is missing, not executable, dies, does not answer within `deadline`
    seconds, or speaks no QMP; AnswerError if it answers as no QEMU does. Nothing is left behind.
    Not to be called from inside an event loop.
    """
    return capabilities_from(record(binary, deadline, release), release)


def record(binary: Path | str, deadline: float = DEADLINE, release: Release = DEFAULT) -> Recording:
    """The conversation behind `probe`, uninterpreted. Raises as `probe` does."""
    path = str(binary)
    _check(path)
    try:
        with asyncio.Runner() as runner:
            return runner.run(_record(path, deadline, release))
    except OSError as error:  # there is not even an event loop to be had
        raise ProbeError(f"{binary}: cannot be probed: {error.strerror or error}") from error


def _check(binary: str) -> None:
    path = Path(binary)
    if not path.exists():
        raise ProbeError(f"{binary}: no such file; give the path of a qemu-system binary")
    if not path.is_file():
        raise ProbeError(f"{binary}: not a file; give the path of a qemu-system binary")
    if not os.access(path, os.X_OK):
        raise ProbeError(f"{binary}: not executable by this user")


async def _record(binary: str, deadline: float, release: Release) -> Recording:
    """Both runs, under one deadline."""
    ends = asyncio.get_running_loop().time() + deadline
    first = await _run(binary, _FIRST, lambda ask: converse(ask, binary, release), ends, deadline)
    if not is_kvm(first) or "tcg-accel" not in first.names("qom-list-types"):
        return (first,)
    return (first, await _run(binary, _AGAIN, lambda ask: converse_again(ask, first), ends, deadline))


async def _run(
    binary: str, accelerator: str, talk: Callable[[Ask], Awaitable[Session]], ends: float, deadline: float
) -> Session:
    """Start `binary`, talk to it until `ends` on the loop's clock, and end it."""
    from qemu.qmp import QMPClient, QMPError  # takes 50 ms that only a probe needs to spend

    logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # its errors reach us as exceptions
    client = QMPClient("qcaps")
    client.events.event_filter = lambda _: False  # nobody asks for them: a flood would fill the memory
    try:
        with running(binary, accelerator) as emulator:
            try:
                async with asyncio.timeout_at(ends):
                    await client.connect(emulator.monitor)
                    return await talk(_asker(client))
            except TimeoutError as error:
                said = emulator.last_line()
                problem = f"did not answer within {deadline:g} s" + (f"; it said: {said}" if said else "")
                raise ProbeError(f"{binary}: {problem}") from error
            except (QMPError, EOFError, *_UNREADABLE) as error:
                raise _failure(binary, emulator, error) from error
    except OSError as error:
        raise ProbeError(f"{binary}: cannot be executed: {error.strerror or error}") from error
    finally:
        with suppress(QMPError, EOFError, OSError, *_UNREADABLE):
            await client.disconnect()


def _asker(client: QMPClient) -> Ask:
    from qemu.qmp import ExecuteError  # see _run

    async def ask(command: str, arguments: Mapping[str, Any]) -> Exchange:
        try:
            return Exchange(command, arguments, await client.execute(command, dict(arguments) or None))
        except ExecuteError as error:
            return Exchange(command, arguments, str(error), error.error_class)

    return ask


def _failure(binary: str, emulator: Emulator, error: Exception) -> ProbeError:
    """Why the conversation broke off: QEMU ended, or never was one."""
    ended = emulator.how_it_ended()
    if ended is not None:
        return ProbeError(f"{binary}: {ended}")
    problem = " ".join(str(error).split())
    return ProbeError(f"{binary}: does not speak QMP: {problem}")
