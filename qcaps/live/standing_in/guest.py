"""What belongs to the guest as a whole: firmware, kernel, memory, CPU, tuning, labels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from qcaps.live.standing_in.memory import shrink
from qcaps.live.standing_in.work import MIB, Work, add, drop, emptied, keep_attributes, refuse, unset

if TYPE_CHECKING:
    from lxml.etree import _Element

_QEMU: Final = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_HOSTS: Final = (
    "metadata",
    "memtune",
    "blkiotune",
    "cputune",
    "numatune",
    "resource",
    "perf",
    "idmap",
    "seclabel",
)
"""What the host does beside the guest: no device, and nothing of QEMU's command line but affinity."""
_OF_CONTAINERS: Final = ("init", "initarg", "initenv", "initdir", "inituser", "initgroup")
_SETUP_SECTORS, _MAGIC, _INITRD_BELOW, _HEADER_BYTES = 0x1F1, 0x202, 0x22C, 0x270
_KERNEL_PROTOCOL: Final = 0x20D
_FIRMWARE_BYTES: Final = MIB


def whole_guest(work: Work, root: _Element) -> None:
    """All that is no device. Raises NotStartable."""
    _refuse_own_arguments(root)
    for found in root.findall("launchSecurity"):
        refuse(found, "what measures and encrypts a guest is a device of the host")
    drop(root, _HOSTS)
    for found in [*root.iterfind(".//seclabel")]:
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
    for vcpu in root.findall("vcpu"):
        unset(vcpu, "cpuset")
        vcpu.set("placement", "static")
    for backing in root.findall("memoryBacking"):
        drop(backing, ("hugepages", "locked"))
    _boot(work, root)
    _cpu(root)
    shrink(root)


def _refuse_own_arguments(root: _Element) -> None:
    for name in ("commandline", "override"):
        found = root.find(f"{_QEMU}{name}")
        if found is not None and len(found):
            refuse(found, "what it hands to QEMU may be anything of the host's")


def _boot(work: Work, root: _Element) -> None:
    for os in root.findall("os"):
        drop(os, _OF_CONTAINERS)
        _firmware(work, os)
        for tag in ("initrd", "dtb"):
            for found in os.findall(tag):
                found.text = work.file(tag, MIB)
        for found in os.findall("kernel"):
            found.text = work.file("kernel", MIB, _kernel())
        for found in os.iterfind("acpi/table"):
            found.text = work.file("table", 4096)
        for found in os.findall("smbios[@mode='host']"):
            found.set("mode", "emulate")
    for found in root.iterfind("sysinfo/entry[@file]"):
        found.set("file", work.file("entry", 4096))


def _firmware(work: Work, os: _Element) -> None:
    """Firmware that libvirt would choose from the host's becomes flash and its variables, as if named."""
    chosen = os.attrib.pop("firmware", "")
    drop(os, ("firmware",))
    loader = os.find("loader")
    if loader is None and chosen == "efi":
        loader = add(os, "loader", {})
    if loader is None:
        drop(os, ("nvram",))
        return
    if chosen == "efi":
        loader.set("type", "pflash")
        loader.set("readonly", "yes")
    if chosen == "bios" or not (loader.text or chosen):
        os.remove(loader)
        return
    keep_attributes(loader, ("type", "readonly", "secure", "stateless"))
    loader.text = work.file("firmware", _FIRMWARE_BYTES)
    stateful = loader.get("type") == "pflash" and loader.get("stateless") != "yes"
    nvram = os.find("nvram")
    if nvram is None and not (stateful and loader.get("readonly") == "yes"):
        return
    nvram = add(os, "nvram", {}) if nvram is None else nvram
    emptied(nvram)
    nvram.text = work.file("variables", _FIRMWARE_BYTES // 4)


def _kernel() -> bytes:
    """The header of a Linux that is long enough for QEMU to load, and never runs: four sectors of set-up."""
    header = bytearray(_HEADER_BYTES)
    header[_SETUP_SECTORS] = 4
    header[_MAGIC : _MAGIC + 4] = b"HdrS"
    struct.pack_into("<H", header, _MAGIC + 4, _KERNEL_PROTOCOL)
    struct.pack_into("<I", header, _INITRD_BELOW, 0x7FFFFFFF)
    return bytes(header)


def _cpu(root: _Element) -> None:
    """Without KVM there is no host's CPU to hand on; a CPU of another host's is taken as it is written."""
    for cpu in root.findall("cpu"):
        if cpu.get("mode") == "host-passthrough" and root.get("type") == "qemu":
            cpu.set("mode", "maximum")
            unset(cpu, "check", "migratable")
        elif cpu.find("model") is not None and cpu.get("mode", "custom") == "custom":
            cpu.set("check", "none")
