"""Whether a file's place can hold a store: SQLite's write-ahead log needs memory that its processes share.

Files of a network have no such memory between hosts: two writers would spoil the file in silence.
"""

from __future__ import annotations

import re
from pathlib import Path

from qcaps.errors import UsageError

MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How the kernel spells a space in a path, and what else would end one."""
_ON_A_NETWORK = frozenset(
    (
        *(
            "9p",
            "afs",
            "beegfs",
            "ceph",
            "cifs",
            "coda",
            "gfs2",
            "glusterfs",
            "gpfs",
            "lustre",
            "ncpfs",
            "nfs",
        ),
        *("nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs"),
        *(
            f"fuse.{one}"
            for one in ("ceph", "cephfs", "gcsfuse", "glusterfs", "juicefs", "rclone", "s3fs", "sshfs")
        ),
    )
)


def check_local(file: Path, mounts: Path = MOUNTS) -> None:
    """Raise UsageError for a file that lies on a network file system."""
    kind = file_system(file, mounts)
    if kind in _ON_A_NETWORK:
        raise UsageError(
            f"{file}: lies on {kind}, where a store is not safe from a second host: name one on a local disk,"
            " and bring stores together with 'qcaps history merge'"
        )


def file_system(file: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system that a file lies on, or will, as the kernel calls it; "" where it says none."""
    place, found, longest = file.absolute().parent.resolve(), "", -1
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _OCTAL.sub(lambda spelt: chr(int(spelt[1], 8)), before.split()[4])
        if place.is_relative_to(point) and len(point) >= longest:  # of two at one point the later is on top
            found, longest = after.split()[0], len(point)
    return found
