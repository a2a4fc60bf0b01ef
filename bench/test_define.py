"""pytest-benchmark: one define under each policy, and one lookup under each validity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qcaps.cache.validity import VALIDITIES
from qcaps.pipeline.reference import reference
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = ("naive", "series", "once", "once-abort", "oracle")
VALIDITY_NAMES = tuple(validity.name for validity in VALIDITIES)


@pytest.mark.parametrize("validity", ["fork", "ctime"])
@pytest.mark.parametrize("policy", POLICIES)
def test_redefine_of_16_disks(benchmark: Any, tmp_path: Path, policy: str, validity: str) -> None:  # noqa: ANN401  # untyped
    """The first define is done, so that each round does the same."""
    driver = reference(tmp_path, policy=policy, validity=validity)
    xml = scenario("disks").xml(16).encode()
    driver.warm(xml)
    first = driver.define(xml)
    done = benchmark(driver.define, xml)
    assert done.lookups == first.lookups


@pytest.mark.parametrize("validity", VALIDITY_NAMES)
def test_lookup(benchmark: Any, tmp_path: Path, validity: str) -> None:  # noqa: ANN401  # untyped
    """A hit: in memory, and validated."""
    with reference(tmp_path, policy="once", validity=validity).cache as cache:
        first = cache.lookup("/usr/bin/qemu-system-x86_64")
        assert benchmark(cache.lookup, "/usr/bin/qemu-system-x86_64") is first
