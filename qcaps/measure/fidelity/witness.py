"""The libvirt that is asked for the truth: opened again when a domain has killed it, or kept it too long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

from lxml import etree

from qcaps.live.errors import LibvirtDied
from qcaps.measure.fidelity.truth import Truth, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from qcaps.live.host.libvirt_process import LibvirtProcess

PATIENCE_S: Final = 20.0
MOST_MEMORY: Final = 6 << 30
"""A define takes milliseconds and little; one with numbers beyond sense, all there is. A probed QEMU
takes 2 GiB."""

_SYSTEM: Final = "/var/lib/libvirt/qemu/"


class Witness:
    """A libvirt of our own to put domains to, one after another. Not to be shared between threads."""

    def __init__(
        self, opened: Callable[[], LibvirtProcess], emulator: str | None, patience: float = PATIENCE_S
    ) -> None:
        """`opened` gives a fresh one, `emulator` stands in for every domain's own. Raises LiveError."""
        self._opened, self._emulator, self._patience = opened, emulator, patience
        self._process = opened()

    def ask(self, name: str, data: bytes) -> Truth:
        """What libvirt makes of a domain. Raises LiveError if no libvirt can be had any more."""
        try:
            xml = stand_in(data, self._emulator).decode()
        except (etree.XMLSyntaxError, UnicodeError) as error:
            return Truth(name, data, accepted=False, error=str(error), lookups=0, xml=b"")
        impatient = threading.Timer(self._patience, self._process.kill)
        impatient.start()
        try:
            done = self._process.define(xml)
        except LibvirtDied as error:
            late = impatient.finished.is_set()
            self._process.close()
            self._process = self._opened()
            death = f"libvirt took more than {self._patience:g} s" if late else str(error)
            return Truth(name, data, accepted=False, error="", lookups=0, xml=b"", death=death)
        finally:
            impatient.cancel()
        # an embedded libvirt keeps in its own folder what a system's keeps below /var/lib/libvirt
        made = (done.xml or "").replace(f"{self._process.folder}/root/lib/qemu/", _SYSTEM)
        return Truth(name, data, done.accepted, done.error or "", done.lookups or 0, made.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)
