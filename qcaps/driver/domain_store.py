"""Where a driver keeps its domains: one file each, the way libvirt does."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from qcaps.bounded import MOST_BYTES
from qcaps.driver.locks import SharedLocks
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from pathlib import Path

_BANNER = """<!--
Written by qcaps, and written anew whenever this domain is defined or altered: what is edited here by hand
can be lost. To change the domain, edit a file of your own and hand it to "qcaps define".
-->

"""
_UNFIT = re.compile(r"[/\n\0]|^\.{1,2}$|^$")
_NO_XML = bytes(set(range(0x20)) - set(b"\t\n\r"))
_SUFFIX, _NEW = ".xml", ".xml.new"


class DomainStoreError(QcapsError):
    """A domain's file cannot be written, read or removed."""


class DomainStore:
    """Domain files in one directory, named <domain>.xml; a write is atomic and durable.

    Other processes may use the directory at the same time: whoever writes a domain's file holds
    `locks.holding(name)`, and renames and removes within `locks.changing()`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.locks = SharedLocks(f"{directory}/.lock")
            self._clean()
        except OSError as error:
            raise DomainStoreError(
                f"{directory}: cannot keep domains here: {error.strerror or error}"
            ) from error

    def path(self, name: str) -> str:
        """The file of the domain called `name`; raises DomainStoreError for a name no file can have."""
        encoded = name.encode(errors="surrogateescape")
        if _UNFIT.search(name) or len(encoded) > 240:  # noqa: PLR2004  # NAME_MAX less our suffix
            raise DomainStoreError(
                f"domain name {name!r:.80} cannot be a file name; use at most 240 bytes, no '/' or newline"
            )
        return f"{self.directory}/{os.fsdecode(encoded)}{_SUFFIX}"

    def prepare(self, name: str, xml: str) -> str:
        """Writes a new file beside the domain's own, forces it to the disk, and returns its path.

        `publish` makes it the domain's file, `abandon` removes it. Raises DomainStoreError, also for what
        could not be read again.
        """
        new = f"{self.path(name).removesuffix(_SUFFIX)}{_NEW}"
        data = _readable(name, _BANNER + xml)
        try:
            descriptor = _create(new)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException as error:
            self.abandon(new)
            if isinstance(error, OSError):
                raise DomainStoreError(f"{new}: cannot save the domain: {error.strerror}") from error
            raise
        return new

    def publish(self, name: str, new: str) -> None:
        """Renames what `prepare` wrote over the domain's file: from then on it is what there is."""
        path = self.path(name)
        try:
            os.rename(new, path)  # noqa: PTH104  # on the timed path; Path costs as much as the call
        except OSError as error:
            raise DomainStoreError(f"{path}: cannot save the domain: {error.strerror}") from error

    def abandon(self, new: str) -> None:
        """Removes what `prepare` wrote; nothing is an error, for there is a better one on its way."""
        with suppress(OSError):
            os.unlink(new)  # noqa: PTH108  # likewise

    def remove(self, name: str) -> None:
        """Removes the domain's file; one that is gone already is no error."""
        try:
            os.unlink(self.path(name))  # noqa: PTH108  # likewise
        except FileNotFoundError:
            pass
        except OSError as error:
            raise DomainStoreError(
                f"{self.path(name)}: cannot remove the domain: {error.strerror}"
            ) from error

    def saved(self) -> dict[str, Path]:
        """The domains on the disk, by name."""
        return {_named(path, _SUFFIX): path for path in sorted(self.directory.glob(f"*{_SUFFIX}"))}

    def _clean(self) -> None:
        """Removes what processes left that were killed before their rename, and only that."""
        for leftover in self.directory.glob(f"*{_NEW}"):
            if self.locks.try_holding(_named(leftover, _NEW)):
                leftover.unlink(missing_ok=True)


def _named(path: Path, suffix: str) -> str:
    """The domain whose file it is: in UTF-8, whatever the locale has file names in."""
    return os.fsencode(path.name.removesuffix(suffix)).decode(errors="surrogateescape")


def _readable(name: str, text: str) -> bytes:
    """`text` as it is saved. Elements and names come from a file, so what is not XML can only be a character.

    Looking for one takes less than a hundredth of the time of a define, to parse all again a tenth.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = b"\0"
    if len(data.translate(None, _NO_XML)) != len(data) or "\ufffe" in text or "\uffff" in text:
        raise DomainStoreError(
            f"domain '{name}' has a character that no XML file can hold; is it in its emulator?"
        )
    if len(data) > MOST_BYTES:
        raise DomainStoreError(f"domain '{name}' takes more than {MOST_BYTES} bytes; make it smaller")
    return data


def _create(new: str) -> int:
    """A file that was not there: what has its name is a leftover (we hold the domain's lock), or planted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(new, flags, 0o600)
    except FileExistsError:
        os.unlink(new)  # noqa: PTH108  # likewise
        return os.open(new, flags, 0o600)
