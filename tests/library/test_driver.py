"""The library's driver: what it takes, what it tells, what it leaves behind."""

from __future__ import annotations

import dataclasses
import gc
import threading
from typing import TYPE_CHECKING

import pytest

import qcaps
from qcaps.driver.reference import reference
from qcaps.lookups import policy_laws
from qcaps.lookups.policy import Sharing
from qcaps.lookups.site import Site
from qcaps.rules.shared.host_facts import PLAIN_HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISK = "<disk type='file'><source file='/a'/><target dev='vdz' bus='virtio'/></disk>"


@pytest.fixture
def driver() -> Iterator[qcaps.Driver]:
    with qcaps.Driver(host=PLAIN_HOST) as one:
        yield one


@pytest.fixture
def guest() -> str:
    return qcaps.domain("disks", 4)


def test_the_first_page_of_the_library() -> None:
    with qcaps.Driver(policy="once") as driver:
        done = driver.define(qcaps.domain("disks", 64))
        assert done.lookups == 1
        assert done.devices > 64
        assert done.probes == 0  # the cache was warm


@pytest.mark.parametrize("policy", [one.name for one in qcaps.POLICIES])
def test_lookups_are_those_of_the_law_and_each_is_named(policy: str, guest: str) -> None:
    with qcaps.Driver(policy, host=PLAIN_HOST) as driver:
        done = driver.define(guest)
        law = policy_laws.lookups(policy, "define", done.devices)
        assert law in (done.lookups, None)
        assert (law is None) == (policy == "per-callback")
        assert sum(done.sites.values()) == done.lookups == len(done.explained)
        assert [one.number for one in done.explained] == list(range(1, done.lookups + 1))
        assert driver.start(done.name).command[0] == "/usr/bin/qemu-system-x86_64"


def test_a_guest_is_a_path_text_or_bytes(driver: qcaps.Driver, guest: str, tmp_path: Path) -> None:
    file = tmp_path / "guest.xml"
    file.write_text(guest)
    declared = "<?xml version='1.0' encoding='UTF-16'?>" + guest
    forms = (declared, "\ufeff" + declared, guest, guest.encode(), "\n " + guest, file, str(file))
    assert len({driver.define(form).xml for form in forms}) == 1


def test_every_task(driver: qcaps.Driver, guest: str) -> None:
    done = driver.define(guest)
    assert (done.task, driver.domains) == ("define", (done.name,))
    with_disk = driver.attach(done.name, DISK)
    assert with_disk.devices > done.devices
    assert driver.detach(done.name, DISK).devices == with_disk.devices - 1
    assert driver.start(done.name).task == "start"
    assert driver.attach(done.name, DISK, live=True, config=False).lookups > 0
    driver.destroy(done.name)
    driver.undefine(done.name)
    assert driver.domains == ()
    assert driver.create_xml(guest).command
    with pytest.raises(qcaps.QcapsError, match="no domain 'disks-q35-4' is defined"):
        driver.start(done.name)


def test_a_refusal_names_file_line_and_why(driver: qcaps.Driver, guest: str, tmp_path: Path) -> None:
    file = tmp_path / "guest.xml"
    file.write_text(guest.replace("</devices>", "<watchdog model='diag288'/></devices>"))
    line = file.read_text()[: file.read_text().index("<watchdog")].count("\n") + 1
    with pytest.raises(qcaps.Refused) as caught:
        driver.define(file)
    assert str(caught.value).startswith(f"{file}: line {line}: <watchdog>: ")
    with pytest.raises(qcaps.Refused) as caught:
        driver.define(file.read_text())
    assert str(caught.value).startswith(f"line {line}: <watchdog>: ")


@pytest.mark.parametrize(
    ("guest", "error", "said"),
    [
        ("guest", qcaps.UsageError, "'guest': no such file; qcaps.domain(name, n) makes"),
        ("", qcaps.UsageError, "no such file"),
        ("/", qcaps.QcapsError, "/: Is a directory"),
        ("a\0b", qcaps.QcapsError, "null"),
        ("<domain", qcaps.QcapsError, "<string>:1: "),
        (b"", qcaps.QcapsError, "<string>:1: "),
        ("<domain \ud800>", qcaps.QcapsError, "<string>: is no text that XML can hold"),
        (3, qcaps.UsageError, "a path, str or bytes, not int"),
    ],
)
def test_what_is_no_guest_is_one_clear_line(
    driver: qcaps.Driver, guest: object, error: type[qcaps.QcapsError], said: str
) -> None:
    with pytest.raises(error) as caught:
        driver.define(guest)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "onse"}, "did you mean 'once'?"),
        ({"validity": "never"}, "no validity 'never'"),
        ({"release": "8"}, "no release of libvirt: '8'"),
        ({"release": "4.0"}, "known by its law alone"),
        ({"policy": "oracle", "warm": False}, "needs a warm driver"),
    ],
)
def test_options_that_there_are_not_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(qcaps.UsageError, match=said.replace("?", r"\?")):
        qcaps.Driver(**options)  # type: ignore[arg-type]


def test_an_oracle_without_capabilities_says_so(tmp_path: Path, guest: str) -> None:
    engine = reference(tmp_path, policy="oracle", validity="trust")
    with pytest.raises(
        qcaps.QcapsError, match=r"oracle takes capabilities that are handed in.* warm the driver"
    ):
        engine.define(guest.encode())
    engine.warm(guest.encode())
    assert engine.define(guest.encode()).lookups == 0


def test_a_cold_driver_pays_for_the_probe_in_its_first_task(guest: str) -> None:
    with qcaps.Driver("once", warm=False) as driver:
        assert [driver.define(guest).probes for _ in range(2)] == [1, 0]


def test_a_policy_of_ones_own(guest: str) -> None:
    once = next(one for one in qcaps.POLICIES if one.name == "once")
    sharing = {**once.sharing, Site.VALIDATE: Sharing.ALONE}
    with qcaps.Driver(dataclasses.replace(once, name="mine", sharing=sharing)) as driver:
        assert driver.define(guest).sites == {"post-parse": 1, "validate domain": 1}


def test_a_temporary_folder_goes_and_a_folder_of_ones_own_stays(
    guest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with qcaps.Driver() as driver:
        driver.define(guest)
        assert list((tmp_path / "temporary").rglob("disks*.xml"))
    forgotten = qcaps.Driver()
    assert list((tmp_path / "temporary").iterdir())
    del forgotten
    gc.collect()
    assert list((tmp_path / "temporary").iterdir()) == []
    with qcaps.Driver(folder=tmp_path / "kept") as driver:
        name = driver.define(guest).name
    with qcaps.Driver(folder=tmp_path / "kept") as driver:
        assert driver.domains == (name,)


def test_threads_share_a_driver_and_each_sees_its_own_lookups() -> None:
    with qcaps.Driver("naive", host=PLAIN_HOST) as driver:
        found: dict[int, int] = {}

        def define(n: int) -> None:
            for _ in range(3):
                done = driver.define(qcaps.domain("disks", n))
                found[n] = done.lookups - done.devices

        threads = [threading.Thread(target=define, args=(n,)) for n in (1, 9, 30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {1: 2, 9: 2, 30: 2}
