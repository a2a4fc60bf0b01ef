"""`<audio>`: the host's end of sound; fixed settings, numbers, `-audiodev`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Audio
from qcaps.domainxml.devices.audio import AudioSettings
from qcaps.rules.kind import Kind
from qcaps.rules.shared.common import by_device_type, by_type, is_empty, only
from qcaps.rules.shared.refuse import malformed, need, unsupported
from qcaps.rules.start.argument import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices.audio import AudioDirection
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.launch import Launch


def refuse_read(audio: d.Audio) -> None:
    """Refuses settings that are fixed without the mixing engine, or given without being fixed.

    Follows: virDomainAudioCommonParse
    """
    if audio.type == "oss" and audio.dsp_policy is not None and audio.dsp_policy < 0:
        raise malformed(f"dspPolicy {audio.dsp_policy} is below 0", audio)
    for direction in (audio.input, audio.output):
        if direction is None:
            continue
        if direction.fixed_settings and not direction.mixing_engine:
            raise unsupported("fixedSettings='yes' needs mixingEngine='yes'", audio)
        if direction.settings is not None and not direction.fixed_settings:
            raise unsupported("<settings> needs fixedSettings='yes'", audio)


_BOTH: Final = {"id", "timer_period", "input", "output"}
_COUNTED: Final = by_device_type(
    dict.fromkeys(("none", "alsa", "coreaudio", "jack", "spice", "dbus"), _BOTH)
    | {
        "oss": _BOTH | {"try_mmap", "exclusive", "dsp_policy"},
        "pulseaudio": _BOTH | {"server_name"},
        "sdl": _BOTH | {"driver"},
        "file": _BOTH | {"path"},
        "pipewire": _BOTH | {"runtime_dir"},
    }
)
_EITHER: Final = {"mixing_engine", "fixed_settings", "voices", "buffer_length", "settings"}
_DIRECTION: Final = by_type(
    dict.fromkeys(("none", "spice", "dbus", "file"), _EITHER)
    | {
        "alsa": _EITHER | {"dev"},
        "coreaudio": _EITHER | {"buffer_count"},
        "jack": _EITHER | {"server_name", "client_name", "connect_ports", "exact_name"},
        "oss": _EITHER | {"dev", "buffer_count", "try_poll"},
        "pulseaudio": _EITHER | {"name", "stream_name", "latency"},
        "sdl": _EITHER | {"buffer_count"},
        "pipewire": _EITHER | {"name", "stream_name", "latency"},
    }
)
"""What a backend of each type may say, of itself and of a direction."""


def read(_domain: Domain, audio: Audio) -> Audio:
    """What counts for its type.

    Follows: virDomainAudioDefParseXML, virDomainAudioDefFormat, virDomainAudioCommonFormat
    """
    audio = only(audio, _COUNTED[audio.type])
    changes: dict[str, AudioDirection | None] = {}
    for name in ("input", "output"):
        direction: AudioDirection | None = getattr(audio, name)
        if direction is not None:
            own = only(direction, _DIRECTION[audio.type])
            if own.fixed_settings:
                own = evolve(own, settings=own.settings or AudioSettings())
            zeros = {zero: None for zero in ("latency", "buffer_count") if own.__dict__.get(zero) == 0}
            own = evolve(own, **zeros) if zeros else own
            changes[name] = None if is_empty(own) else own
    return evolve(audio, **changes)


def refuse(audio: Audio, guest: Guest) -> None:
    """Refuses a number that another audio backend has too.

    Follows: virDomainAudioDefValidate
    """
    if audio.id in guest.audio_twice:
        raise malformed(f"<audio> id {audio.id} is used twice", audio)


def refuse_by_qemu(audio: Audio, guest: Guest, caps: Capabilities) -> None:
    """Refuses audio over a display that is not there.

    Follows: qemuValidateDomainDeviceDefAudio
    """
    if audio.type == "spice" and "spice" not in guest.graphics:
        raise unsupported("spice audio needs spice graphics", audio)
    if audio.type == "dbus":
        need(caps, "display-dbus", "D-Bus audio", audio)


_DRIVERS: Final = {"pulseaudio": "pa", "file": "wav"}


def backends(launch: Launch) -> Iterator[str]:
    """`-audiodev` for each backend.

    Follows: qemuBuildAudioCommandLine, qemuBuildAudioCommandLineArg
    """
    for audio in launch.of(Audio):
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


# Follows: qemuBuildAudioCommonProps
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


AUDIO = Kind(
    Audio,
    refuse_read=refuse_read,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
)
