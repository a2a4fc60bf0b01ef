"""`<shmem>`: memory shared between guests; its size, and who serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.address import PciAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Shmem
from qcaps.domainxml.devices.shmem import ShmemModel, ShmemMsi
from qcaps.domainxml.memory import Size, kib
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.refuse import malformed, need, unsupported
from qcaps.rules.shared.sizes import in_bytes
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import on_off
from qcaps.rules.start.backend import unix_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def refuse_read(shmem: d.Shmem) -> None:
    """Refuses interrupts (`<msi>`) without a server to send them.

    Follows: virDomainShmemDefParseXML
    """
    if shmem.msi is not None and shmem.server is None:
        raise malformed("<msi> needs a <server>", shmem)


_MIB: Final = 1024 * 1024


_DEFAULT_SHMEM: Final = 4 * _MIB


def read(_domain: Domain, shmem: Shmem) -> Shmem:
    """The oldest model unless told otherwise, and it has no roles.

    Follows: virDomainShmemDefParseXML, virDomainShmemDefFormat
    """
    model = shmem.model or ShmemModel()
    changes: dict[str, Any] = {"model": evolve(model, type=model.type or "ivshmem")}
    if shmem.role is not None and model.type in (None, "ivshmem"):
        changes["role"] = None
    if shmem.msi is not None:
        changes["msi"] = evolve(shmem.msi, vectors=shmem.msi.vectors or None)
    return evolve(shmem, **changes)


_SIZE_CHECKED: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether the size is looked at when a domain is defined; before, at its start."""


def complete(state: State, shmem: Shmem) -> Shmem:
    """4 MiB, unless a server says how much.

    Follows: qemuDomainShmemDefPostParse
    """
    model = shmem.model.type if shmem.model is not None else None
    size = in_bytes(shmem.size, "bytes") if shmem.size is not None else 0
    if model != "ivshmem-doorbell" and not size:
        size = _DEFAULT_SHMEM
    if size and (size & (size - 1) or size < _MIB) and since(_SIZE_CHECKED, state.draft.release):
        raise Refused("XML error: the size of shared memory is a power of two of at least 1 MiB", shmem)
    shown = evolve(shmem.size or Size(), value=size // _MIB, unit="M") if size else None
    shmem = evolve(shmem, size=shown)
    if model == "ivshmem":
        return shmem
    if shmem.server is None:
        if model == "ivshmem-doorbell":
            raise Refused("unsupported configuration: ivshmem-doorbell needs a server", shmem)
        return shmem
    if model == "ivshmem-plain":
        raise Refused("unsupported configuration: ivshmem-plain has no server", shmem)
    if size:
        raise Refused("unsupported configuration: the server decides the size of ivshmem-doorbell", shmem)
    msi = shmem.msi or ShmemMsi()
    return evolve(shmem, msi=evolve(msi, ioeventfd=True if msi.ioeventfd is None else msi.ioeventfd))


_SHMEM_FLAGS = {
    "ivshmem": "ivshmem",
    "ivshmem-plain": "ivshmem-plain",
    "ivshmem-doorbell": "ivshmem-doorbell",
}


def refuse(shmem: Shmem, _guest: Guest) -> None:
    """Refuses a name that is no file name.

    Follows: virDomainShmemDefValidate
    """
    if "/" in shmem.name or shmem.name in (".", ".."):
        raise unsupported(f"'{shmem.name}' is no name of shared memory", shmem)


def refuse_by_qemu(shmem: Shmem, _guest: Guest, caps: Capabilities) -> None:
    """The model; plain ivshmem is gone from new QEMUs.

    Follows: qemuValidateDomainDeviceDefShmem
    """
    model = (shmem.model.type if shmem.model is not None else None) or "ivshmem"
    need(caps, _SHMEM_FLAGS[model], f"shared memory of model '{model}'", shmem)


_SHM: Final = "/dev/shm/"  # noqa: S108  # the place POSIX shared memory has on Linux


def shared_memory(launch: Launch) -> Iterator[str]:
    """Memory that several guests share.

    Follows: qemuBuildShmemCommandLine
    """
    for shmem in launch.of(Shmem):
        yield from _shmem(launch, shmem)


# Follows: qemuBuildShmemCommandLine, qemuBuildShmemDevLegacyProps, qemuBuildShmemDevProps
def _shmem(launch: Launch, shmem: Shmem) -> Iterator[str]:
    name = launch.alias(shmem)
    model = (shmem.model.type if shmem.model else None) or "ivshmem"
    size = kib(shmem.size, "MiB") * 1024
    if size and (size & (size - 1) or size < _MIB):
        raise Refused("the size of shared memory is a power of two of at least 1 MiB", shmem)
    if not isinstance(shmem.address, PciAddress):
        raise Refused("shared memory sits on PCI", shmem)
    if model == "ivshmem-plain":
        yield from launch.backend(
            {
                "qom-type": "memory-backend-file", "id": f"shmmem-{name}", "mem-path": _SHM + shmem.name,
                "size": size, "share": True,
            }
        )  # fmt: skip
    yield from zpci(launch, shmem)
    served = f"char{name}" if shmem.server else None
    msi = shmem.msi
    vectors, ioeventfd = (msi.vectors or None if msi else None), (msi.ioeventfd if msi else None)
    if model == "ivshmem":
        own = {
            "size": f"{size // _MIB}m", "shm": None if served else shmem.name, "chardev": served,
            "msi": True if msi else None,
        }  # fmt: skip
    else:
        own = {
            "chardev": served,
            "memdev": None if served else f"shmmem-{name}",
            "master": None if served or not shmem.role else on_off(state=shmem.role == "master"),
        }
    yield from launch.device(
        {
            "driver": model,
            "id": name,
            **own,
            "vectors": vectors,
            "ioeventfd": ioeventfd,
            **placed(launch, shmem),
        }
    )
    if served and shmem.server:
        path = shmem.server.path or f"/var/lib/libvirt/shmem-{shmem.name}-sock"
        yield from ("-chardev", unix_socket(served, path, listens=False))


SHMEM = Kind(
    Shmem,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=lambda _, way: way.pci, wants=lambda _: True),
    alias=by_place("shmem"),
)
