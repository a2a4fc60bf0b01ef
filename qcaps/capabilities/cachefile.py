"""libvirt's capabilities cache file: read it, write it.

Written in the layout of libvirt 9.0.0, down to the byte: a file that libvirt 9.0.0 wrote comes back
unchanged from `format(parse(data, source))`. Where an entry identifies its binary more finely than libvirt
does, a comment at the end of the file says so; libvirt passes over it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lxml import etree

from qcaps import untrusted_xml
from qcaps.bounded import UnreadableError, read_bounded
from qcaps.capabilities.cachewriter import IDENTITY, format, verbatim  # noqa: A004 - reads as cachefile.format
from qcaps.capabilities.model import Accelerator, Capabilities, CpuModel, CpuProperty, HostCpu, Machine
from qcaps.capabilities.stamps import Entry, Stamps
from qcaps.errors import QcapsError
from qcaps.files import replacing
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

    from qcaps.release import Release

LARGEST_FILE: Final = 16 << 20
"""Bytes. libvirt 9.0.0 writes about 210 kB for x86_64; anything near this is not a cache file."""

ACCELERATORS: Final = ("kvm", "hvf", "tcg")
"""libvirt's names and order."""

_LARGEST_NUMBER: Final = (1 << 64) - 1
_IDENTITY: Final = re.compile(IDENTITY.format(*3 * [r"(\d{1,20})"]).encode() + rb"\Z", re.ASCII)
_LONGEST_IDENTITY: Final = 200
_YES_NO: Final = {"yes": True, "no": False}
_KINDS: Final = ("boolean", "string", "number")


__all__ = ["CacheFileError", "format", "parse", "read", "write"]


class CacheFileError(QcapsError):
    """A cache file that cannot be read as one: names the file, the line, and what is wrong there."""


