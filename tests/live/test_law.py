"""The closed form, on documents small enough to count by hand."""

from __future__ import annotations

import pytest

from qcaps.live.count import Count
from qcaps.lookups import libvirt_laws
from qcaps.lookups.libvirt_laws import Role
from qcaps.release import KNOWN, R3_6, R4_0, R7_0, R9_0, R11_3, R12_8, Release

DOMAIN = """\
<domain><devices>
  <emulator>/usr/bin/qemu-system-x86_64</emulator>
  <!-- no device -->
  <disk type='file'/>
  <controller type='pci'/>
  {more}
</devices></domain>
"""


def test_devices_are_all_children_but_the_emulator() -> None:
    assert libvirt_laws.devices(DOMAIN.format(more="")) == 2


@pytest.mark.parametrize(
    ("more", "lookups"),
    [("", 4), ("<interface type='user'/>", 5), ("<interface type='hostdev'/>", 6), ("<redirfilter/>", 4)],
)
def test_a_define_looks_up_once_a_device_and_twice_more(more: str, lookups: int) -> None:
    assert libvirt_laws.lookups("define", DOMAIN.format(more=more)) == lookups
    assert libvirt_laws.lookups("createXML", DOMAIN.format(more=more)) == lookups + 1


def test_capabilities_look_up_once_for_each_guest_architecture() -> None:
    answer = "<capabilities><host/><guest/><guest/></capabilities>"
    assert libvirt_laws.lookups("capabilities", answer) == 2


def test_some_tasks_always_look_up_as_often() -> None:
    assert [libvirt_laws.lookups(task, None, R9_0) for task in ("undefine", "start", "attach", "detach")] == [
        0,
        1,
        4,
        3,
    ]


@pytest.mark.parametrize(
    ("release", "more", "lookups"),
    [
        (R7_0, "", 4),
        (R9_0, "", 4),
        (R11_3, "", 7),
        (R12_8, "<disk/><controller type='scsi'/>", 9),
        (R12_8, "<interface type='hostdev'/>", 9),
    ],
)
def test_attach_validates_all_that_is_there_after_it_since_11_3(
    release: Release, more: str, lookups: int
) -> None:
    assert libvirt_laws.lookups("attach", DOMAIN.format(more=more), release) == lookups


def test_lookups_are_told_apart_by_what_asks() -> None:
    assert libvirt_laws.by_role("attach", DOMAIN.format(more=""), R12_8) == {
        Role.POST_PARSE: 3,
        Role.DOMAIN: 1,
        Role.DEVICE: 3,
    }
    assert libvirt_laws.by_role("start", None, R12_8) == {Role.COPY: 1}
    assert libvirt_laws.by_role("start-saved", None, R12_8) == {Role.POST_PARSE: 1, Role.COPY: 1}
    assert libvirt_laws.by_role("attach-live", None, R12_8) == {}


def test_a_start_of_4_0_validated_again_and_before_that_there_is_no_closed_form() -> None:
    xml = DOMAIN.format(more="")
    assert libvirt_laws.lookups("start", xml, R4_0) == 5
    assert libvirt_laws.lookups("createXML", xml, R4_0) == 8
    assert libvirt_laws.lookups("start", None, R7_0) == 1
    assert libvirt_laws.lookups("define", xml, R3_6) is None
    assert all(libvirt_laws.lookups("undefine", None, release) == 0 for release in KNOWN)


@pytest.mark.parametrize(
    ("site", "role"),
    [
        ("post-parse libvirt_driver_qemu.so+0x9bdf7", Role.POST_PARSE),
        ("qemuDomainPostParseDataAlloc", Role.POST_PARSE),
        ("qemuValidateDomainDeviceDef", Role.DEVICE),
        ("virQEMUCapsCacheLookupCopy", Role.COPY),
        ("qemuGetNbdkitCaps", None),
    ],
)
def test_a_site_has_the_same_role_in_every_release(site: str, role: Role | None) -> None:
    assert libvirt_laws.role_of(site) is role


def test_without_an_answer_or_a_law_there_is_no_number() -> None:
    assert libvirt_laws.lookups("define", None) is None
    assert libvirt_laws.lookups("migrate", DOMAIN.format(more="")) is None


@pytest.mark.parametrize(
    ("lookups", "error", "verdict"),
    [
        (4, None, "equal"),
        (5, None, "more"),
        (3, None, "fewer"),
        (None, None, "no law"),
        (None, "no", "refused"),
    ],
)
def test_a_count_says_whether_the_law_is_kept(lookups: int | None, error: str | None, verdict: str) -> None:
    assert Count("disks", 1, "define", lookups=lookups, law=4, error=error).verdict == verdict


def test_forks_in_a_warm_define_are_a_storm_and_in_a_start_are_not() -> None:
    assert Count("disks", 0, "define", forks=9).storm
    assert not Count("disks", 0, "define", forks=0).storm
    assert not Count("disks", 0, "define", forks=None).storm
    assert not Count("disks", 0, "start", forks=1).storm
