"""From what a QEMU says to libvirt's flags: the rules of libvirt 9.0.0, as tables, and what changed since.

`of(release)` has them all as they are in a release.

Flags carry libvirt's names, everything else QEMU's. Nothing here asks QEMU: `conversation` does,
and `interpretation` applies these tables to the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import ARM, PPC64, S390, X86
from qcaps.release import DEFAULT, R9_0, R11_3, R12_8

if TYPE_CHECKING:
    from qcaps.release import Release, Since

BY_ARCH: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(X86, ("no-acpi", "no-hpet")),
    "aarch64": ("no-acpi", "aarch64-off", "gic-version"),
    **dict.fromkeys(S390, ("aes-key-wrap", "dea-key-wrap", "loadparm")),
    **dict.fromkeys(("sparc", "m68k", "mips"), ("ncr53c90",)),
}
"""Architecture to the flags it brings, whatever QEMU says."""

FIPS_GONE: Final = 5_002_000
"""The version from which QEMU has no -enable-fips (flag `enable-fips` before)."""

_COMMANDS: Final = """
block-export-add blockdev-reopen calc-dirty-rate query-cpu-definitions query-cpu-model-baseline
query-cpu-model-comparison query-cpu-model-expansion query-dirty-rate query-hotpluggable-cpus query-stats
query-stats-schemas rtc-reset-reinjection set-action sev-inject-launch-secret
"""

COMMANDS: Final = {"query-vnc": "vnc"} | {name: name for name in _COMMANDS.split()}
"""QMP command to flag."""

_TYPES_CALLED_LIKE_THEIR_FLAG: Final = """
am53c974 bochs-display cirrus-vga dbus-vmstate dc390 e1000 gpex-pcihost hda-duplex hda-micro hda-output
i8042 ich9-ahci ich9-intel-hda ich9-usb-ehci1 input-linux intel-iommu ioh3420 iothread isa-serial ivshmem
ivshmem-doorbell ivshmem-plain mch megasas memory-backend-memfd mptsas1068 nec-usb-xhci nvdimm pc-dimm
pci-bridge pci-ohci pci-serial pcie-pci-bridge pcie-root-port piix3-usb-uhci piix4-usb-uhci pl011
pr-manager-helper pvpanic pvscsi pxb pxb-pcie qemu-xhci qxl ramfb rng-builtin rng-egd rng-random rtl8139
s390-pv-guest sclplmconsole scsi-block sev-guest sgx-epc spapr-pci-host-bridge spapr-tpm-proxy spapr-vty
thread-context tpm-spapr usb-audio usb-ehci usb-hub usb-kbd usb-redir usb-serial usb-storage vfio-ap
vfio-ccw vfio-pci VGA vhost-scsi vhost-user-blk vhost-user-gpu vhost-user-vga virtio-gpu-ccw
virtio-gpu-gl-pci virtio-iommu-pci virtio-keyboard-ccw virtio-mem-pci virtio-mmio virtio-mouse-ccw
virtio-pmem-pci virtio-scsi-pci virtio-tablet-ccw virtio-vga virtio-vga-gl vmcoreinfo vmgenid vmware-svga
vt82c686b-usb-uhci x3130-upstream xio3130-downstream zpci
"""

_TRANSITIONAL: Final = tuple(
    f"{device}-pci-{kind}"
    for device in (
        "vhost-scsi",
        "vhost-vsock",
        "virtio-9p",
        "virtio-balloon",
        "virtio-blk",
        "virtio-net",
        "virtio-rng",
        "virtio-scsi",
        "virtio-serial",
    )
    for kind in ("transitional", "non-transitional")
)

_TYPES_BEHIND_A_FLAG: Final[dict[str, tuple[str, ...]]] = {
    "arm-max-cpu": ("max-arm-cpu",),
    "ccid-emulated": ("ccid-card-emulated",),
    "ccid-passthru": ("ccid-card-passthru",),
    "dmi-to-pci-bridge": ("i82801b11-bridge",),
    "lsi": ("lsi53c895a",),
    "machine-vmport-opt": ("vmport",),
    "nvram": ("spapr-nvram",),
    "s390-sclp": ("sclpconsole",),
    "tcg": ("tcg-accel",),
    "vhost-user-fs": ("vhost-user-fs-device",),
    "vhost-vsock": ("vhost-vsock-device",),
    "virtio-ccw": ("virtio-blk-ccw",),
    "virtio-gpu": ("virtio-gpu-pci", "virtio-gpu-device"),
    "virtio-input-host": ("virtio-input-host-pci", "virtio-input-host-device"),
    "virtio-keyboard": ("virtio-keyboard-pci", "virtio-keyboard-device"),
    "virtio-mouse": ("virtio-mouse-pci", "virtio-mouse-device"),
    "virtio-net": ("virtio-net-pci", "virtio-net-ccw", "virtio-net-device"),
    "virtio-pci-non-transitional": _TRANSITIONAL,
    "virtio-rng": ("virtio-rng-pci", "virtio-rng-ccw", "virtio-rng-device"),
    "virtio-scsi-pci": ("virtio-scsi-ccw", "virtio-scsi-device"),
    "virtio-tablet": ("virtio-tablet-pci", "virtio-tablet-device"),
    "x86-max-cpu": ("max-x86_64-cpu",),
}

TYPES: Final[dict[str, str]] = {name: name for name in _TYPES_CALLED_LIKE_THEIR_FLAG.split()} | {
    name: flag for flag, names in _TYPES_BEHIND_A_FLAG.items() for name in names
}
"""QOM type to flag: QEMU was built with it."""

_ACPI_INDEX: Final = {"acpi-index": "acpi-index"}
_BALLOON: Final = _ACPI_INDEX | {
    "deflate-on-oom": "virtio-balloon-pci.deflate-on-oom",
    "free-page-reporting": "virtio-balloon.free-page-reporting",
}
_BLOCK: Final = _ACPI_INDEX | {"queue-size": "virtio-blk.queue-size", "scsi": "virtio-blk-pci.scsi"}
_NET: Final = _ACPI_INDEX | {"rss": "virtio-net.rss"}
_GPU: Final = _ACPI_INDEX | {"virgl": "virtio-gpu.virgl"}

DEVICE_PROPERTIES: Final[dict[str, dict[str, str]]] = {
    "ICH9-LPC": {"disable_s3": "ich9-disable-s3", "disable_s4": "ich9-disable-s4"},
    "PIIX4_PM": {
        "acpi-root-pci-hotplug": "piix4.acpi-root-pci-hotplug",
        "disable_s3": "disable-s3",
        "disable_s4": "disable-s4",
    },
    "VGA": {"vgamem_mb": "VGA.vgamem_mb"},
    "ide-hd": {"wwn": "ide-drive.wwn"},
    "intel-iommu": {
        name: f"intel-iommu.{name}" for name in ("aw-bits", "caching-mode", "device-iotlb", "eim", "intremap")
    },
    "kvm-pit": {"lost_tick_policy": "kvm-pit-lost-tick-policy"},
    "mch": {"extended-tseg-mbytes": "mch.extended-tseg-mbytes"},
    "nvdimm": {"unarmed": "nvdimm.unarmed"},
    "pcie-root-port": {"hotplug": "pcie-root-port.hotplug"},
    "qxl": {"vgamem_mb": "qxl.vgamem_mb", "vram64_size_mb": "qxl.vram64_size_mb"},
    "scsi-hd": {"channel": "scsi-disk.channel", "rotation_rate": "rotation-rate", "wwn": "scsi-disk.wwn"},
    "spapr-pci-host-bridge": {"numa_node": "spapr-pci-host-bridge.numa_node"},
    "usb-host": {"guest-resets-all": "usb-host.guest-resets-all", "hostdevice": "usb-host.hostdevice"},
    "usb-redir": {"filter": "usb-redir.filter"},
    "usb-storage": {"removable": "usb-storage.removable"},
    "vfio-pci": {"display": "vfio-pci.display"},
    "vhost-user-fs-device": {"bootindex": "vhost-user-fs.bootindex"},
    "virtio-balloon-ccw": _BALLOON,
    "virtio-balloon-device": _BALLOON,
    "virtio-balloon-pci": _BALLOON,
    "virtio-blk-ccw": _BLOCK,
    "virtio-blk-pci": _BLOCK,
    "virtio-gpu-ccw": _GPU,
    "virtio-gpu-device": _GPU,
    "virtio-gpu-pci": _GPU,
    "virtio-iommu-pci": {"boot-bypass": "virtio-iommu.boot-bypass"},
    "virtio-mem-pci": {"prealloc": "virtio-mem-pci.prealloc"},
    "virtio-net-ccw": _NET,
    "virtio-net-pci": _NET,
    "virtio-scsi-ccw": _ACPI_INDEX,
    "virtio-scsi-pci": _ACPI_INDEX,
    "vmware-svga": {"vgamem_mb": "vmware-svga.vgamem_mb"},
}
"""Device type to {property: flag}."""

OFF_BY_DEFAULT: Final = {("virtio-blk-pci", "scsi"), ("virtio-blk-ccw", "scsi")}
"""Device properties whose default value `false` brings the flag `virtio-blk-pci.scsi.default.disabled`."""

_MAX_CPU: Final = {
    "kvm-no-adjvtime": "cpu.kvm-no-adjvtime",
    "migratable": "cpu.migratable",
    "unavailable-features": "cpu-unavailable-features",
}

OBJECT_PROPERTIES: Final[dict[str, dict[str, str]]] = {
    "max-arm-cpu": _MAX_CPU,
    "max-x86_64-cpu": _MAX_CPU,
    "memory-backend-file": {
        name: f"memory-backend-file.{name}"
        for name in ("pmem", "prealloc-threads", "reserve", "x-use-canonical-path-for-ramblock-id")
    },
    "memory-backend-memfd": {"hugetlb": "memory-backend-memfd.hugetlb"},
}
"""QOM type that is no device to {property: flag}."""

MACHINE_PROPERTIES: Final[dict[str, dict[str, str]]] = {
    "none": {"confidential-guest-support": "confidential-guest-support"},
    "pseries": {
        f"cap-{name}": f"machine.pseries.cap-{name}"
        for name in ("ccf-assist", "cfpc", "hpt-max-page-size", "htm", "ibs", "nested-hv", "sbbc")
    },
    "virt": {"iommu": "machine.virt.iommu"},
}
"""Machine type, or the alias of one, to {property: flag}."""

SCHEMA: Final[dict[str, str]] = {
    "blockdev-add/arg-type/+file/aio/^io_uring": "aio.io_uring",
    "blockdev-add/arg-type/+file/drop-cache": "migration-file-drop-cache",
    "blockdev-add/arg-type/+nbd/tls-hostname": "blockdev.nbd.tls-hostname",
    "blockdev-add/arg-type/+nvme": "drive-nvme",
    "blockdev-add/arg-type/+rbd/encrypt": "rbd-encryption",
    "blockdev-add/arg-type/+vxhs": "vxhs",
    "blockdev-snapshot/$allow-write-only-overlay": "blockdev-snapshot.allow-write-only-overlay",
    "calc-dirty-rate/arg-type/mode": "dirtyrate-param.mode",
    "chardev-add/arg-type/backend/+qemu-vdagent": "chardev.qemu-vdagent",
    "chardev-add/arg-type/backend/+socket/data/reconnect": "chardev-reconnect",
    "device_add/$json-cli-hotplug": "device.json+hotplug",
    "migrate-set-parameters/arg-type/block-bitmap-mapping/bitmaps/transform": (
        "migration-param.block-bitmap-mapping"
    ),
    "nbd-server-add/arg-type/bitmap": "nbd-bitmap",
    "nbd-server-start/arg-type/tls-creds": "nbd-tls",
    "netdev_add/arg-type/+stream": "netdev.stream",
    "netdev_add/arg-type/+vhost-vdpa": "netdev.vhost-vdpa",
    "netdev_add/arg-type/type/^dgram": "netdev.json",
    "object-add/arg-type/+iothread/thread-pool-max": "iothread.thread-pool-max",
    "object-add/arg-type/+sev-guest/kernel-hashes": "sev-guest-kernel-hashes",
    "object-add/arg-type/qom-type/^secret": "object.qapified",
    "query-display-options/ret-type/+dbus": "display-dbus",
    "query-display-options/ret-type/+egl-headless": "egl-headless",
    "query-display-options/ret-type/+egl-headless/rendernode": "egl-headless.rendernode",
    "query-display-options/ret-type/+sdl": "sdl",
    "query-hotpluggable-cpus/ret-type/props/die-id": "smp-dies",
    "query-iothreads/ret-type/poll-max-ns": "iothread.poll-max-ns",
    "query-migrate/ret-type/blocked-reasons": "migration.blocked-reasons",
    "query-named-block-nodes/arg-type/flat": "query-named-block-nodes.flat",
    "screendump/arg-type/device": "screendump_device",
    "screendump/arg-type/format/^png": "screenshot-format-png",
    "set-numa-node/arg-type/+hmat-lb": "numa.hmat",
}
"""Path through the QMP schema (see `schema`) to flag."""

OPTIONS: Final[dict[tuple[str, str | None], str]] = {
    ("fsdev", "multidevs"): "fsdev.multidevs",
    ("machine", "hpet"): "machine-hpet",
    ("sandbox", None): "seccomp-sandbox",
    ("spice", None): "spice",
    ("spice", "gl"): "spice-gl",
    ("spice", "rendernode"): "spice-rendernode",
    ("vnc", "power-control"): "vnc-power-control",
}
"""Command-line option and its parameter (None: the option itself) to flag."""

TPM_MODELS: Final = {name: name for name in ("tpm-crb", "tpm-spapr", "tpm-tis")}
TPM_TYPES: Final = {"emulator": "tpm-emulator", "passthrough": "tpm-passthrough"}
MIGRATION: Final = {"rdma-pin-all": "migrate-rdma"}

INTERLOCKED: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (frozenset({"blockdev-reopen", "migration-param.block-bitmap-mapping"}), "incremental-backup"),
    (frozenset({"object.qapified"}), "compat-deprecated"),
)
"""Flags that follow from others, also where a domain adds flags of its own: all of the set bring the one."""

CONSEQUENCES: Final = (
    (frozenset({"cpu-unavailable-features"}), "canonical-cpu-features"),
    *INTERLOCKED,
)
"""All flags that follow from others, when a QEMU is probed."""

SUPERSEDED: Final = {"no-hpet": "machine-hpet"}
"""A flag that is dropped when the one that supersedes it is there."""


# ── since 9.0.0 ────────────────────────────────────────────────────────────────────────────────────


_PSERIES: Final = frozenset(MACHINE_PROPERTIES["pseries"].values())
_ON_X86: Final = frozenset({"no-hpet", "disable-s3", "disable-s4", "ich9-disable-s3", "ich9-disable-s4"})
_OF_ARCH: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(X86, _ON_X86 | {"no-acpi"}),
    **dict.fromkeys(ARM, frozenset({"no-acpi", "aarch64-off", "gic-version"})),
    **dict.fromkeys(S390, frozenset({"aes-key-wrap", "dea-key-wrap", "loadparm"})),
    **dict.fromkeys(PPC64, _PSERIES),
}
_EVERYWHERE: Final = """
block-export-add blockdev-reopen blockdev-snapshot.allow-write-only-overlay compat-deprecated cpu-cache
gpex-pcihost ide-drive.wwn incremental-backup iothread iothread.poll-max-ns
migration-param.block-bitmap-mapping nbd-bitmap object.qapified query-hotpluggable-cpus
query-named-block-nodes.flat scsi-disk.wwn usb-storage.removable vfio-pci.display
"""
DROPPED: Final[Since[frozenset[str]]] = {
    R11_3: frozenset(_EVERYWHERE.split()).union(*_OF_ARCH.values()),
    R12_8: frozenset({"chardev-reconnect", "migrate-rdma", "set-action"}),
}
"""The flags that each release no longer asks for: every QEMU it works with has what they stand for."""
GONE: Final[Since[frozenset[str]]] = {R11_3: frozenset({"enable-fips", "ivshmem", "vxhs"})}
"""Those of what no QEMU has any more that it works with."""


def dropped(release: Release, arch: str | None = None) -> frozenset[str]:
    """The flags that libvirt of that release takes for granted; of an architecture, those it can have."""
    found = frozenset[str]().union(*(flags for since, flags in DROPPED.items() if since <= release))
    if arch is None:
        return found
    return found - (frozenset[str]().union(*_OF_ARCH.values()) - _OF_ARCH.get(arch, frozenset()))


@dataclass(frozen=True)
class Questions:
    """The tables of what is asked of a QEMU, or what a release added to them."""

    commands: Mapping[str, str]
    types: Mapping[str, str]
    device_properties: Mapping[str, Mapping[str, str]]
    object_properties: Mapping[str, Mapping[str, str]]
    machine_properties: Mapping[str, Mapping[str, str]]
    schema: Mapping[str, str]
    options: Mapping[tuple[str, str | None], str]


_GPU_BLOB: Final = {"blob": "virtio-gpu.blob"}
_BLOCK_MAPPING: Final = {"iothread-vq-mapping": "virtio-blk.iothread-mapping"}
_TIMED: Final = {"stats-intervals": "disk-timed-stats"}
_SCSI_MAPPING: Final = {"iothread-vq-mapping": "virtio-scsi.iothread-mapping"}

ASKED: Final[Since[Questions]] = {
    R9_0: Questions(
        COMMANDS, TYPES, DEVICE_PROPERTIES, OBJECT_PROPERTIES, MACHINE_PROPERTIES, SCHEMA, OPTIONS
    ),
    R11_3: Questions(
        commands={name: name for name in ("blockdev-set-active", "display-reload")},
        types={name: name for name in ("acpi-erst", "cryptodev-backend-lkcf", "pvpanic-pci", "sev-snp-guest")}
        | {"usb-mtp": "usb-mtp", "virtio-mem-ccw": "virtio-mem-ccw"}
        | dict.fromkeys(("virtio-crypto-pci", "virtio-crypto-device"), "virtio-crypto")
        | dict.fromkeys(("virtio-sound-pci", "virtio-sound-device"), "virtio-sound"),
        device_properties={
            "intel-iommu": {"dma-translation": "intel-iommu.dma-translation"},
            "virtio-blk-ccw": _BLOCK_MAPPING | {"loadparm": "virtio-ccw.loadparm"},
            "virtio-blk-pci": _BLOCK_MAPPING,
            "virtio-gpu-ccw": _GPU_BLOB,
            "virtio-gpu-device": _GPU_BLOB,
            "virtio-gpu-pci": _GPU_BLOB,
            "virtio-mem-pci": {"dynamic-memslots": "virtio-mem-pci.dynamic-memslots"},
            "virtio-scsi-ccw": _SCSI_MAPPING,
            "virtio-scsi-pci": _SCSI_MAPPING,
        },
        object_properties={},
        machine_properties={
            "none": {"shim": "shim"},
            "virt": {"aia": "machine.virt.aia", "ras": "machine.virt.ras"},
            "generic-pc": {"i8042": "machine-i8042-opt"},
        },
        schema={
            "blockdev-add/arg-type/+qcow2/discard-no-unref": "qcow2-discard-no-unref",
            "blockdev-add/arg-type/+rbd/encrypt/format/^luks-any": "rbd-encryption-luks-any",
            "blockdev-add/arg-type/+rbd/encrypt/parent": "rbd-encryption-layering",
            "blockdev-add/arg-type/+virtio-blk-vhost-vdpa/$fdset": "virtio-blk-vhost-vdpa",
            "chardev-add/arg-type/backend/+socket/data/reconnect-ms": "chardev-reconnect-miliseconds",
            "migrate-incoming/arg-type/exit-on-error": "migrate-incoming.exit-on-error",
            "netdev_add/arg-type/+stream/reconnect": "netdev.stream.reconnect",
            "netdev_add/arg-type/+stream/reconnect-ms": "netdev-stream-reconnect-miliseconds",
            "netdev_add/arg-type/+user": "netdev.user",
            "query-cpu-model-expansion/ret-type/deprecated-props": (
                "query-cpu-model-expansion.deprecated-props"
            ),
            "query-hotpluggable-cpus/ret-type/props/cluster-id": "smp-clusters",
        },
        options={("run-with", "async-teardown"): "run-with.async-teardown"},
    ),
    R12_8: Questions(
        commands={name: name for name in ("qom-list-get", "query-accelerators")},
        types={name: name for name in ("acpi-generic-initiator", "amd-iommu", "iommufd", "nvme", "nvme-ns")}
        | {"usb-bot": "usb-bot", "monitor-qmp": "object-monitor-qmp"}
        | dict.fromkeys(("isa-fdc", "sysbus-fdc"), "bus-floppy")
        | dict.fromkeys(("uefi-vars-x64", "uefi-vars-sysbus"), "uefi-vars"),
        device_properties={
            "amd-iommu": {"pci-id": "amd-iommu.pci-id", "xtsup": "amd-iommu.xtsup"},
            "arm-smmuv3": {name: f"arm-smmuv3.{name}" for name in ("accel", "cmdqv", "smmu_per_bus")},
            "scsi-block": {"migrate-pr": "scsi-block.migrate-pr"},
            "virtio-blk-ccw": _TIMED,
            "virtio-blk-pci": _TIMED,
            "virtio-iommu-pci": {"aw-bits": "virtio-iommu.aw-bits"},
        },
        object_properties={},
        machine_properties={},
        schema={
            "blockdev-mirror/arg-type/target-is-zero": "blockdev-mirror.target-is-zero",
            "dump-guest-memory/arg-type/format/^win-dmp/$allowed-by-guest": "win-dmp.guest-aware",
            "object-add/arg-type/+iothread/poll-weight": "iothread.poll-weight",
            "query-block/arg-type/flat": "query-block-flat",
        },
        options={},
    ),
}
"""What each release asks; each adds to those before it."""

ALL_OF: Final[Since[Mapping[str, tuple[str, ...]]]] = {
    R11_3: {
        "blockjob.backing-mask-protocol": (
            "block-commit/arg-type/backing-mask-protocol",
            "block-stream/arg-type/backing-mask-protocol",
        )
    }
}
"""Flag to paths through the QMP schema that must all be there."""

NO_MACHINE: Final = frozenset({"generic-pc"})
"""Base types of machines, asked though no machine is called so."""


@cache
def of(release: Release = DEFAULT) -> Questions:
    """The tables as they are in `release`."""
    parts = [asked for since, asked in ASKED.items() if since <= release]
    merged: dict[str, Any] = {}
    for field in fields(Questions):
        table: dict[Any, Any] = {}
        for part in parts:
            for key, value in getattr(part, field.name).items():
                table[key] = {**table.get(key, {}), **value} if isinstance(value, Mapping) else value
        merged[field.name] = table
    return Questions(**merged)


def no_longer_set(release: Release) -> frozenset[str]:
    """The flags that libvirt of that release never sets."""
    gone = (flags for since, flags in GONE.items() if since <= release)
    return dropped(release).union(*gone)
