"""The counted laws: how often each policy looks up in each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.driver.reference import reference
from qcaps.errors import QcapsError
from qcaps.lookups import policy_laws
from qcaps.lookups.policy import LADDER, POLICIES, by_name
from qcaps.rules.refusal import Refused
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import Driver

DISK = b"""<disk type='file' device='disk'>
  <source file='/images/extra.img'/><target dev='vdz' bus='virtio'/>
</disk>"""


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
    assert done.lookups == policy_laws.lookups(policy, "define", devices)
    assert made.start(done.domain.name).lookups == policy_laws.lookups(policy, "start", devices)
    made.destroy(done.domain.name)
    made.undefine(done.domain.name)
    assert made.create_xml(xml).lookups == policy_laws.lookups(policy, "createXML", devices)


@pytest.mark.parametrize(
    ("policy", "attach", "detach"),
    [
        ("naive", 4, 3),
        ("libvirt-9.0", 4, 3),
        ("patch-1", 4, 3),
        ("patch-11", 3, 3),
        ("series", 3, 3),
        ("once", 1, 1),
        ("oracle", 0, 0),
    ],
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


@pytest.mark.parametrize(
    ("policy", "task", "validity", "forks"),
    [
        ("naive", "define", "fork", 12),
        ("once-abort", "define", "fork", 2),
        ("once", "start", "fork", 1),
        ("naive", "define", "ctime", 0),
        ("oracle", "createXML", "fork", 0),
        ("per-callback", "define", "fork", None),
    ],
)
def test_the_law_of_forks(policy: str, task: str, validity: str, forks: int | None) -> None:
    assert policy_laws.forks(policy, task, validity, 10) == forks
