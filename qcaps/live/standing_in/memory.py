"""A guest's memory, made small: 32 MiB, as much a NUMA cell, and modules of at most 512 MiB.

Modules lie where libvirt puts them: room for more than 16 GiB is more than an emulated CPU may address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.syntax import scaled
from qcaps.live.standing_in.work import Work, add, drop, refuse, unset

if TYPE_CHECKING:
    from lxml.etree import _Element

MEMORY_KIB: Final = 32 << 10
_MODULE_KIB: Final = 512 << 10
"""A multiple of every alignment; a module that is a file has just this size."""
_MOST_KIB: Final = 16 << 20


def shrink(root: _Element) -> None:
    """Everything that has a size; where there are cells, libvirt adds them up itself."""
    for cell in root.iterfind("cpu/numa/cell[@memory]"):
        cell.set("memory", str(MEMORY_KIB))
        cell.set("unit", "KiB")
    modules = root.findall("devices/memory")
    for module in modules:
        _shrink_module(module)
    added = sum(_kib(size) for module in modules for size in module.iterfind("target/size"))
    for name in ("memory", "currentMemory"):
        for size in root.findall(name):
            _write(size, MEMORY_KIB + added)
    for size in root.findall("maxMemory"):
        _write(size, min(_kib(size), _MOST_KIB))


def _shrink_module(module: _Element) -> None:
    in_file = module.find("source/path") is not None
    for address in module.findall("address"):
        unset(address, "base")
    for target in module.findall("target"):
        for size in [*target.findall("size"), *target.findall("requested")]:
            _write(size, _MODULE_KIB if in_file else min(_kib(size), _MODULE_KIB))
        drop(target, ("current",))


def memory_module(work: Work, module: _Element) -> None:
    """A module that is a file on the host is one in our folder."""
    model = module.get("model")
    if model == "sgx-epc":
        refuse(module, "enclave memory is the host's")
    source = module.find("source")
    if source is None:
        return
    drop(source, ("pagesize", "nodemask", "pmem", "alignsize"))
    if source.find("path") is not None:
        drop(source, ("path",))
        add(source, "path", {}).text = work.file("module", _MODULE_KIB << 10)


def _write(size: _Element, kib: int) -> None:
    size.text = str(kib)
    size.set("unit", "KiB")


def _kib(size: _Element) -> int:
    try:
        return -(-scaled(int(size.text or ""), size.get("unit"), "KiB") // 1024)
    except ValueError:
        return MEMORY_KIB  # libvirt says what it thinks of it
