"""`<sound>`: cards, their codecs, their audio backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Sound
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.audio import audio_name
from qcaps.rules.shared.pci import PCI, by_model
from qcaps.rules.shared.refuse import internal, malformed, need
from qcaps.rules.start.address import placed, zpci

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


_WITH_CODECS: Final = frozenset({"ich6", "ich9"})


def read(_domain: Domain, sound: Sound) -> Sound:
    """Only Intel's HDA has codecs.

    Follows: virDomainSoundDefParseXML
    """
    return evolve(sound, codec=()) if sound.codec and sound.model not in _WITH_CODECS else sound


_SOUND_FLAGS = {
    "usb": "usb-audio",
    "ich9": "ich9-intel-hda",
    "es1370": None,
    "ac97": None,
    "ich6": None,
    "sb16": None,
    "pcspk": None,
}


# Follows: qemuSoundCodecTypeToCaps
_CODEC_FLAGS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


def refuse(sound: Sound, guest: Guest) -> None:
    """Refuses an audio backend that is not there.

    Follows: virDomainSoundDefValidate
    """
    if sound.audio is not None and sound.audio.id and sound.audio.id not in guest.audio_types:
        raise malformed(f"there is no <audio> with id {sound.audio.id}", sound)


def refuse_by_qemu(sound: Sound, _guest: Guest, caps: Capabilities) -> None:
    """Refuses cards and codecs that this QEMU lacks.

    Follows: qemuValidateDomainDeviceDefSound
    """
    if sound.model not in _SOUND_FLAGS:
        raise internal(f"QEMU has no sound card '{sound.model}'", sound)
    if (flag := _SOUND_FLAGS[sound.model]) is not None:
        need(caps, flag, f"sound card '{sound.model}'", sound)
    if sound.model in ("ich6", "ich9"):
        for codec in sound.codec:
            need(caps, _CODEC_FLAGS[codec.type], f"codec '{codec.type}'", sound)


_CARDS: Final = {
    "es1370": "ES1370",
    "ac97": "AC97",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "usb": "usb-audio",
    "sb16": "sb16",
}


_CODECS: Final = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


def cards(launch: Launch) -> Iterator[str]:
    """Sound cards, and the codecs on those that have a bus for them.

    Follows: qemuBuildSoundCommandLine, qemuBuildSoundDevCmd, qemuBuildSoundCodecCmd
    """
    for sound in launch.of(Sound):
        if sound.model == "pcspk":
            yield from ("-soundhw", "pcspk")
            continue
        if sound.model not in _CARDS:
            raise Refused(f"QEMU has no sound card '{sound.model}'", sound)
        name = launch.alias(sound)
        backend = audio_name(launch, sound.audio.id if sound.audio else None, sound)
        has_codecs = sound.model in _WITH_CODECS
        yield from zpci(launch, sound)
        yield from launch.device(
            {
                "driver": _CARDS[sound.model],
                "id": name,
                "audiodev": None if has_codecs else backend,
                **placed(launch, sound),
            }
        )
        codecs = [codec.type for codec in sound.codec] or ["duplex"]
        for number, codec in enumerate(codecs if has_codecs else ()):
            yield from launch.device(
                {
                    "driver": _CODECS[codec],
                    "id": f"{name}-codec{number}",
                    "bus": f"{name}.0",
                    "cad": number,
                    "audiodev": backend,
                }
            )


_ON_PCI = dict.fromkeys(("es1370", "ac97", "ich6", "ich9"), PCI)


SOUND = Kind(
    Sound,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda sound, way: by_model(_ON_PCI, sound.model, way),
        wants=lambda sound: sound.model not in ("sb16", "pcspk", "usb"),
    ),
    alias=by_place("sound"),
)
