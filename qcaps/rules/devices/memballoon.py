"""`<memballoon>`: the balloon, and options that some QEMUs lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Memballoon
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.pci import VIRTIO_WAYS, by_model
from qcaps.rules.shared.refuse import need, unsupported
from qcaps.rules.shared.virtio import VIRTIO_MODELS
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


_PLACED: Final = ("address", "alias", "acpi", "boot", "rom", "master")
"""What libvirt does not look at where there is no balloon."""


def read(_domain: Domain, balloon: Memballoon) -> Memballoon:
    """Leaves out the address of a balloon of model none, and statistics without a period.

    Follows: virDomainMemballoonDefParseXML, virDomainMemballoonDefFormat
    """
    changes: dict[str, Any] = {}
    if balloon.stats is not None and (balloon.stats.period or 0) <= 0:
        changes["stats"] = None
    if balloon.model == "none":
        changes |= {name: None for name in _PLACED if balloon.__dict__.get(name) is not None}
    return evolve(balloon, **changes) if changes else balloon


def refuse_by_qemu(balloon: Memballoon, _guest: Guest, caps: Capabilities) -> None:
    """Refuses balloons that are not virtio, and options that this QEMU lacks.

    Follows: qemuValidateDomainDeviceDefMemballoon
    """
    if balloon.model == "none":
        return
    if balloon.model not in VIRTIO_MODELS:
        raise unsupported(f"QEMU has no balloon '{balloon.model}'", balloon)
    if balloon.autodeflate is not None:
        need(caps, "virtio-balloon-pci.deflate-on-oom", "autodeflate", balloon)
    if balloon.free_page_reporting is not None:
        need(caps, "virtio-balloon.free-page-reporting", "freePageReporting", balloon)


def balloons(launch: Launch) -> Iterator[str]:
    """The balloon.

    Follows: qemuBuildMemballoonCommandLine
    """
    for balloon in launch.of(Memballoon):
        if balloon.model in ("none", "xen"):
            continue
        yield from zpci(launch, balloon)
        yield from launch.device(
            {
                **virtio(launch, balloon, "virtio-balloon", driver=balloon.driver, model=balloon.model),
                "id": launch.alias(balloon),
                "deflate-on-oom": balloon.autodeflate,
                "free-page-reporting": balloon.free_page_reporting,
                **placed(launch, balloon),
            }
        )


MEMBALLOON = Kind(
    Memballoon,
    read=read,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda balloon, way: by_model(VIRTIO_WAYS, balloon.model, way),
        wants=lambda balloon: balloon.model != "none",
    ),
    on_virtio_bus=lambda balloon: balloon.model != "none",
    alias=by_place("balloon"),
)
