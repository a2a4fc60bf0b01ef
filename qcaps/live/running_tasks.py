"""Tasks on a domain that runs: devices into and out of it, a snapshot, a managed save and the start from it.

A guest is started for each run, paused and on stand-ins, and ended after it. The device that is plugged gets
stand-ins too: a running guest opens what it names. Without another it is a USB disk, which a guest that does
nothing takes and gives back; PCI needs a free port, and a guest that answers.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from qcaps.live.rewriting import pluggable, startable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.live.tasks import LiveRun

WHERE: Final = {
    "live": ("VIR_DOMAIN_AFFECT_LIVE",),
    "both": ("VIR_DOMAIN_AFFECT_LIVE", "VIR_DOMAIN_AFFECT_CONFIG"),
    "config-running": ("VIR_DOMAIN_AFFECT_CONFIG",),
}
"""What of a running domain is altered, by the end of a task's name; libvirt's flags for it."""
USB_DISK: Final = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
    "<source file='/var/lib/libvirt/images/attached.raw'/><target dev='sdzzz' bus='usb'/></disk>"
)
CALLS: Final = {"attach": "attachDeviceFlags", "detach": "detachDeviceFlags", "update": "updateDeviceFlags"}


@contextmanager
def _running(run: LiveRun) -> Iterator[Any]:
    with run.defined(startable(run.xml, run.folder)) as domain, run.stopped_after():
        domain.createWithFlags(run.libvirt.VIR_DOMAIN_START_PAUSED)
        yield domain


def _plugged(name: str, where: str) -> Callable[[LiveRun], None]:
    def task(run: LiveRun) -> None:
        flags = sum(getattr(run.libvirt, flag) for flag in WHERE[where])
        device = pluggable(run.device or USB_DISK, run.folder)
        with _running(run) as domain:
            if name != "attach":
                domain.attachDeviceFlags(device, flags)
            run.measure(getattr(domain, CALLS[name]), device, flags)
            run.keep_xml(domain)

    return task


def _snapshot(run: LiveRun) -> None:
    libvirt = run.libvirt
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    xml = (
        f"<domainsnapshot><name>{time.time_ns()}</name></domainsnapshot>"  # its files have it in their names
    )
    with _running(run) as domain:
        run.measure(domain.snapshotCreateXML, xml, flags)
        run.keep_xml(domain)


def _managed_save(run: LiveRun) -> None:
    with _running(run) as domain:
        run.measure(domain.managedSave, run.libvirt.VIR_DOMAIN_SAVE_PAUSED)
        run.keep_xml(domain)


def _start_saved(run: LiveRun) -> None:
    with _running(run) as domain:
        domain.managedSave(run.libvirt.VIR_DOMAIN_SAVE_PAUSED)
        run.keep_xml(domain)
        run.measure(domain.createWithFlags, run.libvirt.VIR_DOMAIN_START_PAUSED)


RUNNING_TASKS: Final[dict[str, Callable[[LiveRun], None]]] = {
    **{f"{name}-{where}": _plugged(name, where) for name in CALLS for where in WHERE},
    "snapshot": _snapshot,
    "managedsave": _managed_save,
    "start-saved": _start_saved,
}
