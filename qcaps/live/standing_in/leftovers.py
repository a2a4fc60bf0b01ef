"""The last look before a start: no path and no address of the host's is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.live.standing_in.work import refuse

if TYPE_CHECKING:
    from pathlib import Path

    from lxml.etree import _Element

_NO_PATHS: Final = ("name", "title", "description", "cmdline", "emulator", "entry")
"""Text that QEMU shows to the guest, or to nobody; the emulator is what is started."""
_TAGS: Final = frozenset({("target", "dir"), ("target", "name")})
"""Where a guest's own name may look like a path."""


def refuse_what_is_left(root: _Element, folder: Path) -> None:
    """Raises NotStartable for the first element that still names something outside the folder."""
    ours = f"{folder}/"
    for element in root.iter():
        if not isinstance(element.tag, str) or element.tag in _NO_PATHS:
            continue
        if _is_outside(element.text, ours):
            refuse(element, "its text is a path, and nothing stands in for it")
        for name, value in element.attrib.items():
            if _is_outside(str(value), ours) and (element.tag, name) not in _TAGS:
                refuse(element, f"its '{name!s}' is a path, and nothing stands in for it")


def _is_outside(text: str | None, ours: str) -> bool:
    value = (text or "").strip()
    return (value.startswith(("/", "./", "../", "~")) or "://" in value) and not value.startswith(ours)
