"""`<qemu:capabilities>`, `<qemu:override>` and `<qemu:deprecation>`: accepted at define, at work at start."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from qcaps.driver.reference import reference
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import QemuDriver

DEVICES = (
    "<disk type='file'><source file='/i/a.raw'/><target dev='vda' bus='virtio'/></disk>"
    "<video><model type='vga'/></video>"
)


@pytest.fixture
def driver(tmp_path: Path) -> QemuDriver:
    return reference(tmp_path, policy="naive", validity="trust")


def domain(custom: str, devices: str = DEVICES) -> bytes:
    return (
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>a</name>"
        "<uuid>5b8a7ab0-3c1e-4a56-8d0a-3a1cf3a5f0de</uuid>"
        "<memory unit='GiB'>1</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices>{custom}</domain>"
    ).encode()


def command(driver: QemuDriver, custom: str) -> tuple[str, ...]:
    driver.define(domain(custom))
    return driver.start("a").command


def device(line: tuple[str, ...], name: str) -> dict[str, object]:
    found = (json.loads(word) for option, word in pairwise(line) if option == "-device")
    return next(one for one in found if one.get("id") == name)


def flags(*changes: str) -> str:
    inner = "".join(
        f"<qemu:{kind} capability='{name}'/>" for kind, name in (change.split(" ") for change in changes)
    )
    return f"<qemu:capabilities>{inner}</qemu:capabilities>"


def override(alias: str, *properties: str) -> str:
    inner = "".join(f"<qemu:property {one}/>" for one in properties)
    frontend = f"<qemu:frontend>{inner}</qemu:frontend>"
    return f"<qemu:override><qemu:device alias='{alias}'>{frontend}</qemu:device></qemu:override>"


# ── flags ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_flag_taken_away_changes_the_arguments(driver: QemuDriver) -> None:
    line = command(driver, flags("del device.json+hotplug"))
    assert any(word.startswith("virtio-blk-pci,bus=pci.2") for word in line)


def test_a_flag_is_added_first_and_taken_away_after(driver: QemuDriver) -> None:
    line = command(driver, flags("del device.json+hotplug", "add device.json+hotplug"))
    assert any(word.startswith("virtio-blk-pci,") for word in line)


def test_a_start_validates_with_the_domains_own_flags(driver: QemuDriver) -> None:
    driver.define(domain(flags("del VGA")))
    with pytest.raises(QcapsError, match="no video model 'vga'"):
        driver.start("a")
    assert "a" not in driver.running
    with pytest.raises(QcapsError, match="no video model 'vga'"):
        driver.create_xml(domain(flags("del VGA")))


def test_a_define_does_not_look_at_the_domains_own_flags(driver: QemuDriver) -> None:
    xml = domain(flags("add s390-sclp", "del VGA"))
    assert driver.define(xml).lookups == 2 + len(driver.domains["a"].devices.all)


def test_lookups_of_a_start_are_as_many_with_flags_as_without(driver: QemuDriver) -> None:
    driver.define(domain(""))
    plain = driver.start("a").sites
    driver.destroy("a")
    driver.define(domain(flags("add no-hpet", "del vmcoreinfo")))
    assert driver.start("a").sites == plain


@pytest.mark.parametrize("kind", ["add", "del"])
def test_an_unknown_flag_is_refused_at_start(driver: QemuDriver, kind: str) -> None:
    driver.define(domain(flags(f"{kind} virtio-vag")))
    with pytest.raises(QcapsError) as refused:
        driver.start("a")
    assert "no capability 'virtio-vag'; did you mean 'virtio-vga'?" in str(refused.value)


def test_what_follows_from_other_flags_follows_again(driver: QemuDriver) -> None:
    deprecated = "<qemu:deprecation behavior='omit'/>"
    assert "-compat" in command(driver, flags("del compat-deprecated") + deprecated)
    driver.destroy("a")
    line = command(driver, flags("del compat-deprecated", "del object.qapified") + deprecated)
    assert "-compat" not in line


# ── properties ─────────────────────────────────────────────────────────────────────────────────────


def test_properties_are_replaced_added_and_removed(driver: QemuDriver) -> None:
    custom = override(
        "virtio-disk0",
        "name='bootindex' type='remove'",
        "name='addr' type='string' value='0x9'",
        "name='queues' type='unsigned' value=' +18446744073709551615'",
        "name='offset' type='signed' value='-9223372036854775808'",
        "name='on' type='bool' value='true'",
        "name='off' type='bool' value='false'",
        "name='none' type='remove'",
    )
    plain = device(command(driver, ""), "virtio-disk0")
    driver.destroy("a")
    changed = device(command(driver, custom), "virtio-disk0")
    del plain["bootindex"], plain["addr"]
    added = {"addr": "0x9", "queues": 2**64 - 1, "offset": -(2**63), "on": True, "off": False}
    assert changed == plain | added
    assert list(changed)[-5:] == list(added)


def test_the_last_of_two_properties_stands(driver: QemuDriver) -> None:
    one, two = ("name='x' type='signed' value='1'", "name='x' type='signed' value='2'")
    assert device(command(driver, override("virtio-disk0", one, two)), "virtio-disk0")["x"] == 2
    driver.destroy("a")
    custom = override("virtio-disk0", two) + override("virtio-disk0", one)
    assert device(command(driver, custom), "virtio-disk0")["x"] == 1


def test_a_device_that_is_not_there_changes_nothing(driver: QemuDriver) -> None:
    plain = command(driver, "")
    driver.destroy("a")
    assert command(driver, override("virtio-disk7", "name='x' type='remove'")) == plain


def test_properties_without_json(driver: QemuDriver) -> None:
    custom = override(
        "virtio-disk0", "name='on' type='bool' value='true'", "name='s' type='string' value='a,b'"
    )
    line = command(driver, flags("del device.json+hotplug") + custom)
    assert any(word.startswith("virtio-blk-pci,") and word.endswith(",on=on,s=a,,b") for word in line)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("signed", "9223372036854775808"),
        ("signed", "5 "),
        ("signed", "\u0663"),
        ("unsigned", "-0"),
        ("unsigned", "18446744073709551616"),
        ("unsigned", "9" * 5000),
        ("bool", "True"),
    ],
)
def test_a_value_out_of_range_is_refused_at_define(driver: QemuDriver, kind: str, value: str) -> None:
    with pytest.raises(QcapsError, match=f"of type '{kind}' cannot be"):
        driver.define(domain(override("virtio-disk0", f"name='x' type='{kind}' value='{value}'")))


def test_zeros_before_a_number_do_not_count(driver: QemuDriver) -> None:
    custom = override("virtio-disk0", f"name='x' type='unsigned' value='{'0' * 5000}7'")
    assert device(command(driver, custom), "virtio-disk0")["x"] == 7


# ── what is deprecated ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("custom", "given"),
    [
        ("<qemu:deprecation behavior='omit'/>", {"deprecated-output": "hide"}),
        (
            "<qemu:deprecation behavior='reject'/>",
            {"deprecated-output": "hide", "deprecated-input": "reject"},
        ),
        (
            "<qemu:deprecation/><qemu:deprecation behavior='crash'/><qemu:deprecation behavior='omit'/>",
            {"deprecated-output": "hide", "deprecated-input": "crash"},
        ),
        ("<qemu:deprecation behavior='none'/>", None),
        ("<qemu:deprecation behavior=''/><qemu:deprecation behavior='omit'/>", None),
        ("<qemu:deprecation behavior='explode'/>", None),
        ("", None),
    ],
)
def test_deprecation(driver: QemuDriver, custom: str, given: dict[str, str] | None) -> None:
    line = command(driver, custom)
    assert ("-compat" in line) is (given is not None)
    if given is not None:
        place = line.index("-compat")
        assert json.loads(line[place + 1]) == given
        assert (line[place - 2], line[place + 2]) == ("-name", "-S")
