"""Disks and shared folders: every source becomes an empty file or folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.live.standing_in.work import MIB, Work, add, drop, keep_attributes, unset

if TYPE_CHECKING:
    from lxml.etree import _Element

_FLOPPY_BYTES: Final = 1440 << 10
_OF_THE_SOURCE: Final = ("source", "auth", "encryption", "backingStore", "mirror", "transient")
_DRIVES: Final = ("cdrom", "floppy")
_CACHES: Final = {"none": "writeback", "directsync": "writethrough"}
"""Without the host's cache a file in memory cannot be read; the guest sees the same kind of write cache."""


def disk(work: Work, element: _Element) -> None:
    """An empty raw image for whatever the disk was; an empty drive stays empty."""
    kind = element.get("device", "disk")
    source = element.find("source")
    empty = kind in _DRIVES and (source is None or (len(source) == 0 and not _names_something(source)))
    drop(element, _OF_THE_SOURCE)
    element.set("type", "file")
    if kind == "lun":
        element.set("device", "disk")
    unset(element, "sgio", "rawio")
    if not empty:
        size = _FLOPPY_BYTES if kind == "floppy" else MIB
        add(element, "source", {"file": work.file(f"image-{kind}", size)})
    for driver in element.findall("driver"):
        if "type" in driver.attrib:
            driver.set("type", "raw")
        cache = driver.get("cache", "")
        if cache in _CACHES:
            driver.set("cache", _CACHES[cache])
        unset(driver, "io")
        drop(driver, ("metadata_cache",))


def _names_something(source: _Element) -> bool:
    return any(str(name) not in ("startupPolicy", "index") for name in source.attrib)


def filesystem(work: Work, element: _Element) -> None:
    """An empty folder, handed in by QEMU itself: a server beside it would be a process of the host's."""
    if element.get("type", "mount") != "mount":
        return  # of containers: libvirt refuses it
    beside = element.find("driver[@type='virtiofs']") is not None
    drop(element, ("source", "binary", "idmap", *(("boot",) if beside else ())))
    if beside:
        unset(element, "fmode", "dmode")
    for driver in element.findall("driver"):
        keep_attributes(driver, ("iommu", "ats", "packed", "page_per_vq", "format", "wrpolicy"))
        driver.set("type", "path")
    add(element, "source", {"dir": work.directory("share")})
