"""Where a libvirt runs so that nothing on the host changes, and so that it dies with us."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qcaps.files import new_scratch
from qcaps.live.errors import NotPermitted

PREFIX: Final = "qcaps-live-"
"""How the name of a folder on the host begins."""

ROOT_HOME: Final = Path("/run/qcaps")
"""Where namespace.sh makes room, on a file system in memory that is only there inside."""

KVM_MODE: Final = 0o666

_DIES_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL")
_NAMESPACES: Final = (
    "unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child",
    "--propagation", "private",
)  # fmt: skip


@dataclass(frozen=True)
class LiveFolder:
    """A folder of libvirt's own, and the command line that goes before a program's to run it there.

    `lock` is the descriptor that holds the folder where it is on the host, and has to be removed: whoever has
    it open keeps others from taking the folder for a killed one's.
    """

    folder: Path
    prefix: tuple[str, ...]
    lock: int | None = None

    @property
    def temporary(self) -> bool:
        """Whether the folder is on the host."""
        return self.lock is not None

    def remove(self) -> None:
        """Remove what is on the host; the rest went with the namespace."""
        if self.lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # closed before
                os.close(self.lock)


def on_the_host(prefix: tuple[str, ...] = ()) -> LiveFolder:
    """A folder in the temporary directory; those of processes that were killed are removed."""
    folder, lock = new_scratch(prefix=PREFIX)
    return LiveFolder(folder, prefix, lock)


def place(kvm_mode: int = KVM_MODE, *, daemon: bool = False, folders: tuple[Path, ...] = ()) -> LiveFolder:
    """Private namespaces for root, a folder in the temporary directory for everyone else.

    Inside, `/dev/kvm` is a node with the permissions `kvm_mode`; with `daemon`,
    what a daemon keeps in `/etc` and `/var` is private too, and in `folders`, where it has others. Raises
    NotPermitted if a tool is missing.
    """
    if os.geteuid() != 0:
        return on_the_host()
    for tool in ("setpriv", "unshare", "bash"):
        if shutil.which(tool) is None:
            raise NotPermitted(f"no {tool} on PATH: install util-linux and bash, or run as an ordinary user")
    script = Path(__file__).with_name("namespace.sh")
    prefix = (
        *_DIES_WITH_US,
        *_NAMESPACES,
        "bash",
        str(script),
        f"{kvm_mode:o}",
        "daemon" if daemon else "driver",
        *(str(folder) for folder in folders if not folder.is_relative_to("/run")),
        "--",
    )
    return LiveFolder(ROOT_HOME, prefix)
