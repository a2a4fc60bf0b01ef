"""Domains made hostile: elements moved, copied, removed; values put in their places that no sane file has."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lxml import etree

from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Node = etree._Element  # lxml-stubs names the element class only so

VALUES = (
    "", " ", "0", "1", "-1", "2", "31", "32", "255", "256", "65535", "65536", "4294967295",
    "4294967296", "18446744073709551615", "18446744073709551616", "9" * 400, "0x0", "0x1f",
    "0xffffffffffffffff", "007", "1.5", "1e9", "NaN", "yes", "no", "on", "off", "default", "none",
    "auto", "virtio", "virtio-non-transitional", "usb", "pci", "scsi", "sata", "ide", "fdc", "isa",
    "spapr-vio", "ccw", "q35", "pc", "virt", "pseries", "s390-ccw-virtio", "isapc", "kvm", "qemu",
    "x86_64", "i686", "aarch64", "s390x", "ppc64", "riscv64", "pci-root", "pcie-root", "pcie-root-port",
    "pci-bridge", "pcie-to-pci-bridge", "pcie-expander-bus", "dmi-to-pci-bridge", "../../etc/passwd",
    "/", ".", "..", "a/b", "a\nb", "\xe9\u202e", "\U0001f600", "x" * 5000, "sda", "vda", "hdz",
    "vdzzzzzz", "fd0", "0-3", "^0", "0-16383", "52:54:00:00:00:01", "ff:ff:ff:ff:ff:ff",
    "00000000-0000-0000-0000-000000000000", "KiB", "EiB", "file", "block", "network", "volume", "nvme",
    "vhostuser", "hostdev", "user", "tcp", "unix", "pty", "spice",
)  # fmt: skip

SEEDS = ("simple", "kitchen-sink", "kitchen-sink@pc", "mixed", "fuzz", "fuzz@pc", "usb", "scsi", "s390x-ccw")


def seeds(n: int = 4) -> list[bytes]:
    """A domain of each of several families, small enough to be mutated often."""
    return [scenario(name).xml(n).encode() for name in SEEDS[:1]] + [
        scenario(name).xml(min(n, scenario(name).largest)).encode() for name in SEEDS[1:]
    ]


def mutant(data: bytes, other: bytes, random: Random) -> bytes:
    """`data` with one to four changes, some of them grafts from `other`."""
    root, donor = etree.fromstring(data), etree.fromstring(other)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(_CHANGES)(_pick(root, random), donor, random)
    return etree.tostring(root)


def _pick(root: Node, random: Random) -> Node:
    return random.choice(list(root.iter(etree.Element)))


def _set_attribute(node: Node, _donor: Node, random: Random) -> None:
    if node.attrib:
        node.set(random.choice(list(node.attrib)), random.choice(VALUES))


def _drop_attribute(node: Node, _donor: Node, random: Random) -> None:
    if node.attrib:
        del node.attrib[random.choice(list(node.attrib))]


def _foreign_attribute(node: Node, donor: Node, random: Random) -> None:
    source = _pick(donor, random)
    for name, value in source.attrib.items():
        node.set(name, value if random.random() < 0.5 else random.choice(VALUES))


def _set_text(node: Node, _donor: Node, random: Random) -> None:
    if len(node) == 0:
        node.text = random.choice(VALUES)


def _drop(node: Node, _donor: Node, _random: Random) -> None:
    parent = node.getparent()
    if parent is not None:
        parent.remove(node)


def _twice(node: Node, _donor: Node, random: Random) -> None:
    parent = node.getparent()
    if parent is not None:
        for _ in range(random.choice((1, 1, 3, 40))):
            parent.append(copy.deepcopy(node))


def _graft(node: Node, donor: Node, random: Random) -> None:
    node.append(copy.deepcopy(_pick(donor, random)))


def _graft_sibling(node: Node, donor: Node, random: Random) -> None:
    alike = list(donor.iter(node.tag))
    parent = node.getparent()
    if parent is not None and alike:
        parent.replace(node, copy.deepcopy(random.choice(alike)))


def _graft_device(node: Node, donor: Node, random: Random) -> None:
    devices, theirs = node.getroottree().find("devices"), donor.find("devices")
    if devices is not None and theirs is not None and len(theirs):
        devices.append(copy.deepcopy(random.choice(list(theirs))))


_CHANGES: tuple[Callable[[Node, Node, Random], None], ...] = (
    _set_attribute, _set_attribute, _set_attribute, _drop_attribute, _foreign_attribute, _set_text, _drop,
    _twice, _graft, _graft_sibling, _graft_device, _graft_device,
)  # fmt: skip
