"""The counted laws: how often each policy looks up in each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.driver.reference import reference
from qcaps.errors import QcapsError, UsageError
from qcaps.lookups import libvirt_laws, policy_laws
from qcaps.lookups.policy import LADDER, POLICIES, by_name
from qcaps.release import R9_0, R11_3, R12_8
from qcaps.rules.refusal import Refused
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import QemuDriver

DISK = b"""<disk type='file' device='disk'>
  <source file='/images/extra.img'/><target dev='vdz' bus='virtio'/>
</disk>"""


def driver(tmp_path: Path, policy: str, xml: bytes) -> QemuDriver:
    made = reference(tmp_path, policy=policy, validity="trust", release=R9_0)
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
    [
        ("naive", 2, 5, 1),
        ("series", 1, 4, 1),
        ("once", 1, 1, 1),
        ("oracle", 0, 0, 0),
        ("libvirt-9.0", 0, 0, 0),
    ],
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


@pytest.mark.parametrize(
    ("policy", "attach"),
    [("naive", 5), ("stock", 5), ("libvirt-12.8", 5), ("series", 4), ("once", 1), ("oracle", 0)],
)
@pytest.mark.parametrize("device", [DISK, DISK.replace(b"virtio", b"scsi").replace(b"vdz", b"sdz")])
def test_attach_validates_the_whole_definition_since_11_3(
    tmp_path: Path, policy: str, attach: int, device: bytes
) -> None:
    xml = scenario("disks").xml(3).encode()
    made = reference(tmp_path, policy=policy, validity="trust", release=None if "-" in policy else R12_8)
    made.warm(xml)
    name = made.define(xml).domain.name
    done = made.attach(name, device)
    devices = len(done.domain.devices.all)
    assert done.lookups == attach + (devices if policy in ("naive", "stock", "libvirt-12.8") else 0)
    assert done.lookups == policy_laws.lookups(policy, "attach", devices, made.release)
    if policy == "stock":
        assert done.lookups == libvirt_laws.lookups("attach", done.xml, R12_8)
        assert done.sites_named()["validate device"] == devices
    assert made.detach(name, device).lookups == policy_laws.lookups(policy, "detach", devices)


def test_a_release_and_a_policy_named_for_another_exclude_each_other(tmp_path: Path) -> None:
    assert reference(tmp_path, policy="libvirt-11.3", validity="trust").release == R11_3
    with pytest.raises(UsageError, match=r"the policy libvirt-9\.0 is that of release 9\.0, not 12\.8"):
        reference(tmp_path, policy="libvirt-9.0", validity="trust", release=R12_8)
    assert by_name("libvirt-9.0") is by_name("stock")
    with pytest.raises(UsageError, match=r"no policy .libvirt-7\.0."):
        by_name("libvirt-7.0")


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
