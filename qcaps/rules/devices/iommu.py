"""`<iommu>`: the model against the machine, and its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Iommu
from qcaps.domainxml.devices.iommu import IommuDriver
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.addresses.pci.flags import INTEGRATED
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.machine import needs_eim
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import malformed, need, unsupported
from qcaps.rules.start.address import placed
from qcaps.rules.start.argument import on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def read(_domain: Domain, iommu: Iommu) -> Iommu:
    """Leaves out an address width of 0, and a driver that says nothing.

    Follows: virDomainIOMMUDefParseXML, virDomainIOMMUDefFormat
    """
    driver = iommu.driver
    if driver is None:
        return iommu
    driver = evolve(driver, aw_bits=driver.aw_bits or None)
    said = any(value is not None for name, value in driver.__dict__.items() if name != "line")
    return evolve(iommu, driver=driver if said else None)


_EIM_COMES_ALONG: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether an I/O MMU of a guest with many CPUs can address them without being told."""


def complete(state: State, iommu: Iommu) -> Iommu:
    """That of a guest with many CPUs can interrupt them all.

    Follows: qemuDomainIOMMUDefPostParse
    """
    if iommu.model != "intel" or not since(_EIM_COMES_ALONG, state.draft.release):
        return iommu
    if not needs_eim(state.domain):
        return iommu
    driver = iommu.driver or IommuDriver()
    changes = {
        name: True
        for name in ("intremap", "eim")
        if getattr(driver, name) is None and f"intel-iommu.{name}" in state.caps
    }
    return evolve(iommu, driver=evolve(driver, **changes)) if changes else iommu


_IOMMU_OPTIONS = {
    "intremap": "intel-iommu.intremap",
    "caching_mode": "intel-iommu.caching-mode",
    "eim": "intel-iommu.eim",
    "iotlb": "intel-iommu.device-iotlb",
    "aw_bits": "intel-iommu.aw-bits",
    "dma_translation": "intel-iommu.dma-translation",
}
"""Options of the I/O MMU's `<driver>`, and the flag each needs."""


def refuse(iommu: Iommu, _guest: Guest) -> None:
    """Refuses options of a model that has none, and addresses of a model that has none.

    Follows: virDomainIOMMUDefValidate
    """
    options = _iommu_options(iommu)
    if iommu.model in ("smmuv3", "virtio") and any(options[name] is not None for name in options):
        raise malformed(f"an I/O MMU of model '{iommu.model}' has no options", iommu)
    if iommu.model in ("smmuv3", "intel") and iommu.address is not None:
        raise malformed(f"an I/O MMU of model '{iommu.model}' has no address", iommu)


def _iommu_options(iommu: Iommu) -> dict[str, object]:
    given = {} if iommu.driver is None else iommu.driver.__dict__
    options = {name: given.get(name) for name in _IOMMU_OPTIONS}
    options["aw_bits"] = options["aw_bits"] or None
    return options


def refuse_by_qemu(iommu: Iommu, guest: Guest, caps: Capabilities) -> None:
    """The model against the machine, and the options against this QEMU.

    Follows: qemuValidateDomainDeviceDefIOMMU
    """
    model = iommu.model
    needs, flags = {
        "intel": (guest.is_q35, ("intel-iommu",)),
        "smmuv3": (guest.is_arm_virt, ("machine.virt.iommu",)),
        "virtio": (guest.is_q35 or guest.is_arm_virt, ("virtio-iommu-pci", "virtio-iommu.boot-bypass")),
    }[model]
    if not needs:
        raise unsupported(f"there is no I/O MMU of model '{model}' for {guest.where}", iommu)
    for flag in flags:
        need(caps, flag, f"an I/O MMU of model '{model}'", iommu)
    if model == "virtio":
        if not guest.acpi:
            raise unsupported("an I/O MMU of model 'virtio' needs <acpi/>", iommu)
        if address_type(iommu) not in (None, "pci"):
            raise unsupported("an I/O MMU of model 'virtio' takes a PCI address", iommu)
    for name, value in _iommu_options(iommu).items():
        if value is not None:
            need(caps, _IOMMU_OPTIONS[name], f"{name} of the I/O MMU", iommu)


def iommus(launch: Launch) -> Iterator[str]:
    """The IOMMU; that of ARM is an option of the machine.

    Follows: qemuBuildIOMMUCommandLine
    """
    for iommu in launch.of(Iommu):
        driver = iommu.driver
        if iommu.model == "intel":
            yield from launch.device(
                {
                    "driver": "intel-iommu",
                    "id": launch.alias(iommu),
                    "intremap": on_off(state=driver.intremap if driver else None),
                    "caching-mode": driver.caching_mode if driver else None,
                    "eim": on_off(state=driver.eim if driver else None),
                    "device-iotlb": driver.iotlb if driver else None,
                    "aw-bits": (driver.aw_bits if driver else None) or None,
                    "dma-translation": on_off(state=driver.dma_translation if driver else None),
                }
            )
        elif iommu.model == "virtio":
            yield from launch.device(
                {"driver": "virtio-iommu", "id": launch.alias(iommu), **placed(launch, iommu)}
            )


IOMMU = Kind(
    Iommu,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda iommu, way: way.virtio | INTEGRATED if iommu.model == "virtio" else 0,
        wants=lambda iommu: iommu.model == "virtio",
    ),
    alias=by_place("iommu"),
)
