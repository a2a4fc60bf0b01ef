"""The text of libvirt's capabilities cache file, in libvirt's layout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from qcaps.capabilities import flags
from qcaps.release import DEFAULT, R9_0, R11_3, since

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element

    from qcaps.capabilities.model import Accelerator, HostCpu
    from qcaps.capabilities.stamps import Entry, Stamps
    from qcaps.release import Release, Since

_SPECIAL: Final = re.compile("[&<>'\"]").search
IDENTITY: Final = "<!-- binary: ctime {} ns, inode {}, {} bytes -->\n"
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


_KVM_VERSION: Final[Since[bool]] = {R9_0: True, R11_3: False}
"""Whether there is an element that was always 0 for years."""


def format(entry: Entry, release: Release = DEFAULT) -> bytes:  # noqa: A001 - pairs with parse, and reads as cachefile.format
    """`entry` as the cache file libvirt of that release would write.

    What only we know of the binary is in a comment.
    """
    lines = "".join(_lines(entry, kvm_version=since(_KVM_VERSION, release)))
    return ("<qemuCaps>\n" + lines + "</qemuCaps>\n" + _identity(entry.stamps)).encode()


def _identity(stamps: Stamps) -> str:
    """What we know of the binary beyond libvirt, in a comment, which libvirt passes over."""
    fine = (stamps.binary_ctime_ns, stamps.binary_inode, stamps.binary_size)
    return "" if None in fine else IDENTITY.format(*fine)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL(text) else text


def verbatim(element: _Element) -> str:
    """`element` as libvirt would have written it: attributes in single quotes, inner white space kept."""
    attributes = "".join(f" {name!s}='{_escaped(str(value))}'" for name, value in element.attrib.items())
    inner = _escaped(element.text or "") + "".join(
        verbatim(child) + _escaped(child.tail or "") for child in element.iterchildren(tag=etree.Element)
    )
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>" if inner else f"<{element.tag}{attributes}/>"


def _tag(element: bytes) -> str:
    return element.lstrip(b"<").replace(b"/", b" ").replace(b">", b" ").split(maxsplit=1)[0].decode()


def _lines(entry: Entry, *, kvm_version: bool) -> Iterator[str]:
    capabilities, stamps = entry.capabilities, entry.stamps
    rest = [(_tag(element), element) for element in capabilities.rest]
    yield from _text("emulator", stamps.binary)
    yield from _text("qemuctime", stamps.binary_ctime)
    yield from _text("qemumoddirmtime", stamps.module_dir_mtime or None)
    yield from _text("selfctime", stamps.self_ctime)
    yield from _text("selfvers", stamps.self_version)
    for name in flags.in_order(capabilities.flags):
        yield f"  <flag name='{_escaped(name)}'/>\n"
    yield from _text("version", capabilities.version)
    if kvm_version:
        yield from _verbatims(element for tag, element in rest if tag == "kvmVersion")
        yield from _text("kvmVersion", None if any(tag == "kvmVersion" for tag, _ in rest) else 0)
    yield from _text("microcodeVersion", stamps.microcode_version)
    yield from _text("hostCPUSignature", stamps.host_cpu_signature)
    yield from _text("package", capabilities.package)
    yield from _text("kernelVersion", stamps.kernel_version)
    yield from _verbatims(element for tag, element in rest if tag == "cpudata")
    yield from _text("arch", capabilities.arch)
    for accelerator in capabilities.accelerators:
        yield from _accelerator_lines(accelerator)
    yield from _verbatims(element for tag, element in rest if tag not in {"kvmVersion", "cpudata"})
    if stamps.kvm_nested:
        yield "  <kvmSupportsNesting/>\n"
    if stamps.kvm_secure_guest:
        yield "  <kvmSupportsSecureGuest/>\n"


def _text(tag: str, value: str | int | None) -> Iterator[str]:
    if value is not None:
        yield f"  <{tag}>{_escaped(str(value))}</{tag}>\n"


def _verbatims(elements: Iterable[bytes]) -> Iterator[str]:
    for element in elements:
        yield f"  {element.decode()}\n"


def _attributes(**values: str | int | bool | None) -> str:
    """Attributes in the order given: None and False are left out, True is "yes"."""
    return "".join(
        f" {name}='{'yes' if value is True else _escaped(str(value))}'"
        for name, value in values.items()
        if value is not None and value is not False
    )


def _accelerator_lines(accelerator: Accelerator) -> Iterator[str]:
    kind = accelerator.name
    if accelerator.host_cpu is not None:
        yield from _host_cpu_lines(kind, accelerator.host_cpu)
    for cpu in accelerator.cpus:
        usable = None if cpu.usable is None else ("yes" if cpu.usable else "no")
        attributes = _attributes(
            type=kind, name=cpu.name, typename=cpu.typename, usable=usable, deprecated=cpu.deprecated
        )
        yield f"  <cpu{attributes}{'>' if cpu.blockers else '/>'}\n"
        if cpu.blockers:
            yield "".join([f"    <blocker name='{_escaped(blocker)}'/>\n" for blocker in cpu.blockers])
            yield "  </cpu>\n"
    for machine in accelerator.machines:
        attributes = _attributes(
            type=kind,
            name=machine.name,
            alias=machine.alias,
            hotplugCpus=machine.hotplug_cpus,
            maxCpus=machine.max_cpus,
            default=machine.default,
            defaultCPU=machine.default_cpu,
            numaMemSupported=machine.numa_mem_supported,
            defaultRAMid=machine.default_ram_id,
            deprecated=machine.deprecated,
        )
        yield f"  <machine{attributes}/>\n"


def _host_cpu_lines(kind: str, cpu: HostCpu) -> Iterator[str]:
    migratability = "yes" if cpu.migratability else "no"
    yield f"  <hostCPU{_attributes(type=kind, model=cpu.model, migratability=migratability)}>\n"
    for one in cpu.properties:
        migratable = None if one.migratable is None else ("yes" if one.migratable else "no")
        attributes = _attributes(name=one.name, type=one.kind, value=one.value, migratable=migratable)
        yield f"    <property{attributes}/>\n"
    yield "  </hostCPU>\n"
