"""An arm's package as bytes: what is gated need not be installed on a host, nor its repository be there."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Packed(NamedTuple):
    """A package, compressed; `digest` tells it from others."""

    digest: str
    data: bytes


def pack(package: Path) -> Packed:
    """The modules of a package and the files beside them: not what was compiled, nor the content it ships."""

    def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        parts = entry.name.split("/")
        if "__pycache__" in parts or parts[1:2] == ["_content"]:
            return None
        # The same package is the same bytes, whoever packs it, and whenever.
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.add(package, package.name, filter=kept)
    data = plain.getvalue()
    return Packed(hashlib.sha256(data).hexdigest()[:16], lzma.compress(data, preset=1))


def unpack(packed: Packed, folder: Path) -> None:
    """Put the package into a folder."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(packed.data))) as archive:
        archive.extractall(folder, filter="data")
