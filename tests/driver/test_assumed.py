"""What only a host could say at start is made up and told; on a real QEMU, a stand-in takes its place."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.driver.reference import reference
from qcaps.driver.spawn import spawn
from qcaps.driver.standins import with_stand_ins

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import Done, QemuDriver

USB = (
    "<hostdev mode='subsystem' type='usb'><source startupPolicy='{}'>"
    "<vendor id='0x1d6b'/><product id='{}'/></source></hostdev>"
)
VOLUME = (
    "<disk type='volume' device='{device}'><driver name='qemu' type='{form}'/>"
    "<source pool='{pool}' volume='{volume}'{mode}/><target dev='{target}' bus='{bus}'/></disk>"
)
FLASH = "<loader type='pflash'{readonly}>/f/code.fd</loader>{nvram}"


@pytest.fixture
def driver(tmp_path: Path) -> QemuDriver:
    return reference(tmp_path, policy="once", validity="trust")


def domain(devices: str = "", os: str = "") -> bytes:
    return (
        "<domain type='kvm'><name>a</name><memory unit='GiB'>1</memory>"
        f"<os><type arch='x86_64' machine='q35'>hvm</type>{os}</os><features><acpi/></features>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices></domain>"
    ).encode()


def started(driver: QemuDriver, xml: bytes) -> Done:
    driver.define(xml)
    return driver.start("a")


def values(done: Done, option: str) -> list[str]:
    return [value for word, value in pairwise(done.command) if word == option]


def volume(
    name: str, *, form: str = "qcow2", pool: str = "default", device: str = "disk", at: str = "vda virtio"
) -> str:
    target, bus = at.split()
    mode = " mode='host'" if device == "lun" else ""
    given = {"form": form, "pool": pool, "volume": name, "device": device, "target": target, "bus": bus}
    return VOLUME.format(mode=mode, **given)


def test_usb_devices_by_vendor_and_product_have_a_place_each(driver: QemuDriver) -> None:
    done = started(driver, domain(USB.format("mandatory", "0x0002") + USB.format("optional", "0x0003")))
    usb = [one for one in map(json.loads, values(done, "-device")) if one["driver"] == "usb-host"]
    assert [one["hostdevice"] for one in usb] == ["/dev/bus/usb/000/001", "/dev/bus/usb/000/002"]
    assert done.assumed == (
        "USB device 1d6b:0002 of the host -> bus 0, device 1",
        "USB device 1d6b:0003 of the host -> bus 0, device 2",
    )


def test_a_usb_device_by_its_place_is_taken_at_its_word(driver: QemuDriver) -> None:
    at = "<hostdev mode='subsystem' type='usb'><source><address bus='3' device='4'/></source></hostdev>"
    done = started(driver, domain(at))
    assert "/dev/bus/usb/003/004" in "".join(values(done, "-device"))
    assert done.assumed == ()


def test_smbios_of_the_host(driver: QemuDriver) -> None:
    done = started(driver, domain(os="<smbios mode='host'/>"))
    assert [value.partition(",")[0] for value in values(done, "-smbios")] == ["type=0", "type=1"]
    assert "uuid=" not in "".join(values(done, "-smbios"))
    assert done.assumed == ("SMBIOS tables of the host -> tables 0 and 1 that say 'host'",)


def test_volumes_lie_in_folders_called_as_their_pools(driver: QemuDriver) -> None:
    disks = volume("a.qcow2") + volume("b.iso", form="raw", pool="isos", device="cdrom", at="sda sata")
    done = started(driver, domain(disks))
    nodes = [json.loads(value) for value in values(done, "-blockdev")]
    assert [(one["driver"], one["filename"]) for one in nodes if "filename" in one] == [
        ("file", "/var/lib/libvirt/images/a.qcow2"),
        ("file", "/var/lib/libvirt/images/isos/b.iso"),
    ]
    assert [one["driver"] for one in nodes if "filename" not in one] == ["qcow2", "raw"]
    assert done.assumed == (
        "volume a.qcow2 of pool default -> /var/lib/libvirt/images/a.qcow2",
        "volume b.iso of pool isos -> /var/lib/libvirt/images/isos/b.iso",
    )


def test_a_logical_unit_of_a_pool_is_a_device(driver: QemuDriver) -> None:
    done = started(driver, domain(volume("unit:0:0:1", form="raw", pool="san", device="lun", at="sda scsi")))
    (node,) = (one for one in map(json.loads, values(done, "-blockdev")) if "filename" in one)
    assert (node["driver"], node["filename"]) == ("host_device", "/var/lib/libvirt/images/san/unit:0:0:1")


@pytest.mark.parametrize(
    ("readonly", "nvram", "place"),
    [
        ("", "<nvram template='/f/vars.fd'/>", None),
        (" readonly='no'", "<nvram/>", None),
        ("", "", None),
        ("", "<nvram>/f/own.fd</nvram>", "/f/own.fd"),
        (" readonly='yes'", "<nvram template='/f/vars.fd'/>", "/var/lib/libvirt/qemu/nvram/a_VARS.fd"),
    ],
)
def test_firmware_variables_without_a_path(
    driver: QemuDriver, readonly: str, nvram: str, place: str | None
) -> None:
    done = started(driver, domain(os=FLASH.format(readonly=readonly, nvram=nvram)))
    files = [one["filename"] for one in map(json.loads, values(done, "-blockdev")) if "filename" in one]
    assert files == ["/f/code.fd", *([place] if place else [])]
    assert ("pflash1=" in values(done, "-machine")[0]) is (place is not None)
    assert done.assumed == ()


def test_usb_devices_of_the_host_are_stood_in_for(tmp_path: Path) -> None:
    command = (
        "qemu",
        "-device", '{"driver":"usb-host","hostdevice":"/dev/bus/usb/000/001","id":"h","port":"1"}',
        "-device", "usb-host,hostbus=1,hostaddr=2,id=i,bus=usb.0,port=2",
        "-device", '{"driver":"usb-host","id":"j","bus":"usb.0","port":"3"}',
        "-device", "usb-tablet,id=k",
    )  # fmt: skip
    changed, said = with_stand_ins(command, tmp_path)
    assert json.loads(changed[2]) == {"driver": "usb-host", "id": "h", "port": "1"}
    assert changed[4] == "usb-host,id=i,bus=usb.0,port=2"
    assert (changed[6], changed[8]) == (command[6], command[8])
    assert said == (
        "USB device /dev/bus/usb/000/001 -> none plugged in",
        "USB device 1:2 -> none plugged in",
    )


def test_the_command_tells_what_it_made_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "guest.xml"
    file.write_bytes(domain(volume("a.qcow2"), "<smbios mode='host'/>"))
    assert main(["start", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["assumed"]
    assert len(told) == 2
    assert main(["start", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("assumed: ")] == [f"assumed: {one}" for one in told]


@pytest.mark.qemu
def test_a_real_qemu_runs_with_all_of_them(driver: QemuDriver) -> None:
    disks = volume("a.qcow2") + volume("b.iso", form="raw", pool="isos", device="cdrom", at="sda sata")
    devices = disks + USB.format("mandatory", "0x0002")
    done = started(driver, domain(devices, "<smbios mode='host'/>"))
    spawned = spawn(done.command)
    assert spawned.status == "prelaunch"
    assert (spawned.missing, spawned.unasked) == ((), ())
    assert len(done.assumed) == 4
    assert len(spawned.stand_ins) == 3
