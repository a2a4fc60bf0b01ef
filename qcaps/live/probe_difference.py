"""What our probe finds out about a QEMU binary, held against what libvirt's own probe does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qcaps.capabilities.model import Accelerator, Capabilities, HostCpu


def differences(ours: Capabilities, libvirts: Capabilities) -> tuple[str, ...]:
    """One line for each thing that only one of them has, or that they have differently; none if equal."""
    return tuple(_all_differences(ours, libvirts))


def _all_differences(ours: Capabilities, libvirts: Capabilities) -> Iterator[str]:
    for name in ("arch", "version"):
        one, other = getattr(ours, name), getattr(libvirts, name)
        if one != other:
            yield f"{name}: ours {one}, libvirt's {other}"
    yield from _sets("flag", ours.flags, libvirts.flags)
    accelerators = [{one.name: one for one in each.accelerators} for each in (ours, libvirts)]
    yield from _sets("accelerator", *accelerators)
    for name in sorted(accelerators[0].keys() & accelerators[1].keys()):
        yield from _accelerator_differences(accelerators[0][name], accelerators[1][name])


def _accelerator_differences(ours: Accelerator, libvirts: Accelerator) -> Iterator[str]:
    for kind, one, other in (
        ("machine", ours.machines, libvirts.machines),
        ("CPU", ours.cpus, libvirts.cpus),
    ):
        by_name = [{value.name: value for value in values} for values in (one, other)]
        yield from _sets(f"{ours.name} {kind}", *by_name)
        for name in sorted(by_name[0].keys() & by_name[1].keys()):
            if by_name[0][name] != by_name[1][name]:
                yield f"{ours.name} {kind} {name}: ours {by_name[0][name]}, libvirt's {by_name[1][name]}"
    if ours.host_cpu != libvirts.host_cpu:
        yield from _host_cpu_differences(f"{ours.name} host CPU", ours.host_cpu, libvirts.host_cpu)


def _host_cpu_differences(what: str, ours: HostCpu | None, libvirts: HostCpu | None) -> Iterator[str]:
    if ours is None or libvirts is None:
        yield f"{what}: only libvirt's" if ours is None else f"{what}: only ours"
        return
    for name in ("model", "migratability"):
        one, other = getattr(ours, name), getattr(libvirts, name)
        if one != other:
            yield f"{what} {name}: ours {one}, libvirt's {other}"
    by_name = [{one.name: one for one in each.properties} for each in (ours, libvirts)]
    yield from _sets(f"{what} property", *by_name)
    for name in sorted(by_name[0].keys() & by_name[1].keys()):
        if by_name[0][name] != by_name[1][name]:
            yield f"{what} property {name}: ours {by_name[0][name]}, libvirt's {by_name[1][name]}"


def _sets(what: str, ours: Iterable[str], libvirts: Iterable[str]) -> Iterator[str]:
    yield from (f"{what} {name}: only ours" for name in sorted(set(ours) - set(libvirts)))
    yield from (f"{what} {name}: only libvirt's" for name in sorted(set(libvirts) - set(ours)))
