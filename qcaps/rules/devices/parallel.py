"""`<parallel>`: ports and their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Parallel
from qcaps.domainxml.devices.parallel import ParallelTarget
from qcaps.rules.kind import Kind
from qcaps.rules.shared import character_checks, characters
from qcaps.rules.shared.alias import by_place
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def complete(state: State, parallel: Parallel) -> Parallel:
    """A port without a number gets the one after the highest.

    Follows: virDomainChrDefPostParse
    """
    target = parallel.target or ParallelTarget()
    if target.port is not None:
        return parallel
    return evolve(parallel, target=evolve(target, port=state.next_port(Parallel)))


def parallels(launch: Launch) -> Iterator[str]:
    """Parallel ports.

    Follows: qemuBuildParallelsCommandLine, qemuBuildParallelChrDeviceProps
    """
    for parallel in launch.of(Parallel):
        name = f"char{launch.alias(parallel)}"
        yield from chardev(launch, parallel, name)
        yield from launch.device({"driver": "isa-parallel", "chardev": name, "id": launch.alias(parallel)})


PARALLEL = Kind(
    Parallel,
    refuse_read=character_checks.refuse_read_character,
    read=characters.read_character,
    complete=complete,
    refuse=character_checks.refuse_character,
    refuse_by_qemu=character_checks.refuse_character_by_qemu,
    alias=by_place("parallel"),
)
