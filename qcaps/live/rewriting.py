"""Changes to a domain's XML before libvirt sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from lxml import etree

from qcaps.live.standing_in import characters, memory, others, storage
from qcaps.live.standing_in.guest import whole_guest
from qcaps.live.standing_in.leftovers import refuse_what_is_left
from qcaps.live.standing_in.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lxml.etree import _Element

_STAND_INS: Final[tuple[tuple[str, Callable[[Work, _Element], None]], ...]] = (
    ("disk", storage.disk),
    ("filesystem", storage.filesystem),
    ("interface", others.interface),
    ("serial", characters.character),
    ("parallel", characters.character),
    ("console", characters.character),
    ("channel", characters.character),
    ("redirdev", characters.character),
    ("smartcard", characters.smartcard),
    ("rng", characters.rng),
    ("graphics", others.graphics),
    ("video", others.video),
    ("audio", others.audio),
    ("tpm", others.tpm),
    ("input", others.input_device),
    ("memory", memory.memory_module),
    ("lease", others.lease),
    ("hostdev", others.host_device),
    ("shmem", others.shared_memory),
    ("vsock", others.vsock),
    ("*", others.rom_file),
)
"""What each kind of device gets in place of what it names on the host; other kinds name nothing."""


def name_of(xml: str) -> str:
    """The domain's name, "" where it has none."""
    return etree.fromstring(xml).findtext("name") or ""


def renamed(xml: str, tag: str) -> str:
    """`xml` under a name that begins with `tag`, and with a UUID that nobody else has."""
    root = etree.fromstring(xml)
    name = root.find("name")
    if name is not None:
        name.text = f"{tag}-{name.text}"
    for uuid in root.findall("uuid"):
        uuid.text = str(uuid4())
    return etree.tostring(root, encoding="unicode")


def startable(xml: str, folder: Path) -> str:
    """`xml` with 32 MiB of memory, and with stand-ins in `folder` for all that it names on the host.

    No device is dropped, and none added. Raises NotStartable where nothing can stand in.
    """
    root = _plain(xml)
    work = _work(folder / "stand-ins")
    whole_guest(work, root)
    _stand_in(work, root)
    return etree.tostring(root, encoding="unicode")


def pluggable(device: str, folder: Path) -> str:
    """A device with stand-ins likewise, in a folder apart from a domain's. Raises NotStartable."""
    root = etree.Element("domain")
    devices = etree.SubElement(root, "devices")
    devices.append(_plain(device))
    _stand_in(_work(folder / "plugged"), root)
    return etree.tostring(devices[0], encoding="unicode")


def _plain(xml: str) -> _Element:
    return etree.fromstring(xml, etree.XMLParser(remove_comments=True, remove_pis=True))


def _work(inside: Path) -> Work:
    inside.mkdir(exist_ok=True)
    inside.chmod(
        0o777
    )  # QEMU's user makes sockets and logs there; who reaches the folder is the folder's to say
    return Work(inside)


def _stand_in(work: Work, root: _Element) -> None:
    for tag, stand_in in _STAND_INS:
        for device in root.iterfind(f"devices/{tag}"):
            stand_in(work, device)
    refuse_what_is_left(root, work.folder)
