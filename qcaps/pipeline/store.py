"""Where a driver keeps its domains: one file each, the way libvirt does."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qcaps.errors import QcapsError

_BANNER = """<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  qcaps define
-->

"""
_UNFIT = re.compile(r"[/\n\0]|^\.{1,2}$|^$")


class StoreError(QcapsError):
    """A domain's file cannot be written, read or removed."""


class Store:
    """Domain files in one directory, named <domain>.xml; a write is atomic and durable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.xml.new"):  # of a process that was killed before its rename
            leftover.unlink(missing_ok=True)

    def path(self, name: str) -> str:
        """The file of the domain called `name`; raises StoreError for a name no file can have."""
        if _UNFIT.search(name) or len(os.fsencode(name)) > 240:  # noqa: PLR2004  # NAME_MAX less our suffix
            raise StoreError(f"domain name {name!r:.80} cannot be a file name; use neither '/' nor newlines")
        return f"{self.directory}/{name}.xml"

    def save(self, name: str, xml: str) -> None:
        """Writes a new file, forces it to the disk, and renames it over the old one."""
        path = self.path(name)
        new = path + ".new"
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                rest = memoryview((_BANNER + xml).encode())
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(new, path)  # noqa: PTH104  # on the timed path; Path costs as much as the call
        except OSError as error:
            Path(new).unlink(missing_ok=True)
            raise StoreError(f"{path}: cannot save the domain: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Removes the domain's file; one that is gone already is no error."""
        try:
            os.unlink(self.path(name))  # noqa: PTH108  # likewise
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StoreError(f"{self.path(name)}: cannot remove the domain: {error.strerror}") from error

    def saved(self) -> dict[str, Path]:
        """The domains on the disk, by name."""
        return {path.stem: path for path in sorted(self.directory.glob("*.xml"))}
