"""Commands killed at random instants: nothing half, and nothing left after the next start."""

from __future__ import annotations

import os

import pytest

from bench.studies.kill_sweep import COMMANDS, Killed, sweep

FULL = os.environ.get("QCAPS_TESTS_FULL") == "1"
TIMES = 50 if FULL else 3
USUAL = ("define", "probe", "live count")
"""One of each sort: writes nothing, writes a file, has processes; QCAPS_TESTS_FULL=1 kills every command."""
CHOSEN = [one for one in COMMANDS if FULL or one.name in USUAL]


@pytest.mark.qemu
@pytest.mark.libvirt
@pytest.mark.root
@pytest.mark.parametrize("group", [False, True], ids=["alone", "group"])
@pytest.mark.parametrize("one", CHOSEN, ids=[one.name for one in CHOSEN])
def test_a_command_killed_at_any_instant_leaves_nothing_half_and_nothing_after_the_next(
    one: Killed, *, group: bool
) -> None:
    found = sweep(one, TIMES, group=group, seed=1)
    assert (found["halves"], found["leftovers"], found["failed"]) == (0, 0, 0)
