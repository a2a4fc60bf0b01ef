"""`<video>`: the record of its kind."""

from __future__ import annotations

from qcaps.domainxml.devices import Video
from qcaps.rules.devices.video.complete import complete, read
from qcaps.rules.devices.video.refuse import refuse, refuse_by_qemu, refuse_read
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.pci import PCI, PCIE, VIRTIO, by_model

_ON_PCI = {"virtio": VIRTIO, "bochs": PCIE} | dict.fromkeys(
    ("vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels"), PCI
)


VIDEO = Kind(
    Video,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda video, way: by_model(_ON_PCI, video.model.type if video.model else None, way),
        wants=lambda video: video.model is None or video.model.type not in ("none", "ramfb"),
    ),
    on_virtio_bus=lambda video: video.model is not None and video.model.type == "virtio",
    alias=by_place("video"),
)
