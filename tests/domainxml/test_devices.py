"""Every device kind: what is declared is read and written, what libvirt refuses is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from qcaps.domainxml.codec import Element, XmlError, read, write
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices import (
    KINDS,
    Channel,
    Controller,
    Devices,
    Disk,
    Filesystem,
    Graphics,
    Hostdev,
    Interface,
    Redirfilter,
    Serial,
)
from qcaps.domainxml.devices.on_host import HostMdevAddress, HostPciAddress, HostScsiAddress, HostUsbAddress
from qcaps.domainxml.devices.virtio import VirtioDriver
from qcaps.domainxml.plan import plan_of
from qcaps.release import R9_0

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.element import Node

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "devices").glob("*.xml"))
CORPUS = os.environ.get("QCAPS_CORPUS", "")
_SHARED: tuple[type[Element], ...] = (Device, VirtioDriver)  # their fields need a sample in one heir only


def _read(text: str | bytes) -> Devices:
    return read(Devices, etree.fromstring(text))


def _one(text: str) -> Element:
    (device,) = _read(f"<devices>{text}</devices>").all
    return device


def _elements(element: Element) -> Iterator[Element]:
    yield element
    for value in list(element.__dict__.values()):
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Element):
                yield from _elements(one)


def _classes(cls: type[Element], found: set[type[Element]]) -> set[type[Element]]:
    if cls not in found:
        found.add(cls)
        for item in plan_of(cls):
            for member in item.members if item.under(R9_0) is not None else ():
                _classes(member, found)
    return found


def _owner(cls: type[Element], field: str) -> type[Element]:
    return next((shared for shared in _SHARED if issubclass(cls, shared) and field in _names(shared)), cls)


def _names(cls: type[Element]) -> set[str]:
    return {item.field for item in plan_of(cls)}


def _canonical(node: Node) -> tuple[object, ...]:
    children = sorted((_canonical(child) for child in node if isinstance(child.tag, str)), key=repr)
    return (node.tag, sorted(node.items()), (node.text or "").strip(), children)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_written_as_it_was_read(sample: Path) -> None:
    text = sample.read_text()
    devices = _read(text)
    assert write(devices) == text
    assert _read(write(devices)) == devices


def test_every_declared_field_is_touched_by_a_sample() -> None:
    touched = {
        (_owner(type(element), field), field)
        for sample in SAMPLES
        for element in _elements(_read(sample.read_text()))
        for field in element.__dict__
    }
    declared = {
        (_owner(cls, item.field), item.field)
        for cls in _classes(Devices, set())
        for item in plan_of(cls)
        if item.under(R9_0) is not None  # what is newer is in test_parts
    }
    assert sorted(f"{cls.__name__}.{field}" for cls, field in declared - touched) == []


def test_no_sample_has_what_is_not_declared() -> None:
    for sample in SAMPLES:
        for element in _elements(_read(sample.read_text())):
            assert (element.unknown_attributes, element.unknown_children) == ((), ()), sample


def test_kinds_are_complete_and_in_the_order_libvirt_writes() -> None:
    assert [kind.TAG for kind in KINDS] == [
        "disk", "controller", "lease", "filesystem", "interface", "smartcard", "serial", "parallel",
        "console", "channel", "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev",
        "redirfilter", "hub", "watchdog", "memballoon", "rng", "nvram", "panic", "shmem", "memory", "iommu",
        "vsock",
    ]  # fmt: skip
    (devices,) = (item for item in plan_of(Devices) if item.field == "all")
    assert set(devices.members) == set(KINDS)


def test_document_order_is_kept_across_kinds() -> None:
    devices = _read(
        "<devices><hub type='usb'/><disk><target dev='sda'/></disk><hub type='usb'/><panic/></devices>"
    )
    assert [device.TAG for device in devices.all] == ["hub", "disk", "hub", "panic"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<disk type='blok'/>", "attribute type: 'blok' is not one of block, dir"),
        ("<disk device='tape'/>", "attribute device"),
        ("<disk><driver error_policy='default'/></disk>", "attribute error_policy"),
        ("<disk><driver ioeventfd='yes'/></disk>", "'yes' is not one of off, on"),
        ("<disk><driver iothread='0'/></disk>", "attribute iothread: 0 is not between 1"),
        ("<disk><target bus='sata'/></disk>", "attribute dev is missing"),
        ("<disk><boot/></disk>", "attribute order is missing"),
        ("<disk><address slot='1'/></disk>", "attribute type is missing; it is one of ccid"),
        ("<disk><address type='none'/></disk>", "type 'none' is unknown"),
        ("<disk><address type='pci' slot='0xzz'/></disk>", "attribute slot: '0xzz' is not a whole number"),
        (
            "<controller type='ide' model='qemu-xhci'/>",
            "model 'qemu-xhci' is unknown for a controller of type",
        ),
        ("<controller type='sata' model='ahci'/>", "known: none"),
        ("<controller type='usb' index='-1'/>", "attribute index"),
        ("<interface type='network'/>", "needs <source network='…'>"),
        ("<interface type='direct'><source mode='vepa'/></interface>", "needs <source dev='…'>"),
        ("<interface type='bridge'><source bridge='b'/><link state='maybe'/></interface>", "attribute state"),
        (
            "<interface type='vhostuser'><source type='unix' path='/s' mode='vepa'/></interface>",
            "source mode 'vepa' is not one of server, client",
        ),
        (
            "<interface><model type='virtio'/><driver name='vfio'/></interface>",
            "driver 'vfio' is not one of qemu, vhost",
        ),
        ("<interface type='wifi'/>", "attribute type"),
        ("<hostdev type='pci'/>", "<source> is missing"),
        ("<hostdev type='net'><source/></hostdev>", "type 'net' is unknown for mode subsystem"),
        ("<hostdev type='mdev'><source/></hostdev>", "attribute model is missing"),
        ("<hostdev type='mdev' model='virtio'><source/></hostdev>", "model 'virtio' is not one of vfio-pci"),
        ("<graphics type='vnc'><listen address='::1'/></graphics>", "attribute type is missing"),
        ("<graphics type='spice'><image compression='default'/></graphics>", "attribute compression"),
        ("<serial type='modem'/>", "attribute type"),
        ("<rng model='virtio'/>", "<backend> is missing"),
        ("<tpm model='default'><backend type='emulator'/></tpm>", "attribute model"),
        ("<memballoon/>", "attribute model is missing"),
        ("<memory model='dimm'><target/></memory>", "<size> is missing"),
        ("<filesystem fmode='0999'><target dir='t'/></filesystem>", "'0999' is not an octal number"),
        ("<redirfilter><usbdev class='0x100' allow='yes'/></redirfilter>", "256 is not between -1 and 255"),
        ("<panic><address type='isa' iobase='q'/></panic>", "'q' is not a hexadecimal number"),
    ],
)
def test_what_libvirts_parser_refuses_is_refused(text: str, why: str) -> None:
    with pytest.raises(XmlError, match=r"^line 1: /devices/") as caught:
        _one(text)
    assert why in str(caught.value)


def test_numbers_are_read_in_the_base_libvirt_reads_them() -> None:
    controller = _one(
        "<controller type='pci' index='010'><target port='010' chassis='0x1f'/>"
        "<address type='isa' iobase='3f8' irq='10'/></controller>"
    )
    assert isinstance(controller, Controller)
    assert controller.index == 10
    assert controller.target is not None
    assert (controller.target.port, controller.target.chassis) == (8, 31)
    assert "iobase='0x3f8' irq='0x10'" in write(controller)
    assert "port='0x8'" in write(controller)


def test_modes_are_octal() -> None:
    filesystem = _one("<filesystem fmode='755'><target dir='t'/></filesystem>")
    assert isinstance(filesystem, Filesystem)
    assert filesystem.fmode == 0o755
    assert "fmode='0755'" in write(filesystem)


def test_usb_filter_numbers_may_be_minus_one() -> None:
    redirfilter = _one("<redirfilter><usbdev vendor='-1' class='8' allow='no'/></redirfilter>")
    assert isinstance(redirfilter, Redirfilter)
    (rule,) = redirfilter.usbdev
    assert (rule.vendor, rule.class_, rule.allow) == (-1, 8, False)
    assert "class='0x08' vendor='-1'" in write(redirfilter)


def test_a_host_address_is_read_by_the_type_of_its_device() -> None:
    kinds = {
        "pci": ("slot='0x12'", HostPciAddress),
        "usb": ("bus='1' device='2'", HostUsbAddress),
        "scsi": ("bus='0' target='0' unit='7'", HostScsiAddress),
        "mdev": ("uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'", HostMdevAddress),
    }
    for kind, (attributes, cls) in kinds.items():
        model = " model='vfio-pci'" if kind == "mdev" else ""
        device = _one(f"<hostdev type='{kind}'{model}><source><address {attributes}/></source></hostdev>")
        assert isinstance(device, Hostdev)
        assert type(device.source.address) is cls
        assert f"<address {attributes}/>" in write(device)


def test_an_interface_keeps_address_attribute_and_address_element_apart() -> None:
    nic = _one("<interface type='hostdev'><source><address type='pci' slot='3'/></source></interface>")
    assert isinstance(nic, Interface)
    assert nic.source is not None
    assert nic.source.address is None
    assert isinstance(nic.source.host_address, HostPciAddress)
    assert nic.source.host_address.slot == 3


def test_graphics_keep_listen_attribute_and_listen_elements_apart() -> None:
    graphics = _one("<graphics type='vnc' listen='::1'><listen type='none'/><listen type='none'/></graphics>")
    assert isinstance(graphics, Graphics)
    assert graphics.listen == "::1"
    assert [listen.type for listen in graphics.listens] == ["none", "none"]


def test_udp_has_two_sources_and_a_third_is_refused() -> None:
    two = "<source mode='bind'/><source mode='connect'/>"
    with pytest.raises(XmlError, match=r"source.*is there too often"):
        _one(f"<serial type='udp'>{two}<source mode='bind'/></serial>")
    serial = _one(f"<serial type='udp'>{two}</serial>")
    assert isinstance(serial, Serial)
    assert serial.source is not None
    assert serial.second_source is not None
    assert (serial.source.mode, serial.second_source.mode) == ("bind", "connect")
    assert write(serial).count("<source") == 2


def test_defaults_of_libvirts_parser_are_there_but_not_written() -> None:
    disk = _one("<disk><target dev='sda'/></disk>")
    assert isinstance(disk, Disk)
    assert (disk.type, disk.device, disk.readonly) == ("file", "disk", False)
    assert write(disk) == "<disk>\n  <target dev='sda'/>\n</disk>\n"
    channel = _one("<channel><target type='virtio'/></channel>")
    assert isinstance(channel, Channel)
    assert channel.type == "pty"


@pytest.mark.skipif(not CORPUS, reason="QCAPS_CORPUS is not set")
def test_the_results_of_libvirts_own_tests_are_fully_modelled_and_survive() -> None:
    files = sorted(Path(CORPUS).glob("defined/*.xml"))
    assert files
    for path in files:
        node = etree.parse(path).find("devices")
        if node is None:
            continue
        devices = read(Devices, node)
        for element in _elements(devices):
            assert element.unknown_attributes == (), path
            assert element.unknown_children == (), path
        assert _canonical(etree.fromstring(write(devices))) == _canonical(node), path
