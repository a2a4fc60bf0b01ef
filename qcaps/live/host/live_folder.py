"""Where a libvirt runs so that nothing on the host changes, and so that it dies with us."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qcaps.live.errors import NotPermitted

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

    `temporary` says whether the folder is on the host, and has to be removed.
    """

    folder: Path
    prefix: tuple[str, ...]
    temporary: bool

    def remove(self) -> None:
        """Remove what is on the host; the rest went with the namespace."""
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def place(kvm_mode: int = KVM_MODE, *, daemon: bool = False, folders: tuple[Path, ...] = ()) -> LiveFolder:
    """Private namespaces for root, a folder in the temporary directory for everyone else.

    Inside, `/dev/kvm` is a node with the permissions `kvm_mode`; with `daemon`,
    what a daemon keeps in `/etc` and `/var` is private too, and in `folders`, where it has others. Raises
    NotPermitted if a tool is missing.
    """
    if os.geteuid() != 0:
        return LiveFolder(Path(tempfile.mkdtemp(prefix="qcaps-live-")), (), temporary=True)
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
    return LiveFolder(ROOT_HOME, prefix, temporary=False)
