"""What a libvirt of ours has found out about QEMU, kept for the next one like it.

Asking a QEMU takes most of a second, and a gate starts a new libvirt for every pair. Each is handed the cache
files that one like it wrote, and treats them as its own: it checks every stamp, and asks again where one is
out of date (`qcaps cache check` names them).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import QcapsError
from qcaps.files import make_folder, replacing

if TYPE_CHECKING:
    from qcaps.live.host.installation import Installation


def folder_for(installation: Installation, kind: str, kvm_mode: int, cpu: int) -> Path:
    """Where files of libvirts like this one are kept: below `$XDG_CACHE_HOME/qcaps`.

    Two libvirts that differ in their driver, in the program that holds it (`kind`), in the permissions of
    `/dev/kvm`, or in the CPU they start on stamp differently: with one folder they would make each other ask
    again.
    """
    home = os.environ.get("XDG_CACHE_HOME")
    cache = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    like = f"{installation.driver} {kind} {kvm_mode:o} {cpu} {os.geteuid()}"
    return cache / "qcaps" / "known-qemus" / hashlib.sha256(like.encode()).hexdigest()[:16]


class KnownQemus:
    """Cache files on their way from the folder where they are kept to a libvirt's own, and back."""

    def __init__(self, kept: Path, own: Path) -> None:
        """Hand what is kept to the libvirt that has its cache in `own`, before it starts."""
        self._kept, self._own = kept, own
        self._seen: dict[str, int] = {}
        files = sorted(kept.glob("*.xml"))
        if files:
            own.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, own / file.name)
        self._seen = self._stamps()

    def keep(self) -> None:
        """Keep what that libvirt has written since. What cannot be kept is found out again, and no fault."""
        now = self._stamps()
        for name in (name for name, stamp in now.items() if self._seen.get(name) != stamp):
            try:
                with replacing(make_folder(self._kept) / name) as file:
                    file.write((self._own / name).read_bytes())
            except (QcapsError, OSError):
                continue
        self._seen = now

    def _stamps(self) -> dict[str, int]:
        try:
            with os.scandir(self._own) as entries:
                return {one.name: one.stat().st_mtime_ns for one in entries if one.name.endswith(".xml")}
        except FileNotFoundError:
            return {}
