"""Devices that a machine has without anybody asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.device import DeviceMaster
from qcaps.domainxml.devices import Controller, Graphics, Input, Iommu, Memballoon, Panic, Watchdog
from qcaps.domainxml.devices.iommu import IommuDriver
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.definition.completion import audio
from qcaps.rules.definition.completion.controllers import Present
from qcaps.rules.machine import (
    is_arm_virt,
    is_i440fx,
    is_isapc,
    is_mips_malta,
    is_ppc64,
    is_pseries,
    is_q35,
    is_riscv_virt,
    is_s390,
    is_x86,
    needs_eim,
)
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.draft import Draft


@dataclass(frozen=True)
class Board:
    """What comes with a machine. `usb_model` None: QEMU's default; `root`: the model of PCI controller 0."""

    usb: bool = True
    usb_model: str | None = None
    sata: bool = False
    root: str | None = None
    memballoon: bool = True
    usb_inputs: bool = False
    panic: bool = False
    itco: bool = False


_PCI: Final = Board(root="pci-root")
_PLAIN: Final = Board()
_ARM: Final = Board(usb=False, memballoon=False)


def _x86(domain: Domain, caps: Capabilities) -> Board:
    if is_isapc(domain):
        return Board(usb=False)
    if is_q35(domain):
        model = next((name for flag, name in _Q35_USB if flag in caps), None)
        return Board(usb=model is not None, usb_model=model, sata=True, root="pcie-root", itco=True)
    return _PCI if is_i440fx(domain) else _PLAIN


_Q35_USB: Final = (("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci"), ("ich9-usb-ehci1", "ich9-ehci1"))


def _old_arm(domain: Domain, _caps: Capabilities) -> Board:
    root = "pci-root" if domain.machine == "versatilepb" else None
    return Board(usb=False, memballoon=False, root=root)


def _arm(domain: Domain, caps: Capabilities) -> Board:
    pcie = is_arm_virt(domain) and "gpex-pcihost" in caps
    return Board(usb=False, memballoon=False, root="pcie-root") if pcie else _ARM


def _ppc64(domain: Domain, _caps: Capabilities) -> Board:
    return Board(root="pci-root", usb_inputs=True, panic=is_pseries(domain))


def _riscv(domain: Domain, caps: Capabilities) -> Board:
    pcie = is_riscv_virt(domain) and "gpex-pcihost" in caps
    return Board(usb=False, root="pcie-root" if pcie else None)


def _s390(_domain: Domain, caps: Capabilities) -> Board:
    return Board(usb=False, panic=True, root="pci-root" if "zpci" in caps else None)


def _mips(domain: Domain, _caps: Capabilities) -> Board:
    return _PCI if is_mips_malta(domain) else _PLAIN


_BOARDS: Final[dict[str, Callable[[Domain, Capabilities], Board]]] = {
    **dict.fromkeys(("i686", "x86_64"), _x86),
    "armv6l": _old_arm,
    **dict.fromkeys(("armv7l", "aarch64"), _arm),
    **dict.fromkeys(("ppc64", "ppc64le"), _ppc64),
    **dict.fromkeys(("alpha", "ppc", "ppcemb", "sh4", "sh4eb", "sparc64"), lambda _domain, _caps: _PCI),
    **dict.fromkeys(("riscv32", "riscv64"), _riscv),
    **dict.fromkeys(("s390", "s390x"), _s390),
    "sparc": lambda _domain, _caps: _ARM,
    **dict.fromkeys(("mips", "mipsel", "mips64", "mips64el"), _mips),
}
"""Architectures with devices of their own; any other has USB and a memory balloon."""


def board(domain: Domain, caps: Capabilities) -> Board:
    """What comes with the domain's machine under these capabilities.

    Follows: qemuDomainDefAddDefaultDevices
    """
    describe = _BOARDS.get(domain.arch or "")
    return describe(domain, caps) if describe is not None else _PLAIN


