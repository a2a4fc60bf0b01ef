"""Guests of other architectures, on what is recorded: KVM, binaries without an architecture, 32-bit ARM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.capabilities.granted import with_kvm
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import Done, QemuDriver


@pytest.fixture
def driver(tmp_path: Path) -> QemuDriver:
    return reference(tmp_path, policy="naive", validity="ctime")


def domain(
    virt: str, arch: str, machine: str, emulator: str = "", *, inner: str = "", devices: str = ""
) -> bytes:
    named = f"<emulator>{emulator}</emulator>" if emulator else ""
    return (
        f"<domain type='{virt}'><name>a</name><memory unit='GiB'>1</memory>"
        f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os>{inner}"
        f"<devices>{named}{devices}</devices></domain>"
    ).encode()


def started(driver: QemuDriver, xml: bytes) -> tuple[Done, tuple[str, ...]]:
    driver.warm(xml)
    done = driver.define(xml)
    return done, driver.start(done.domain.name).command


def value(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


@pytest.mark.parametrize("emulator", ["", "/usr/libexec/qemu-kvm", "/opt/q/bin/qemu-system-aarch64"])
def test_an_aarch64_guest_has_kvm_and_the_kernels_gic(driver: QemuDriver, emulator: str) -> None:
    done, command = started(driver, domain("kvm", "aarch64", "virt", emulator))
    assert done.domain.machine == "virt-7.2"
    assert command[0] == (emulator or "/usr/bin/qemu-system-aarch64")
    assert value(command, "-accel") == "kvm"
    assert "gic-version=3" in value(command, "-machine")
    assert "-cpu" not in command


def test_without_kvm_the_gic_is_emulated(driver: QemuDriver) -> None:
    _, command = started(driver, domain("qemu", "aarch64", "virt"))
    assert "gic-version=2" in value(command, "-machine")
    assert value(command, "-cpu") == "cortex-a15"


def test_a_host_cpu_and_the_timer_of_kvm_on_arm(driver: QemuDriver) -> None:
    timer = "<clock><timer name='armvtimer' tickpolicy='discard'/></clock>"
    xml = domain("kvm", "aarch64", "virt", inner=f"<cpu mode='host-passthrough'/>{timer}")
    assert value(started(driver, xml)[1], "-cpu") == "host,kvm-no-adjvtime=on"


@pytest.mark.parametrize("emulator", ["/usr/libexec/qemu-kvm", ""])
def test_an_s390x_guest_has_the_hosts_cpu(driver: QemuDriver, emulator: str) -> None:
    xml = domain("kvm", "s390x", "s390-ccw-virtio", emulator, devices="<console type='pty'/>")
    done, command = started(driver, xml)
    assert done.domain.cpu is not None
    assert done.domain.cpu.mode == "host-model"
    assert value(command, "-cpu").startswith("gen15a-base,aen=on,")
    assert '"driver":"sclpconsole"' in "".join(command)


def test_without_kvm_s390x_has_qemus_cpu(driver: QemuDriver) -> None:
    xml = domain("qemu", "s390x", "s390-ccw-virtio", devices="<console type='pty'/>")
    assert value(started(driver, xml)[1], "-cpu") == "qemu"


@pytest.mark.parametrize("virt", ["kvm", "qemu"])
@pytest.mark.parametrize("arch", ["ppc64", "ppc64le"])
def test_both_byte_orders_of_ppc64_need_no_emulator(driver: QemuDriver, arch: str, virt: str) -> None:
    done, command = started(driver, domain(virt, arch, "pseries"))
    assert command[0] == f"/usr/bin/qemu-system-{arch}"
    assert done.domain.machine == "pseries-7.2"
    assert value(command, "-cpu") == "POWER9"


def test_a_32_bit_arm_board_has_one_pci_bus_called_pci(driver: QemuDriver) -> None:
    nic = "<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='virtio'/></interface>"
    done, command = started(driver, domain("qemu", "armv6l", "versatilepb", devices=nic))
    assert done.domain.arch == "armv6l"
    assert command[0] == "/usr/bin/qemu-system-arm"
    assert value(command, "-cpu") == "arm926"
    assert '"bus":"pci","addr":"0x1"' in "".join(command)


@pytest.mark.parametrize("emulator", ["", "/usr/bin/qemu-system-arm"])
def test_armv7l_by_the_32_bit_binary(driver: QemuDriver, emulator: str) -> None:
    _, command = started(driver, domain("qemu", "armv7l", "virt", emulator))
    assert command[0] == "/usr/bin/qemu-system-arm"


def test_armv7l_with_kvm_is_for_a_64_bit_host(driver: QemuDriver) -> None:
    xml = domain("kvm", "armv7l", "virt", inner="<cpu mode='host-passthrough'/>")
    _, command = started(driver, xml)
    assert command[0] == "/usr/bin/qemu-system-aarch64"
    assert value(command, "-cpu") == "host,aarch64=off"


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (domain("kvm", "armv6l", "versatilepb"), "does not run domains of type 'kvm'"),
        (domain("kvm", "armv7l", "virt", "/usr/bin/qemu-system-arm"), "does not run domains of type 'kvm'"),
        (domain("kvm", "aarch64", "virt", "/usr/bin/qemu-system-x86_64"), "architecture 'aarch64'"),
        (domain("kvm", "riscv64", "virt"), "no recorded capabilities for riscv64"),
        (domain("kvm", "riscv64", "virt", "/usr/libexec/qemu-kvm"), "no recorded capabilities for riscv64"),
        (domain("kvm", "s390x", "s390-ccw-virtio-rhel7.6.0", "/usr/libexec/qemu-kvm"), "no machine type"),
    ],
)
def test_what_no_host_runs_is_refused(driver: QemuDriver, xml: bytes, why: str) -> None:
    with pytest.raises(QcapsError, match=why):
        driver.define(xml)


def test_one_driver_keeps_the_guests_of_one_binary_apart(driver: QemuDriver) -> None:
    binary = "/usr/libexec/qemu-kvm"
    for arch, machine, canonical in (
        ("x86_64", "q35", "pc-q35-7.2"),
        ("aarch64", "virt", "virt-7.2"),
        ("s390x", "s390-ccw-virtio", "s390-ccw-virtio-7.2"),
        ("x86_64", "pc", "pc-i440fx-7.2"),
    ):
        done = driver.define(domain("kvm", arch, machine, binary))
        assert (done.domain.machine, done.domain.emulator) == (canonical, binary)
        driver.undefine("a")


def test_another_architecture_costs_no_look_at_kvm(driver: QemuDriver) -> None:
    if driver.cache.host.runs_natively("s390x"):
        pytest.skip("s390x is this machine's own")
    xml = domain("kvm", "s390x", "s390-ccw-virtio")
    driver.warm(xml)
    driver.define(xml)
    assert driver.cache.counters.forks == 0


@pytest.mark.parametrize("arch", names())
def test_kvm_is_granted_where_a_host_has_it(arch: str) -> None:
    recorded = snapshot(arch).capabilities
    granted = with_kvm(recorded)
    assert granted.kvm is (arch != "armv7l")
    assert with_kvm(granted) is granted
    assert granted.accelerator("qemu") == recorded.accelerator("qemu")
    assert (granted is recorded) is (arch in ("armv7l", "x86_64"))
