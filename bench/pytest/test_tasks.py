"""pytest-benchmark: each task under each policy; a group is a task, so naive and once stand side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.lookups import policy_laws
from qcaps.measure.cell import Cell
from qcaps.measure.subjects.reference import prepare
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 20


@pytest.mark.parametrize("policy", ["naive", "series", "once", "once-abort", "oracle"])
@pytest.mark.parametrize("validity", ["fork", "ctime"])
@pytest.mark.parametrize("task", ["define", "define+undefine", "start", "attach"])
def test_task(benchmark: Any, tmp_path: Path, task: str, validity: str, policy: str) -> None:  # noqa: ANN401  # untyped
    """The virt-install guest with eight disks; the domain is put back between rounds, untimed."""
    cell = Cell("disks", 8, task, validity, policy)
    arm = prepare(cell, scenario("disks").xml(8).encode(), tmp_path)
    counts = arm.counts()
    benchmark.group = f"{task} {validity}"
    benchmark.extra_info |= asdict(counts)
    benchmark.pedantic(arm.run, teardown=arm.reset, rounds=ROUNDS, warmup_rounds=2)
    arm.close()
    expected = policy_laws.lookups(policy, task, counts.devices)
    assert expected in (None, counts.lookups)