def add_default_devices(draft: Draft, caps: Capabilities) -> None:
    """Adds what comes with the machine and is not there yet.

    Follows: qemuDomainDefAddDefaultDevices, qemuDomainDefAddImplicitInputDevice
    """
    domain = draft.domain
    if is_x86(domain) and not _without_ps2(domain):
        _need_input(draft, "mouse", "ps2")
        _need_input(draft, "keyboard", "ps2")
    its = board(domain, caps)
    present = Present(draft)
    if its.usb and present.find("usb", 0) is None:
        _add_usb(present, its.usb_model)
    if its.sata:
        present.need("sata", 0)
    if its.root is not None:
        _need_root(present, its.root)
    if its.memballoon and not draft.of(Memballoon):
        draft.of(Memballoon).append(Memballoon(model="virtio"))
    if its.usb_inputs and draft.of(Graphics):
        _add_usb_inputs(draft)
    if its.panic:
        _need_panic(draft)
    if its.itco and since(_EIM_COMES_ALONG, draft.release) and needs_eim(domain):
        _need_iommu(draft, caps)
    if its.itco and since(_ITCO_IS_SHOWN, draft.release):
        _need_itco(draft)
    audio.add_default(draft)


_ITCO_IS_SHOWN: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether the watchdog of a q35 chipset is a device of the definition."""


_EIM_COMES_ALONG: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a guest with many CPUs gets the I/O MMU that takes."""


def _need_iommu(draft: Draft, caps: Capabilities) -> None:
    if draft.of(Iommu) or not {"intel-iommu", "intel-iommu.intremap", "intel-iommu.eim"} <= caps.flags:
        return
    draft.of(Iommu).append(Iommu(model="intel", driver=IommuDriver(intremap=True, eim=True)))


def _need_itco(draft: Draft) -> None:
    """The chipset's watchdog; one action is common to all watchdogs."""
    watchdogs = draft.of(Watchdog)
    if not any(one.model == "itco" for one in watchdogs):
        action = watchdogs[0].action if watchdogs else "reset"
        watchdogs.append(Watchdog(model="itco", action=action))


def _without_ps2(domain: Domain) -> bool:
    ps2 = domain.features.ps2 if domain.features is not None else None
    return ps2 is not None and ps2.state is False


# Follows: virDomainDefMaybeAddInput
def _need_input(draft: Draft, kind: str, bus: str) -> None:
    inputs = draft.of(Input)
    if not any(one.type == kind and one.bus == bus for one in inputs):
        inputs.append(evolve(Input(type="mouse"), type=kind, bus=bus))


# Follows: virDomainDefAddUSBController
def _add_usb(present: Present, model: str | None) -> None:
    present.add(Controller(type="usb", index=0, model=model))
    if model == "ich9-ehci1":
        for companion, port in (("ich9-uhci1", 0), ("ich9-uhci2", 2), ("ich9-uhci3", 4)):
            master = DeviceMaster(startport=port)
            present.add(Controller(type="usb", index=0, model=companion, master=master))


def _need_root(present: Present, model: str) -> None:
    root = present.find("pci", 0)
    if root is None:
        present.add(Controller(type="pci", index=0, model=model))
    elif root.model != model:
        raise Refused(
            f"XML error: PCI controller 0 of this machine must be a {model}, not a {root.model}", root
        )


def _add_usb_inputs(draft: Draft) -> None:
    """A keyboard, and a mouse where no tablet does its work."""
    tablet = any(one.type == "tablet" and one.bus == "usb" for one in draft.of(Input))
    _need_input(draft, "keyboard", "usb")
    if not tablet:
        _need_input(draft, "mouse", "usb")


def _need_panic(draft: Draft) -> None:
    """The firmware of pseries, and s390, tell of a panic by themselves."""
    domain = draft.domain
    own: set[str | None] = {None, "default"}
    if is_ppc64(domain):
        own.add("pseries")
    if is_s390(domain):
        own.add("s390")
    panics = draft.of(Panic)
    if not any(one.model in own for one in panics):
        panics.append(Panic())
