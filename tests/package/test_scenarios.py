"""The families of domains: the same for one seed, accepted up to their largest n, valid by the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from qcaps.content import ContentFolders
from qcaps.domainxml import document
from qcaps.driver.reference import reference
from qcaps.errors import UsageError
from qcaps.scenario import Scenario, names, on_every_machine, scenario

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
EVERYWHERE = [one for family in names() for one in on_every_machine(family)]


@pytest.mark.parametrize("one", EVERYWHERE, ids=lambda one: one.name)
def test_same_seed_same_domain_and_n_devices(one: Scenario) -> None:
    n = min(20, one.largest)
    assert one.xml(n, seed=3) == one.xml(n, seed=3)
    first, more = (len(document.parse(one.xml(size).encode()).devices.all) for size in (0, n))
    # a scenario may bring controllers of its own, never fewer devices than asked for
    assert more - first >= n


def test_the_seed_draws_the_choices() -> None:
    fuzz = scenario("fuzz")
    assert fuzz.xml(30, seed=1).partition("<devices>")[2] != fuzz.xml(30, seed=2).partition("<devices>")[2]


@pytest.mark.parametrize("one", EVERYWHERE, ids=lambda one: one.name)
def test_the_largest_is_accepted(one: Scenario, tmp_path: Path) -> None:
    xml = one.xml(one.largest).encode()
    driver = reference(tmp_path, policy="once", validity="trust")
    driver.warm(xml)
    assert driver.define(xml).lookups == 1


@pytest.mark.parametrize("n", [-1, 100_001])
def test_more_or_fewer_is_a_usage_error(n: int) -> None:
    with pytest.raises(UsageError, match="takes 0 to"):
        scenario("disks").xml(n)


def test_an_unknown_scenario_or_machine_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="disks"):
        scenario("discs")
    with pytest.raises(UsageError, match="q35, pc"):
        scenario("disks@isapc")


def test_a_users_own_scenario_is_found_by_path(tmp_path: Path) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "SUMMARY = 'rngs'\nLARGEST = {'pc': 3}\n"
        "def devices(n, machine, random):\n"
        "    yield from [\"<rng model='virtio'><backend model='random'/></rng>\"] * n\n"
    )
    assert "mine" in names(ContentFolders(tmp_path))
    assert scenario("mine", ContentFolders(tmp_path)).xml(2).count("<rng") == 2


@pytest.mark.libvirt
@pytest.mark.parametrize("one", [one for one in EVERYWHERE if one.arch == "x86_64"], ids=lambda one: one.name)
def test_libvirts_schema_holds(one: Scenario) -> None:
    schema = etree.RelaxNG(etree.parse(SCHEMA))
    for n in (0, 1, min(40, one.largest)):
        assert schema.validate(etree.fromstring(one.xml(n))), schema.error_log.last_error
