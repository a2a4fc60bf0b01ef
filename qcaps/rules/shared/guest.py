"""What the checks ask of the domain, each answer worked out at most once a pass."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Audio, Controller, Graphics, Hostdev, Redirfilter, Smartcard, Video
from qcaps.rules import machine

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities, Machine
    from qcaps.domainxml.device import Device
    from qcaps.domainxml.devices.disk import DiskIotune
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.numa import NumaCell
    from qcaps.rules.draft import Draft
    from qcaps.rules.shared.host_facts import HostFacts
    from qcaps.rules.shared.storage import Storage


@dataclass(frozen=True)
class Guest:
    """The domain as it stands when validation begins; nothing changes it until validation ends."""

    draft: Draft
    host: HostFacts

    @cached_property
    def domain(self) -> Domain:
        """Everything but the devices."""
        return self.draft.domain

    @cached_property
    def arch(self) -> str:
        """The architecture; post-parse has filled it in."""
        return self.domain.arch or "x86_64"

    @cached_property
    def machine(self) -> str:
        """The canonical machine type; post-parse has filled it in."""
        return self.domain.machine or ""

    @cached_property
    def is_x86(self) -> bool:
        """i686 or x86_64."""
        return machine.is_x86(self.domain)

    @cached_property
    def is_ppc64(self) -> bool:
        """Either byte order."""
        return machine.is_ppc64(self.domain)

    @cached_property
    def is_s390(self) -> bool:
        """31 or 64 bits."""
        return machine.is_s390(self.domain)

    @cached_property
    def is_q35(self) -> bool:
        """PCI Express on x86."""
        return machine.is_q35(self.domain)

    @cached_property
    def is_i440fx(self) -> bool:
        """Conventional PCI on x86."""
        return machine.is_i440fx(self.domain)

    @cached_property
    def is_pseries(self) -> bool:
        """The paravirtualised POWER machine."""
        return machine.is_pseries(self.domain)

    @cached_property
    def is_arm_virt(self) -> bool:
        """ARM's `virt`."""
        return machine.is_arm_virt(self.domain)

    @cached_property
    def is_riscv_virt(self) -> bool:
        """RISC-V's `virt`."""
        return machine.is_riscv_virt(self.domain)

    @cached_property
    def is_s390_ccw(self) -> bool:
        """The s390 machine with channel devices."""
        return machine.is_s390_ccw(self.domain)

    @cached_property
    def has_ide(self) -> bool:
        """Whether the board carries an IDE controller."""
        return machine.has_builtin_ide(self.domain)

    @cached_property
    def has_esp(self) -> bool:
        """Whether the board carries an ESP SCSI controller."""
        return machine.has_builtin_esp(self.domain)

    @cached_property
    def where(self) -> str:
        """Architecture and machine, for a message."""
        return f"architecture '{self.arch}' and machine type '{self.machine}'"

    @cached_property
    def acpi(self) -> bool:
        """Whether the guest has ACPI tables."""
        return self.domain.features is not None and self.domain.features.acpi

    @cached_property
    def uefi(self) -> bool:
        """Whether UEFI is asked for, by name or by a flash image."""
        os = self.domain.os
        return os.firmware == "efi" or (os.loader is not None and os.loader.type == "pflash")

    @cached_property
    def vcpus_max(self) -> int:
        """The most virtual CPUs there may be."""
        vcpu = self.domain.vcpu
        return 1 if vcpu is None or vcpu.value is None else vcpu.value

    @cached_property
    def vcpus(self) -> int:
        """The virtual CPUs there are at first."""
        if self.domain.vcpus is not None and self.domain.vcpus.vcpu:
            return sum(one.enabled for one in self.domain.vcpus.vcpu)
        vcpu = self.domain.vcpu
        return self.vcpus_max if vcpu is None or vcpu.current is None else vcpu.current

    @cached_property
    def cells(self) -> tuple[NumaCell, ...]:
        """The guest's NUMA nodes, as they stand in the file."""
        cpu = self.domain.cpu
        return () if cpu is None or cpu.numa is None else cpu.numa.cell

    @cached_property
    def iothreads(self) -> IothreadNumbers:
        """The numbers of the I/O threads."""
        return IothreadNumbers.of(self.domain)

    @cached_property
    def has_usb(self) -> bool:
        """Whether any USB controller is there."""
        return any(one.type == "usb" and one.model != "none" for one in self.draft.of(Controller))

    @cached_property
    def graphics(self) -> frozenset[str]:
        """The types of the displays."""
        return frozenset(one.type for one in self.draft.of(Graphics))

    @cached_property
    def audio_types(self) -> dict[int, str]:
        """The type of each audio backend by its number; of two with one number, the first."""
        types: dict[int, str] = {}
        for audio in self.draft.of(Audio):
            types.setdefault(audio.id, audio.type)
        return types

    @cached_property
    def scsi_models(self) -> dict[int, str | None]:
        """The model of each SCSI controller by its index; of two with one index, the first."""
        models: dict[int, str | None] = {}
        for controller in self.draft.of(Controller):
            if controller.type == "scsi":
                models.setdefault(controller.index or 0, controller.model)
        return models

    @cached_property
    def has_redirection_filter(self) -> bool:
        """Whether a filter says which USB devices may be redirected."""
        return any(one.usbdev for one in self.draft.of(Redirfilter))

    @cached_property
    def smartcards(self) -> int:
        """How many smartcards there are."""
        return len(self.draft.of(Smartcard))

    @cached_property
    def vfio_ap_count(self) -> int:
        """How many mediated devices are crypto adapters."""
        return sum(one.type == "mdev" and one.model == "vfio-ap" for one in self.draft.of(Hostdev))

    @cached_property
    def audio_twice(self) -> frozenset[int]:
        """The numbers that two audio backends have."""
        counts = Counter(one.id for one in self.draft.of(Audio))
        return frozenset(number for number, count in counts.items() if count > 1)

    @cached_property
    def has_no_video(self) -> bool:
        """Whether a video device says that there is none."""
        return any(one.model is not None and one.model.type == "none" for one in self.draft.of(Video))

    @cached_property
    def storage(self) -> dict[int, Storage]:
        """The image of each disk by the disk's identity; filled as the disks are checked."""
        return {}

    @cached_property
    def throttle_groups(self) -> dict[str, DiskIotune]:
        """The limits of the first disk of each group; filled as the disks are checked."""
        return {}

    @cached_property
    def memory_shared(self) -> bool:
        """Whether `<memoryBacking>` shares all memory."""
        backing = self.domain.memory_backing
        return backing is not None and backing.access is not None and backing.access.mode == "shared"

    def machine_in(self, caps: Capabilities) -> Machine | None:
        """The guest's machine type among those of this QEMU, by its canonical name."""
        found = caps.machine(self.machine, self.domain.type)
        return found if found is not None and found.name == self.machine else None


@dataclass(frozen=True)
class IothreadNumbers:
    """The numbers of the I/O threads: those listed, then the lowest free ones up to the count.

    Never spelt out: a file may ask for billions.
    """

    listed: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, domain: Domain) -> IothreadNumbers:
        """Those of `domain`."""
        listed = sorted({one.id for one in domain.iothreadids.iothread}) if domain.iothreadids else ()
        count = (domain.iothreads.value or 0) if domain.iothreads else 0
        return cls(tuple(listed), count)

    def __contains__(self, number: int) -> bool:
        below = bisect_left(self.listed, number)
        if below < len(self.listed) and self.listed[below] == number:
            return True
        return 0 < number - below <= self.count - len(self.listed)


def address_type(device: Device) -> str | None:
    """The type of the device's address; None while it has none."""
    return None if device.address is None else device.address.type
