"""libvirt's daemon: one of our own, started for the purpose, or one that runs already.

Our own runs in private namespaces, with private `/etc/libvirt`, `/var/lib/libvirt` and `/run`: it knows none
of the host's domains and networks. A running one is asked through its own log, whose settings are put back,
or through the kernel; it is given only domains with names that nobody else has, and loses them again.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from qcaps.live.counting import uprobes
from qcaps.live.counting.adminlog import ADMIN, AdminLog, check_local
from qcaps.live.counting.shared_log import put_back
from qcaps.live.errors import LiveError, NoLibvirt, NotPermitted
from qcaps.live.host.installation import INSTALL, check_loadable, find
from qcaps.live.host.known_qemus import folder_for
from qcaps.live.host.libvirt_process import Counting, LibvirtProcess, Way, way_of
from qcaps.live.host.live_folder import KVM_MODE, on_the_host, place
from qcaps.live.host.setup import Setup, a_cpu

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qcaps.live.host.installation import Installation


_PRIVATE_MOUNTS: Final = ("unshare", "--mount", "--propagation", "private")


class PrivateDaemon(LibvirtProcess):
    """A daemon of our own, with everything between a client and the driver. Takes root.

    The arguments are those of `Embedded`.
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
        daemon = _daemon_of(installation)
        check_loadable(installation)
        way = way_of(counting, installation)
        where = place(kvm_mode, daemon=True, folders=(installation.settings, installation.state))
        if where.temporary:
            where.remove()
            raise NotPermitted("a private daemon takes root; the embedded driver does not")
        setup = Setup(
            folder=str(where.folder),
            counting=way.name,
            shim=way.shim,
            library=str(installation.library),
            driver=str(installation.driver),
            cpu=cpu,
            most_memory=most_memory,
            daemon=str(daemon),
            settings=str(installation.settings),
            state=str(installation.state),
            known=str(folder_for(installation, "daemon", kvm_mode, cpu)) if known else "",
        )
        super().__init__(setup, where, installation, way.fallback)


class RunningDaemon(LibvirtProcess):
    """A daemon that runs already, behind a URI of libvirt's.

    It is counted by its debug log, or by the kernel's probes on its library and driver, which change no
    setting of it; these also where its log cannot be set, if nothing else was wished for.
    """

    def __init__(
        self,
        uri: str,
        libvirt: Path | None = None,
        counting: Counting | None = None,
        *,
        cpu: int | None = None,
    ) -> None:
        """Connect, and begin to count. Raises LiveError and its kinds.

        `libvirt` is the client's, a prefix or a build tree; for the probes, the daemon's too.
        """
        installation = find(libvirt)
        check_loadable(installation)
        admin = str(installation.tool(ADMIN) or "") if libvirt is not None else ""
        way = _way_of_running(uri, counting, admin)
        # Where the probes have to mount a tracefs, the mount is to end with the process that needs it.
        prefix = _PRIVATE_MOUNTS if way.name == "uprobes" else ()
        where = on_the_host(prefix)
        setup = Setup(
            folder=str(where.folder),
            counting=way.name,
            shim="",
            library=str(installation.library),
            driver=str(installation.driver),
            cpu=a_cpu() if cpu is None else cpu,
            uri=uri,
            admin=admin,
            temporary=where.temporary,
        )
        self._log = partial(AdminLog, uri, admin) if way.name == "log" else None
        super().__init__(setup, where, installation, way.fallback)

    def close(self) -> None:
        """As ever; what a process left that was killed is put back by us."""
        super().close()
        if self._log is not None and self._process.returncode != 0:
            with suppress(LiveError):  # the daemon is gone as well
                put_back(self._log(), self.folder)

    @property
    def others(self) -> int:
        """How many of us have read the same log meanwhile."""
        others: int = self.facts()["others"]
        return others

    def activity(self) -> Mapping[str, int]:
        """Lookups by task, of whatever client, since this was last asked. Raises LibvirtDied."""
        lookups: dict[str, int] = self.ask({"ask": "activity"})["lookups"]
        return lookups


def _way_of_running(uri: str, counting: Counting | None, admin: str = "") -> Way:
    """The log, unless there is no way to it but one to the probes. Raises LiveError."""
    check_local(uri)
    if counting is not None:
        if counting == "uprobes" and (why := uprobes.usable()):
            raise NotPermitted(why)
        return Way(counting)
    try:
        AdminLog(uri, admin)
    except LiveError as error:
        if uprobes.usable():
            raise
        return Way("uprobes", fallback=str(error))
    return Way("log")


def _daemon_of(installation: Installation) -> Path:
    """The QEMU daemon beside the driver, or the one for everything. Raises NoLibvirt."""
    for name in ("virtqemud", "libvirtd"):
        for folder in installation.daemons:
            if (folder / name).is_file():
                return folder / name
    raise NoLibvirt(f"no libvirtd or virtqemud beside {installation.driver}: {INSTALL}")
