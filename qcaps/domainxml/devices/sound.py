"""Sound cards."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Element, Newer
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.on_host import AudioId
from qcaps.release import R11_3


class SoundCodec(Element):
    """A codec of an HDA card."""

    TAG: ClassVar[str] = "codec"
    type: Literal["duplex", "micro", "output"]


class Sound(Device):
    """A sound card."""

    TAG: ClassVar[str] = "sound"
    model: Literal["sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7"]
    multichannel: Annotated[bool, Newer(R11_3)] | None = None
    codec: tuple[SoundCodec, ...] = ()
    audio: AudioId | None = None
