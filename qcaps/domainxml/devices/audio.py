"""Where the guest's sound goes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Element, Name, Newer
from qcaps.domainxml.device import NO_INFO, Device
from qcaps.domainxml.syntax import AS_INT, I32, POSITIVE, U32
from qcaps.release import R11_3

AudioType = Literal[
    "none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl", "spice", "file", "dbus", "pipewire",
]  # fmt: skip


class AudioSettings(Element):
    """Frequency in Hz, number of channels and format of a sample."""

    TAG: ClassVar[str] = "settings"
    frequency: POSITIVE | None = None
    channels: POSITIVE | None = None
    format: Literal["u8", "s8", "u16", "s16", "u32", "s32", "f32"] | None = None


class AudioDirection(Element):
    """One direction; which attributes count depends on the backend. Lengths and latency in microseconds."""

    mixing_engine: Annotated[bool, Name("mixingEngine")] | None = None
    fixed_settings: Annotated[bool, Name("fixedSettings")] | None = None
    voices: POSITIVE | None = None
    buffer_length: Annotated[POSITIVE, Name("bufferLength")] | None = None
    dev: str | None = None
    name: str | None = None
    stream_name: Annotated[str, Name("streamName")] | None = None
    latency: U32 | None = None
    server_name: Annotated[str, Name("serverName")] | None = None
    client_name: Annotated[str, Name("clientName")] | None = None
    connect_ports: Annotated[str, Name("connectPorts")] | None = None
    exact_name: Annotated[bool, Name("exactName")] | None = None
    buffer_count: Annotated[U32, Name("bufferCount")] | None = None
    try_poll: Annotated[bool, Name("tryPoll")] | None = None
    settings: AudioSettings | None = None


class Audio(Device):
    """A backend for sound."""

    TAG: ClassVar[str] = "audio"
    UNREAD: ClassVar[frozenset[str]] = NO_INFO
    id: Annotated[POSITIVE, AS_INT]
    type: Annotated[AudioType, Newer(R11_3, ("pipewire",))]
    timer_period: Annotated[POSITIVE, Name("timerPeriod")] | None = None
    try_mmap: Annotated[bool, Name("tryMMap")] | None = None
    exclusive: bool | None = None
    dsp_policy: Annotated[I32, Name("dspPolicy")] | None = None
    server_name: Annotated[str, Name("serverName")] | None = None
    driver: Literal["esd", "alsa", "arts", "pulseaudio"] | None = None
    path: str | None = None
    runtime_dir: Annotated[str, Name("runtimeDir"), Newer(R11_3)] | None = None
    input: AudioDirection | None = None
    output: AudioDirection | None = None
