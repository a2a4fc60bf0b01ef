"""Devices of a few lines each: watchdog, balloon, entropy, TPM, panic, IOMMU, shared memory, sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.capabilities.targets import X86
from qcaps.domain.address import IsaAddress, PciAddress
from qcaps.domain.devices import Filesystem, Iommu, Memballoon, Panic, Rng, Shmem, Tpm, Vsock, Watchdog
from qcaps.domain.memory import kib
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import escaped, on_off
from qcaps.rules.start.backend import chardev, unix_socket
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.start.guest import Guest

_MIB: Final = 1024 * 1024
_SHM: Final = "/dev/shm/"  # noqa: S108  # the place POSIX shared memory has on Linux
_SECURITY: Final = {"mapped": "mapped", "passthrough": "passthrough", "squash": "none"}
_FIRST_CID: Final = 3
"""The numbers below belong to the hypervisor, to nobody and to the host."""
_SECOND: Final = 1000
"""Milliseconds; the period of a rate without one."""


def watchdogs(guest: Guest) -> Iterator[str]:
    """The watchdog, and what it does."""
    for device in guest.of(Watchdog):
        yield from zpci(guest, device)
        yield from guest.device({"driver": device.model, "id": guest.alias(device), **placed(guest, device)})
        action = device.action or "reset"
        yield from ("-watchdog-action", "pause" if action == "dump" else action)  # libvirt dumps, then


def balloons(guest: Guest) -> Iterator[str]:
    """The balloon."""
    for balloon in guest.of(Memballoon):
        if balloon.model in ("none", "xen"):
            continue
        yield from zpci(guest, balloon)
        yield from guest.device(
            {
                **virtio(guest, balloon, "virtio-balloon", driver=balloon.driver, model=balloon.model),
                "id": guest.alias(balloon),
                "deflate-on-oom": balloon.autodeflate,
                "free-page-reporting": balloon.free_page_reporting,
                **placed(guest, balloon),
            }
        )


def entropy(guest: Guest) -> Iterator[str]:
    """Sources of random numbers."""
    for rng in guest.of(Rng):
        name, backend = guest.alias(rng), rng.backend
        made = {"qom-type": f"rng-{backend.model}", "id": f"obj{name}"}
        if backend.model == "random":
            made["filename"] = backend.text or "/dev/urandom"
        elif backend.model == "egd":
            yield from chardev(guest, _Egd(rng), f"char{name}")
            made["chardev"] = f"char{name}"
        yield from guest.backend(dict(made))
        yield from zpci(guest, rng)
        rate = rng.rate if rng.rate and rng.rate.bytes else None
        yield from guest.device(
            {
                **virtio(guest, rng, "virtio-rng", driver=rng.driver, model=rng.model),
                "rng": f"obj{name}",
                "id": name,
                "max-bytes": rate.bytes if rate else None,
                "period": (rate.period or _SECOND) if rate else None,
                **placed(guest, rng),
            }
        )


def tpms(guest: Guest) -> Iterator[str]:
    """Trusted platform modules."""
    for tpm in guest.of(Tpm):
        name, backend = guest.alias(tpm), tpm.backend
        device = (backend.device.path if backend.device else None) or "/dev/tpm0"
        if tpm.model == "spapr-tpm-proxy":
            yield from guest.device({"driver": tpm.model, "id": name, "host-path": device})
            continue
        if backend.type == "passthrough":
            cancel = f"/sys/class/tpm/{device.rpartition('/')[2]}/device/cancel"
            value = f"passthrough,id=tpm-{name},path={escaped(device)},cancel-path={escaped(cancel)}"
        else:
            path = backend.source.path if backend.source else None
            own = f"/run/libvirt/qemu/swtpm/{paths.short_name(guest.domain)}-swtpm.sock"
            yield from ("-chardev", unix_socket("chrtpm", path or own, listens=False))
            value = f"emulator,id=tpm-{name},chardev=chrtpm"
        yield from ("-tpmdev", value)
        model: str = tpm.model or "tpm-tis"
        if model == "tpm-tis" and guest.domain.arch not in X86:
            model = "tpm-tis-device"
        yield from guest.device({"driver": model, "tpmdev": f"tpm-{name}", "id": name, **placed(guest, tpm)})


def panics(guest: Guest) -> Iterator[str]:
    """Panic devices that are devices; the others are the CPU's or the firmware's."""
    for panic in guest.of(Panic):
        if panic.model == "isa":
            port = panic.address.iobase or 0 if isinstance(panic.address, IsaAddress) else None
            yield from guest.device({"driver": "pvpanic", "ioport": port})


def iommus(guest: Guest) -> Iterator[str]:
    """The IOMMU; that of ARM is an option of the machine."""
    for iommu in guest.of(Iommu):
        driver = iommu.driver
        if iommu.model == "intel":
            yield from guest.device(
                {
                    "driver": "intel-iommu",
                    "id": guest.alias(iommu),
                    "intremap": on_off(state=driver.intremap if driver else None),
                    "caching-mode": driver.caching_mode if driver else None,
                    "eim": on_off(state=driver.eim if driver else None),
                    "device-iotlb": driver.iotlb if driver else None,
                    "aw-bits": (driver.aw_bits if driver else None) or None,
                }
            )
        elif iommu.model == "virtio":
            yield from guest.device(
                {"driver": "virtio-iommu", "id": guest.alias(iommu), **placed(guest, iommu)}
            )


def shared_memory(guest: Guest) -> Iterator[str]:
    """Memory that several guests share."""
    for shmem in guest.of(Shmem):
        yield from _shmem(guest, shmem)


def _shmem(guest: Guest, shmem: Shmem) -> Iterator[str]:
    name = guest.alias(shmem)
    model = (shmem.model.type if shmem.model else None) or "ivshmem"
    size = kib(shmem.size, "MiB") * 1024
    if size and (size & (size - 1) or size < _MIB):
        raise Refused("the size of shared memory is a power of two of at least 1 MiB", shmem)
    if not isinstance(shmem.address, PciAddress):
        raise Refused("shared memory sits on PCI", shmem)
    if model == "ivshmem-plain":
        yield from guest.backend(
            {
                "qom-type": "memory-backend-file", "id": f"shmmem-{name}", "mem-path": _SHM + shmem.name,
                "size": size, "share": True,
            }
        )  # fmt: skip
    yield from zpci(guest, shmem)
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
    yield from guest.device(
        {
            "driver": model,
            "id": name,
            **own,
            "vectors": vectors,
            "ioeventfd": ioeventfd,
            **placed(guest, shmem),
        }
    )
    if served and shmem.server:
        path = shmem.server.path or f"/var/lib/libvirt/shmem-{shmem.name}-sock"
        yield from ("-chardev", unix_socket(served, path, listens=False))


def sockets(guest: Guest) -> Iterator[str]:
    """Sockets between host and guest; libvirt looks for a free number where none is given."""
    for vsock in guest.of(Vsock):
        number = (vsock.cid.address if vsock.cid else None) or _FIRST_CID
        yield from zpci(guest, vsock)
        yield from guest.device(
            {
                **virtio(guest, vsock, "vhost-vsock", driver=vsock.driver, model=vsock.model),
                "id": guest.alias(vsock),
                "guest-cid": number,
                **placed(guest, vsock),
            }
        )


def filesystems(guest: Guest) -> Iterator[str]:
    """Directories of the host: by 9p, or by a virtiofsd of libvirt's or somebody else's."""
    for shared in guest.of(Filesystem):
        name = guest.alias(shared)
        tag = shared.target.dir if shared.target else ""
        kind = (shared.driver.type if shared.driver else None) or "path"
        if kind == "virtiofs":
            path = (shared.source.socket if shared.source else None) or paths.own(
                guest.domain, f"{name}-fs.sock"
            )
            yield from ("-chardev", unix_socket(f"chr-vu-{name}", path, listens=False))
            base = "vhost-user-fs"
            own = {
                "chardev": f"chr-vu-{name}",
                "queue-size": (shared.driver.queue if shared.driver else None) or None,
                "tag": tag,
                "bootindex": (shared.boot.order if shared.boot else None),
            }
        elif kind in ("path", "default", "handle"):
            yield from ("-fsdev", _fsdev(shared, name, "handle" if kind == "handle" else "local"))
            base, own = "virtio-9p", {"fsdev": f"fsdev-{name}", "mount_tag": tag}
        else:
            raise Refused(f"QEMU serves no directory with '{kind}'", shared)
        yield from zpci(guest, shared)
        yield from guest.device(
            {
                **virtio(guest, shared, base, driver=shared.driver, model=shared.model),
                "id": name,
                **own,
                **placed(guest, shared),
            }
        )


def _fsdev(shared: Filesystem, name: str, kind: str) -> str:
    words = [kind]
    if kind == "local":
        words.append(f"security_model={_SECURITY[shared.accessmode or 'passthrough']}")
        if shared.multidevs not in (None, "default"):
            words.append(f"multidevs={shared.multidevs}")
        for key, mode in (("fmode", shared.fmode), ("dmode", shared.dmode)):
            if mode:
                words.append(f"{key}={mode:04o}")
    if shared.driver and shared.driver.wrpolicy not in (None, "default"):
        words.append(f"writeout={shared.driver.wrpolicy}")
    path = (shared.source.dir if shared.source else None) or ""
    words += [f"id=fsdev-{name}", f"path={escaped(path)}"]
    if shared.readonly:
        words.append("readonly")
    return ",".join(words)


class _Egd:
    """The backend of an entropy source, seen as what it is connected to."""

    def __init__(self, rng: Rng) -> None:
        backend = rng.backend
        self.type: str = backend.type or ""
        self.source = backend.source
        self.second_source = backend.second_source
        self.protocol = backend.protocol
        self.log = backend.log
