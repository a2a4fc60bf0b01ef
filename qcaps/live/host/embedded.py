"""libvirt's QEMU driver, unmodified, in a process of ours: the reference's tasks, counted and timed.

    with Embedded() as subject:
        done = subject.define(xml)
        print(done.lookups, done.sites)

The process runs in mount, PID and network namespaces of its own when we are root, and with folders of its own
when we are not. It dies with the thread that started it, whatever happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.live.host.installation import check_loadable, find
from qcaps.live.host.known_qemus import folder_for
from qcaps.live.host.libvirt_process import Counting, LibvirtProcess, LiveDone, way_of
from qcaps.live.host.live_folder import KVM_MODE, place
from qcaps.live.host.setup import Setup, a_cpu

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Embedded", "LiveDone"]


class Embedded(LibvirtProcess):
    """The driver in a process of ours; no daemon, no other driver, nothing on the host changes.

    `counting` None means: by the interposer, or by the log where there is no compiler; "none" only times.
    `libvirt` is a prefix or a build tree; `kvm_mode` the permissions of the private `/dev/kvm` (as root);
    `cpu` the one CPU it runs on; `most_memory` as in `Setup`. With `known` it is handed what libvirts like it
    have found out about QEMU.
    """

    def __init__(
        self,
        counting: Counting | None = None,
        libvirt: Path | None = None,
        *,
        kvm_mode: int = KVM_MODE,
        cpu: int | None = None,
        known: bool = False,
        most_memory: int = 0,
    ) -> None:
        """Start and connect. Raises LiveError and its kinds."""
        cpu = a_cpu() if cpu is None else cpu
        installation = find(libvirt)
        check_loadable(installation)
        way = way_of(counting, installation)
        where = place(kvm_mode)
        setup = Setup(
            folder=str(where.folder),
            counting=way.name,
            shim=way.shim,
            library=str(installation.library),
            driver=str(installation.driver),
            cpu=cpu,
            most_memory=most_memory,
            temporary=where.temporary,
            known=str(folder_for(installation, "embedded", kvm_mode, cpu)) if known else "",
        )
        super().__init__(setup, where, installation, way.fallback)
