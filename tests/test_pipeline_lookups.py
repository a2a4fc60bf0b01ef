"""The counted laws: how often each policy looks up in each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.errors import QcapsError
from qcaps.pipeline.policy import LADDER, POLICIES, by_name
from qcaps.pipeline.reference import reference
from qcaps.pipeline.refusal import Refused
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.pipeline.driver import Driver

DISK = b"""<disk type='file' device='disk'>
  <source file='/images/extra.img'/><target dev='vdz' bus='virtio'/>
</disk>"""

Law = dict[str, "Callable[[int], int]"]
# by policy: lookups from the number of devices in the result
DEFINE: Law = {
    "naive": lambda d: 2 + d,
    "libvirt-9.0": lambda d: 2 + d,
    "series": lambda _d: 2,
    "once": lambda _d: 1,
    "once-abort": lambda _d: 1,
    "oracle": lambda _d: 0,
} | {f"patch-{k}": lambda d: 2 + d for k in (1, 2, 3, 4, 5, 6, 7, 9, 10)}
DEFINE |= {"patch-8": lambda d: 3 + d, "patch-11": lambda _d: 2}

START: Law = {
    "naive": lambda d: 3 + d,
    "libvirt-9.0": lambda _d: 1,
    "series": lambda _d: 1,
    "once": lambda _d: 1,
    "once-abort": lambda _d: 1,
    "oracle": lambda _d: 0,
} | {f"patch-{k}": lambda d: 3 + d for k in (1, 2, 3)}
START |= {f"patch-{k}": lambda d: 2 + d for k in (4, 5, 6, 7, 8)}
START |= {f"patch-{k}": lambda d: 1 + d for k in (9, 10)} | {"patch-11": lambda _d: 1}

CREATE: Law = {
    "naive": lambda d: 4 + 2 * d,
    "libvirt-9.0": lambda d: 3 + d,
    "series": lambda _d: 3,
    "once": lambda _d: 1,
    "once-abort": lambda _d: 1,
    "oracle": lambda _d: 0,
} | {f"patch-{k}": lambda d: 4 + 2 * d for k in range(1, 8)}
CREATE |= {"patch-8": lambda d: 5 + 2 * d, "patch-11": lambda _d: 3}
CREATE |= {f"patch-{k}": lambda d: 3 + 2 * d for k in (9, 10)}


def driver(tmp_path: Path, policy: str, xml: bytes) -> Driver:
    made = reference(tmp_path, policy=policy, validity="trust")
    made.warm(xml)
    return made


@pytest.fixture(params=["simple", "disks@pc", "serials", "s390x-ccw"])
def xml(request: pytest.FixtureRequest) -> bytes:
    return scenario(request.param).xml(4).encode()


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_define_start_and_create_follow_the_law(tmp_path: Path, policy: str, xml: bytes) -> None:
    made = driver(tmp_path, policy, xml)
    before = made.cache.counters.lookups
    done = made.define(xml)
    devices = len(done.domain.devices.all)
    # every lookup the pipeline counts is one the cache answered
    assert made.cache.counters.lookups - before == done.lookups
    if policy == "per-callback":
        assert done.lookups == done.sites_named()["post-parse device"] + 3
        return
    assert done.lookups == DEFINE[policy](devices)
    assert made.start(done.domain.name).lookups == START[policy](devices)
    made.destroy(done.domain.name)
    made.undefine(done.domain.name)
    assert made.create_xml(xml).lookups == CREATE[policy](devices)


@pytest.mark.parametrize(
    ("policy", "attach", "detach"), [("naive", 4, 3), ("series", 3, 3), ("once", 1, 1), ("oracle", 0, 0)]
)
def test_attach_and_detach_follow_the_law(tmp_path: Path, policy: str, attach: int, detach: int) -> None:
    xml = scenario("disks").xml(3).encode()
    made = driver(tmp_path, policy, xml)
    name = made.define(xml).domain.name
    attached = made.attach(name, DISK)
    assert attached.lookups == attach
    assert len(attached.domain.devices.all) == len(made.domains[name].devices.all)
    detached = made.detach(name, DISK)
    assert detached.lookups == detach
    assert "/images/extra.img" not in detached.xml


@pytest.mark.parametrize(
    ("policy", "live", "both", "detached"),
    [("naive", 2, 5, 1), ("series", 1, 4, 1), ("once", 1, 1, 1), ("oracle", 0, 0, 0)],
)
def test_attach_to_a_running_domain_follows_the_law(
    tmp_path: Path, policy: str, live: int, both: int, detached: int
) -> None:
    xml = scenario("disks").xml(3).encode()
    made = driver(tmp_path, policy, xml)
    name = made.define(xml).domain.name
    with pytest.raises(QcapsError, match="is running"):
        made.attach(name, DISK, live=True)
    made.start(name)
    assert made.attach(name, DISK, live=True, config=False).lookups == live
    assert "extra.img" in str(made.running[name])
    assert "extra.img" not in str(made.domains[name])
    assert made.detach(name, DISK, live=True, config=False).lookups == detached
    assert "extra.img" not in str(made.running[name])
    assert made.attach(name, DISK, live=True).lookups == both
    assert "extra.img" in str(made.running[name])
    assert "extra.img" in str(made.domains[name])
    with pytest.raises(Refused, match="already"):
        made.attach(name, DISK, live=True)


def test_the_ladder_ends_where_the_series_does() -> None:
    assert [step.name for step in LADDER] == [f"patch-{k}" for k in range(1, 12)]
    assert LADDER[-1].sharing == by_name("series").sharing


def test_an_empty_domain_has_the_implicit_devices_of_libvirt_9(tmp_path: Path) -> None:
    for machine, lookups in (("q35", 12), ("pc", 8)):
        xml = scenario(f"disks@{machine}").xml(0).encode()
        assert driver(tmp_path / machine, "naive", xml).define(xml).lookups == lookups