def read(path: Path | str) -> Entry:
    """The entry in the file `path`; CacheFileError if it cannot be read or is no cache file."""
    try:
        data = read_bounded(path, LARGEST_FILE)
    except UnreadableError as error:
        raise CacheFileError(str(error)) from None
    except OSError as error:
        raise CacheFileError(f"{path}: cannot read the capabilities cache file: {error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, source: str) -> Entry:
    """The entry in `data`; `source` names it in errors."""
    return _Reader(source).entry(data)


def write(path: Path | str, entry: Entry, release: Release = DEFAULT, *, named: bool = False) -> None:
    """Write `entry` to the file `path`: all of it or nothing, as a new file that takes the old one's place.

    It is laid out as libvirt of that release does. A path that a user `named` may be a pipe or a device.

    CacheFileError if that fails; then `path` is as it was, and no other file is left.
    """
    try:
        with replacing(Path(path), named=named) as file:
            file.write(format(entry, release))
    except QcapsError as error:
        raise CacheFileError(str(error)) from error


class _Reader:
    """One pass over the children of the root, each handed to the method for its tag."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.texts: dict[str, str] = {}
        self.flags: set[str] = set()
        self.rest: list[bytes] = []
        self.host_cpus: dict[str, HostCpu] = {}
        self.cpus: dict[str, list[CpuModel]] = {name: [] for name in ACCELERATORS}
        self.machines: dict[str, list[Machine]] = {name: [] for name in ACCELERATORS}
        self.readers: dict[str, Callable[[_Element], None]] = {
            **dict.fromkeys(_TEXTS, self.text),
            "flag": self.flag,
            "cpu": self.cpu,
            "machine": self.machine,
            "hostCPU": self.host_cpu,
        }

    def entry(self, data: bytes) -> Entry:
        if len(data) > LARGEST_FILE:
            raise CacheFileError(
                f"{self.source}: larger than {LARGEST_FILE >> 20} MiB, no capabilities cache file"
            )
        if b"<!DOCTYPE" in data:
            raise CacheFileError(
                f"{self.source}:1: has a document type, which no capabilities cache file has"
            )
        parser = untrusted_xml.parser()
        try:
            root = etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            line, problem = (error.position or (1, 0))[0], " ".join((error.msg or "").split())
            raise CacheFileError(f"{self.source}:{line}: not well-formed XML: {problem}") from error
        if root.tag != "qemuCaps":
            raise CacheFileError(f"{self.source}:{root.sourceline}: expected <qemuCaps>, found <{root.tag}>")
        for element in root.iterchildren(tag=etree.Element):
            self.readers.get(element.tag, self.keep)(element)
        return Entry(self.capabilities(root), self.stamps(root, data[-_LONGEST_IDENTITY:]))

    def fail(self, element: _Element, problem: str) -> CacheFileError:
        return CacheFileError(f"{self.source}:{element.sourceline}: <{element.tag}> {problem}")

    def capabilities(self, root: _Element) -> Capabilities:
        if self.texts.get("kvmVersion", "0") != "0":
            self.rest.insert(0, f"<kvmVersion>{self.number(root, 'kvmVersion')}</kvmVersion>".encode())
        return Capabilities(
            arch=self.required(root, "arch"),
            version=self.number(root, "version"),
            flags=frozenset(self.flags),
            accelerators=tuple(
                Accelerator(
                    name, self.host_cpus.get(name), tuple(self.cpus[name]), tuple(self.machines[name])
                )
                for name in ACCELERATORS
                if name in self.flags or name in self.host_cpus or self.cpus[name] or self.machines[name]
            ),
            package=self.texts.get("package", ""),
            rest=tuple(self.rest),
        )

    def stamps(self, root: _Element, end: bytes) -> Stamps:
        fine = _IDENTITY.search(end)
        modules = self.number(root, "qemumoddirmtime") if "qemumoddirmtime" in self.texts else 0
        ctime_ns, inode, size = map(int, fine.groups()) if fine else (None, None, None)
        return Stamps(
            binary=self.required(root, "emulator"),
            binary_ctime=self.number(root, "qemuctime"),
            # libvirt takes 0 for "no such directory", and does not write it
            module_dir_mtime=modules or None,
            self_ctime=self.number(root, "selfctime"),
            self_version=self.number(root, "selfvers"),
            microcode_version=self.number(root, "microcodeVersion"),
            host_cpu_signature=self.texts.get("hostCPUSignature"),
            kernel_version=self.texts.get("kernelVersion"),
            kvm_nested="kvmSupportsNesting" in self.texts,
            kvm_secure_guest="kvmSupportsSecureGuest" in self.texts,
            binary_ctime_ns=ctime_ns,
            binary_inode=inode,
            binary_size=size,
        )

    def required(self, root: _Element, tag: str) -> str:
        if not self.texts.get(tag):
            raise CacheFileError(f"{self.source}:{root.sourceline}: <qemuCaps> lacks <{tag}>")
        return self.texts[tag]

    def number(self, root: _Element, tag: str) -> int:
        text = self.required(root, tag)
        if not _is_number(text):
            raise self.fail(
                next(root.iterchildren(tag)), f"is {text[:40]!r}, expected a number of at most 64 bits"
            )
        return int(text)

    def text(self, element: _Element) -> None:
        if element.tag in self.texts:
            raise self.fail(element, "occurs twice")
        self.texts[element.tag] = element.text or ""

    def keep(self, element: _Element) -> None:
        self.rest.append(verbatim(element).encode())

    def attribute(self, element: _Element, name: str) -> str:
        value = element.get(name)
        if value is None:
            raise self.fail(element, f"lacks the attribute {name!r}")
        return value

    def yes(self, element: _Element, name: str) -> bool:
        return element.get(name) == "yes"

    def accelerator(self, element: _Element) -> str:
        name = self.attribute(element, "type")
        if name not in self.cpus:
            raise self.fail(element, f"has type {name!r}, expected one of {', '.join(ACCELERATORS)}")
        return name

    def flag(self, element: _Element) -> None:
        self.flags.add(self.attribute(element, "name"))

    def cpu(self, element: _Element) -> None:
        usable = element.get("usable")
        if usable is not None and usable not in _YES_NO and usable != "unknown":
            raise self.fail(element, f"has usable={usable!r}, expected yes or no")
        blockers = [blocker.get("name", "") for blocker in element.iterchildren("blocker")]
        if "" in blockers:
            raise self.fail(element, "has a <blocker> without a name")
        self.cpus[self.accelerator(element)].append(
            CpuModel(
                name=self.attribute(element, "name"),
                typename=element.get("typename"),
                usable=_YES_NO.get(usable or ""),
                blockers=tuple(blockers),
                deprecated=self.yes(element, "deprecated"),
            )
        )

    def machine(self, element: _Element) -> None:
        attributes = element.attrib
        max_cpus = attributes.get("maxCpus", "0")
        if not _is_number(max_cpus):
            raise self.fail(element, f"has maxCpus={max_cpus[:40]!r}, expected a number")
        self.machines[self.accelerator(element)].append(
            Machine(
                name=self.attribute(element, "name"),
                alias=attributes.get("alias"),
                max_cpus=int(max_cpus),
                hotplug_cpus=self.yes(element, "hotplugCpus"),
                default=self.yes(element, "default"),
                default_cpu=attributes.get("defaultCPU"),
                default_ram_id=attributes.get("defaultRAMid"),
                numa_mem_supported=self.yes(element, "numaMemSupported"),
                deprecated=self.yes(element, "deprecated"),
            )
        )

    def host_cpu(self, element: _Element) -> None:
        self.host_cpus[self.accelerator(element)] = HostCpu(
            model=self.attribute(element, "model"),
            migratability=self.yes(element, "migratability"),
            properties=tuple(self.cpu_property(child) for child in element.iterchildren("property")),
        )

    def cpu_property(self, element: _Element) -> CpuProperty:
        attributes = element.attrib
        kind = self.attribute(element, "type")
        if kind not in _KINDS:
            raise self.fail(element, f"has type {kind!r}, expected one of {', '.join(_KINDS)}")
        return CpuProperty(
            name=self.attribute(element, "name"),
            kind=kind,
            value=self.attribute(element, "value"),
            migratable=_YES_NO.get(attributes.get("migratable", "")),
        )


_TEXTS: Final = (
    "emulator",
    "qemuctime",
    "qemumoddirmtime",
    "selfctime",
    "selfvers",
    "version",
    "kvmVersion",
    "microcodeVersion",
    "hostCPUSignature",
    "package",
    "kernelVersion",
    "arch",
    "kvmSupportsNesting",
    "kvmSupportsSecureGuest",
)


def _is_number(text: str) -> bool:
    """Whether `text` is an unsigned number of 64 bits; the length is bounded before int() sees it."""
    return (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(_LARGEST_NUMBER))
        and (int(text) <= _LARGEST_NUMBER)
    )
