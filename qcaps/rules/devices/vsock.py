"""`<vsock>`: sockets between host and guest, and the guest's number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Vsock
from qcaps.domainxml.devices.vsock import VsockCid
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.pci import VIRTIO_WAYS, by_model
from qcaps.rules.shared.refuse import need, unsupported
from qcaps.rules.shared.virtio import VIRTIO_MODELS, check_no_virtio_options
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def complete(_state: State, vsock: Vsock) -> Vsock:
    """The virtio model; libvirt chooses the number of the guest unless one is given.

    Follows: qemuDomainVsockDefPostParse, virDomainVsockDefPostParse
    """
    cid = vsock.cid or VsockCid()
    auto = cid.address is None if cid.auto is None else cid.auto
    model = "virtio" if vsock.model in (None, "default") else vsock.model
    return evolve(vsock, model=model, cid=evolve(cid, auto=auto))


_FIRST_GUEST_CID = 3


def refuse(vsock: Vsock, _guest: Guest) -> None:
    """Refuses a number that the guest cannot have, and virtio options of a device that is not virtio.

    Follows: virDomainVsockDefValidate
    """
    if vsock.cid is not None and 0 < (vsock.cid.address or 0) < _FIRST_GUEST_CID:
        raise unsupported(f"the CID of a guest is at least {_FIRST_GUEST_CID}", vsock)
    if vsock.model not in VIRTIO_MODELS:
        check_no_virtio_options(vsock.driver, vsock)


def refuse_by_qemu(vsock: Vsock, _guest: Guest, caps: Capabilities) -> None:
    """Refuses a QEMU without the vhost-vsock device.

    Follows: qemuValidateDomainDeviceDefVsock
    """
    need(caps, "vhost-vsock", "a vsock device", vsock)


_FIRST_CID: Final = 3
"""The numbers below belong to the hypervisor, to nobody and to the host."""


def sockets(launch: Launch) -> Iterator[str]:
    """Sockets between host and guest; libvirt looks for a free number where none is given.

    Follows: qemuBuildVsockCommandLine, qemuBuildVsockDevProps
    """
    for vsock in launch.of(Vsock):
        number = (vsock.cid.address if vsock.cid else None) or _FIRST_CID
        yield from zpci(launch, vsock)
        yield from launch.device(
            {
                **virtio(launch, vsock, "vhost-vsock", driver=vsock.driver, model=vsock.model),
                "id": launch.alias(vsock),
                "guest-cid": number,
                **placed(launch, vsock),
            }
        )


VSOCK = Kind(
    Vsock,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=lambda vsock, way: by_model(VIRTIO_WAYS, vsock.model, way), wants=lambda _: True),
    on_virtio_bus=lambda _: True,
    alias=by_place("vsock"),
)
