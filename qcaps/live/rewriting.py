"""Changes to a domain's XML before libvirt sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from lxml import etree

if TYPE_CHECKING:
    from pathlib import Path

    from lxml.etree import _Element

_MEMORY_KIB = 32 << 10
_IMAGE_BYTES = 1 << 20


def name_of(xml: str) -> str:
    """The domain's name, "" where it has none."""
    return etree.fromstring(xml).findtext("name") or ""


def renamed(xml: str, tag: str) -> str:
    """`xml` under a name that begins with `tag`, and with a UUID that nobody else has."""
    root = etree.fromstring(xml)
    name = root.find("name")
    if name is not None:
        name.text = f"{tag}-{name.text}"
    for uuid in root.findall("uuid"):
        uuid.text = str(uuid4())
    return etree.tostring(root, encoding="unicode")


def startable(xml: str, folder: Path) -> str:
    """`xml` with 32 MiB of memory, and every image file replaced by an empty raw one in `folder`."""
    root = etree.fromstring(xml)
    for name in ("memory", "currentMemory"):
        element = root.find(name)
        if element is not None:
            element.set("unit", "KiB")
            element.text = str(_MEMORY_KIB)
    for index, disk in enumerate(root.iterfind("devices/disk[@type='file']")):
        _replace_image(disk, folder / f"image-{index}.raw")
    return etree.tostring(root, encoding="unicode")


def _replace_image(disk: _Element, image: Path) -> None:
    source = disk.find("source")
    if source is None:
        return  # an empty drive
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
    source.set("file", str(image))
    driver = disk.find("driver")
    if driver is not None:
        driver.set("type", "raw")
