"""`-m`, `-overcommit`, and the objects that back memory: the machine's own, a node's, a module's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.memory import kib
from qcaps.rules.devices.memory.arguments import _SYSTEM_PAGE, Backed, _page_kib, backing
from qcaps.rules.start import paths
from qcaps.rules.start.argument import on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.start.launch import Launch


def memory(launch: Launch) -> Iterator[str]:
    """`-m`, the machine's own memory where there are no nodes, and `-overcommit`.

    Follows: qemuBuildMemCommandLine, qemuBuildMemCommandLineMemoryDefaultBackend
    """
    domain = launch.domain
    yield "-m"
    if domain.max_memory and domain.max_memory.value:
        most = -(-kib(domain.max_memory) // launch.alignment) * launch.alignment
        yield f"size={launch.initial_memory}k,slots={domain.max_memory.slots or 0},maxmem={most}k"
    else:
        yield str(launch.initial_memory // 1024)
    if not launch.nodes:
        if launch.default_ram:
            whole = Backed(name=launch.default_ram, size=launch.initial_memory, is_system=True)
            yield from backing(launch, whole)[1]
        else:
            yield from old_options(launch)
    locked = bool(domain.memory_backing and domain.memory_backing.locked)
    yield from ("-overcommit", f"mem-lock={on_off(state=locked)}")


def old_options(launch: Launch) -> Iterator[str]:
    """`-mem-prealloc` and `-mem-path`, for QEMUs that do not say what their memory is called.

    Follows: qemuBuildMemPathStr
    """
    backed = launch.domain.memory_backing
    if backed is None:
        return
    pages = backed.hugepages
    first = (_page_kib(pages.page[0].size, pages.page[0].unit) if pages.page else 0) if pages else None
    huge = first is not None and first != _SYSTEM_PAGE
    if huge or (backed.allocation and backed.allocation.mode == "immediate"):
        yield "-mem-prealloc"
    if huge:
        yield from ("-mem-path", paths.huge_pages(launch.domain, first or 0))
    elif backed.source and backed.source.type == "file":
        yield from ("-mem-path", paths.memory(launch.domain, "ram"))
