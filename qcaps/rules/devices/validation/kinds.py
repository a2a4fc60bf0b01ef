"""The checks of each device kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domain import devices as d
from qcaps.rules.devices.validation import (
    chardev,
    controller,
    disk,
    display,
    filesystem,
    hostdev,
    interface,
    machine_devices,
    qemu_disk,
    small_kinds,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.device import Device
    from qcaps.rules.shared.guest import Guest

# each function takes the kind it stands beside, which a dict cannot say
ANY_HYPERVISOR: dict[type[Device], Callable[[Any, Guest], None]] = {
    d.Disk: disk.check_disk,
    d.Redirdev: chardev.check_redirdev,
    d.Interface: interface.check_interface,
    d.Controller: controller.check_controller,
    d.Serial: chardev.check_chardev,
    d.Parallel: chardev.check_chardev,
    d.Channel: chardev.check_chardev,
    d.Console: chardev.check_chardev,
    d.Smartcard: chardev.check_smartcard,
    d.Rng: chardev.check_rng,
    d.Hostdev: hostdev.check_hostdev,
    d.Video: display.check_video,
    d.Memory: machine_devices.check_memory,
    d.Vsock: small_kinds.check_vsock,
    d.Input: small_kinds.check_input,
    d.Shmem: small_kinds.check_shmem,
    d.Filesystem: filesystem.check_filesystem,
    d.Audio: small_kinds.check_audio,
    d.Sound: small_kinds.check_sound,
    d.Graphics: display.check_graphics,
    d.Iommu: machine_devices.check_iommu,
    d.Tpm: machine_devices.check_tpm,
}
"""What libvirt asks of a device under any hypervisor; it comes before capabilities are looked up."""

QEMU: dict[type[Device], Callable[[Any, Guest, Capabilities], None]] = {
    d.Interface: interface.check_qemu_interface,
    d.Serial: chardev.check_qemu_serial,
    d.Parallel: chardev.check_qemu_chardev,
    d.Channel: chardev.check_qemu_chardev,
    d.Console: chardev.check_qemu_chardev,
    d.Smartcard: chardev.check_qemu_smartcard,
    d.Rng: chardev.check_qemu_rng,
    d.Redirdev: chardev.check_qemu_redirdev,
    d.Watchdog: small_kinds.check_qemu_watchdog,
    d.Hostdev: hostdev.check_qemu_hostdev,
    d.Video: display.check_qemu_video,
    d.Disk: qemu_disk.check_qemu_disk,
    d.Controller: controller.check_qemu_controller,
    d.Vsock: small_kinds.check_qemu_vsock,
    d.Tpm: machine_devices.check_qemu_tpm,
    d.Graphics: display.check_qemu_graphics,
    d.Input: small_kinds.check_qemu_input,
    d.Memballoon: small_kinds.check_qemu_memballoon,
    d.Iommu: machine_devices.check_qemu_iommu,
    d.Filesystem: filesystem.check_qemu_filesystem,
    d.Nvram: small_kinds.check_qemu_nvram,
    d.Hub: small_kinds.check_qemu_hub,
    d.Sound: small_kinds.check_qemu_sound,
    d.Memory: machine_devices.check_qemu_memory,
    d.Shmem: small_kinds.check_qemu_shmem,
    d.Audio: small_kinds.check_qemu_audio,
}
"""What QEMU, or this QEMU, cannot do."""
