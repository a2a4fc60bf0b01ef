"""The audio backend that a device plays through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Audio
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element
    from qcaps.rules.start.launch import Launch


def audio_name(launch: Launch, number: int | None, element: Element) -> str:
    """The backend of this number, the first one where no number is given. Raises Refused if there is none.

    Follows: qemuGetAudioIDString
    """
    found = [audio.id for audio in launch.of(Audio) if number in (None, audio.id)]
    if not found:
        raise Refused(f"there is no <audio id='{number or 1}'> for it", element)
    return f"audio{found[0]}"
