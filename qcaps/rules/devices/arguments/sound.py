"""Sound cards, and the backends their sound goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domain.devices import Audio, Sound
from qcaps.rules.refusal import Refused
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domain.codec import Element
    from qcaps.domain.devices.audio import AudioDirection
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.guest import Guest

_CARDS: Final = {
    "es1370": "ES1370",
    "ac97": "AC97",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "usb": "usb-audio",
    "sb16": "sb16",
}
_WITH_CODECS: Final = frozenset({"ich6", "ich9"})
_CODECS: Final = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}
_DRIVERS: Final = {"pulseaudio": "pa", "file": "wav"}


def backends(guest: Guest) -> Iterator[str]:
    """`-audiodev` for each backend."""
    for audio in guest.of(Audio):
        own = _OWN.get(audio.type)
        properties: dict[str, Json] = {
            "id": f"audio{audio.id}",
            "driver": _DRIVERS.get(audio.type, audio.type),
            "timer-period": audio.timer_period,
        }
        if audio.type == "oss":
            properties |= {
                "try-mmap": audio.try_mmap, "exclusive": audio.exclusive, "dsp-policy": audio.dsp_policy,
            }  # fmt: skip
        elif audio.type == "pulseaudio":
            properties["server"] = audio.server_name
        elif audio.type == "file":
            properties["path"] = audio.path
        for key, direction in (("in", audio.input), ("out", audio.output)):
            properties[key] = _direction(direction, own) if direction else None
        yield from ("-audiodev", as_json(properties))


def cards(guest: Guest) -> Iterator[str]:
    """Sound cards, and the codecs on those that have a bus for them."""
    for sound in guest.of(Sound):
        if sound.model == "pcspk":
            yield from ("-soundhw", "pcspk")
            continue
        if sound.model not in _CARDS:
            raise Refused(f"QEMU has no sound card '{sound.model}'", sound)
        name = guest.alias(sound)
        backend = audio_name(guest, sound.audio.id if sound.audio else None, sound)
        has_codecs = sound.model in _WITH_CODECS
        yield from zpci(guest, sound)
        yield from guest.device(
            {
                "driver": _CARDS[sound.model],
                "id": name,
                "audiodev": None if has_codecs else backend,
                **placed(guest, sound),
            }
        )
        codecs = [codec.type for codec in sound.codec] or ["duplex"]
        for number, codec in enumerate(codecs if has_codecs else ()):
            yield from guest.device(
                {
                    "driver": _CODECS[codec],
                    "id": f"{name}-codec{number}",
                    "bus": f"{name}.0",
                    "cad": number,
                    "audiodev": backend,
                }
            )


def audio_name(guest: Guest, number: int | None, element: Element) -> str:
    """The backend of this number, the first one where no number is given. Raises Refused if there is none."""
    found = [audio.id for audio in guest.of(Audio) if number in (None, audio.id)]
    if not found:
        raise Refused(f"there is no <audio id='{number or 1}'> for it", element)
    return f"audio{found[0]}"


def _direction(given: AudioDirection, own: Callable[[AudioDirection], dict[str, Json]] | None) -> Json:
    fixed = given.settings if given.fixed_settings else None
    properties: dict[str, Json] = {
        "mixing-engine": given.mixing_engine,
        "fixed-settings": given.fixed_settings,
        "voices": given.voices,
        "buffer-length": given.buffer_length,
        "frequency": fixed.frequency if fixed else None,
        "channels": fixed.channels if fixed else None,
        "format": fixed.format if fixed else None,
        **(own(given) if own else {}),
    }
    return {key: value for key, value in properties.items() if value is not None} or None


_OWN: dict[str, Callable[[AudioDirection], dict[str, Json]]] = {
    "alsa": lambda given: {"dev": given.dev},
    "coreaudio": lambda given: {"buffer-count": given.buffer_count or None},
    "sdl": lambda given: {"buffer-count": given.buffer_count or None},
    "oss": lambda given: {
        "dev": given.dev,
        "buffer-count": given.buffer_count or None,
        "try-poll": given.try_poll,
    },
    "jack": lambda given: {
        "server-name": given.server_name,
        "client-name": given.client_name,
        "connect-ports": given.connect_ports,
        "exact-name": given.exact_name,
    },
    "pulseaudio": lambda given: {
        "name": given.name,
        "stream-name": given.stream_name,
        "latency": given.latency or None,
    },
}
"""What a direction of each backend has of its own."""
