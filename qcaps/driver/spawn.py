"""Runs a command line on a real QEMU, paused, and asks which devices the guest has."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from qcaps.capabilities.emulator import running_command
from qcaps.driver.standins import with_stand_ins
from qcaps.errors import QcapsError
from qcaps.files import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qemu.qmp import QMPClient

    from qcaps.capabilities.emulator import Emulator

DEADLINE: Final = 30.0
"""Seconds from start to the last answer; an idle machine needs one for 200 devices."""

_PAUSED: Final = frozenset({"prelaunch", "paused"})


class SpawnError(QcapsError):
    """A QEMU that did not start, or did not answer: names it and gives its last words."""


@dataclass(frozen=True)
class Spawned:
    """What QEMU said of itself. Devices by id; those without one by driver, as often as there are."""

    status: str
    asked: tuple[str, ...]
    present: tuple[str, ...]
    pci_functions: int
    stand_ins: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Devices that were asked for and are not there."""
        return tuple(sorted((Counter(self.asked) - Counter(self.present)).elements()))

    @property
    def unasked(self) -> tuple[str, ...]:
        """Devices that are there and were not asked for; those of the board itself do not count."""
        return tuple(sorted((Counter(self.present) - Counter(self.asked)).elements()))


def spawn(command: Sequence[str], deadline: float = DEADLINE) -> Spawned:
    """Start QEMU with stand-ins for all that `command` names outside it, ask it, and end it.

    Raises SpawnError if it is not executable, ends, or does not answer within `deadline` seconds;
    NoStandInError. Nothing is left behind. Not to be called from inside an event loop.
    """
    with scratch_folder() as directory:
        changed, replaced = with_stand_ins(command, directory)
        status, present, functions = asyncio.run(_run(changed, deadline))
    return Spawned(status, devices_asked(command), present, functions, replaced)


def devices_asked(command: Sequence[str]) -> tuple[str, ...]:
    """The devices of a command line: the id of each, or its driver where it has none."""
    return tuple(sorted(_name(value) for option, value in pairwise(command) if option == "-device"))


def _name(value: str) -> str:
    if value.startswith("{"):
        properties = json.loads(value)
        return str(properties.get("id") or properties["driver"])
    driver, *words = value.split(",")
    return next((word.removeprefix("id=") for word in words if word.startswith("id=")), driver)


async def _run(command: Sequence[str], deadline: float) -> tuple[str, tuple[str, ...], int]:
    from qemu.qmp import ExecuteError, QMPClient, QMPError  # takes 50 ms that few need to spend

    logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # its errors reach us as exceptions
    client = QMPClient("qcaps")
    client.events.event_filter = lambda _: False  # nobody asks for them
    binary = command[0]
    try:
        with running_command(command) as emulator:
            try:
                async with asyncio.timeout(deadline):
                    await client.connect(emulator.monitor)
                    return await _ask(client)
            except TimeoutError as error:
                said = emulator.last_line()
                words = f"; it said: {said}" if said else ""
                raise SpawnError(f"{binary}: did not answer within {deadline:g} s{words}") from error
            except ExecuteError as error:
                raise SpawnError(f"{binary}: refused a question: {error}") from error
            except (QMPError, EOFError) as error:
                raise _failure(binary, emulator, error) from error
    except OSError as error:
        raise SpawnError(f"{binary}: cannot be executed: {error.strerror or error}") from error
    finally:
        with suppress(QMPError, EOFError, OSError):
            await client.disconnect()


async def _ask(client: QMPClient) -> tuple[str, tuple[str, ...], int]:
    status = cast("dict[str, Any]", await client.execute("query-status"))["status"]
    if status not in _PAUSED:
        raise SpawnError(f"the guest is {status}; it should wait to be told to run")
    named = await _children(client, "/machine/peripheral")
    nameless = await _children(client, "/machine/peripheral-anon")
    buses = cast("list[dict[str, Any]]", await client.execute("query-pci"))
    await client.execute("quit")
    return status, tuple(sorted((*named, *nameless.values()))), sum(_functions(bus) for bus in buses)


async def _children(client: QMPClient, path: str) -> dict[str, str]:
    """The children of an object and their types, as in {"net0": "virtio-net-pci"}."""
    listed = cast("list[dict[str, str]]", await client.execute("qom-list", {"path": path}))
    return {
        one["name"]: one["type"].removeprefix("child<").removesuffix(">")
        for one in listed
        if one["type"].startswith("child<")
    }


def _functions(bus: dict[str, Any]) -> int:
    return sum(1 + _functions(one.get("pci_bridge", {})) for one in bus.get("devices", ())) if bus else 0


def _failure(binary: str, emulator: Emulator, error: Exception) -> SpawnError:
    ended = emulator.how_it_ended()
    return SpawnError(f"{binary}: {ended or 'does not speak QMP: ' + ' '.join(str(error).split())}")
