"""Rules between the elements of one device, as libvirt's parser has them, for kinds with few of them."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any

from qcaps.domain import devices as d
from qcaps.domain.memory import kib
from qcaps.domain.syntax import uuid
from qcaps.rules.devices.reading.disk import check_parsed_disk
from qcaps.rules.devices.reading.hostdev import check_parsed_hostdev
from qcaps.rules.devices.reading.interface import check_parsed_interface
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import internal, malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domain.device import Device
    from qcaps.domain.devices.graphics import GraphicsListen

_VALID_TO = re.compile(r"(?:\s*[+-]?\d+-){2}\s*[+-]?\d+T(?:\s*[+-]?\d+:){2}\s*[+-]?\d+")
_CERTIFICATES = 3
_SMALLEST_LABEL_KIB = 128
_HIGHEST_MODE = 0o777


_SPICEVMC = frozenset({("channel", "virtio"), ("serial", "usb-serial"), ("console", "xen")})
"""Ends of a spice channel. libvirt means the first, and compares numbers that the others share."""


def _check_chardev(device: d.Serial | d.Parallel | d.Console | d.Channel) -> None:
    end = device.target.type if device.target is not None else None
    if device.type == "spicevmc" and (device.TAG, end) not in _SPICEVMC:
        raise unsupported("a source of type 'spicevmc' is for channels of target type 'virtio'", device)
    if device.second_source is not None and device.type != "udp":
        raise malformed(f"a character device of type '{device.type}' has one <source>", device)
    _check_reconnect(device)


def _check_reconnect(device: Any) -> None:  # noqa: ANN401  # whatever has a source
    source = device.source
    again = source.reconnect if source is not None and device.type in ("tcp", "unix") else None
    if again is not None and again.enabled and again.timeout is None:
        raise malformed("<reconnect> needs a timeout", device)


def _check_serial(serial: d.Serial) -> None:
    _check_chardev(serial)
    usb = serial.target is not None and serial.target.type == "usb-serial"
    if usb and address_type(serial) not in (None, "usb"):
        raise unsupported("a serial port of type 'usb-serial' takes an address of type 'usb'", serial)


def _check_channel(channel: d.Channel) -> None:
    target = channel.target
    if target is None or target.type is None:
        raise malformed("a channel needs a target type", channel)
    if target.type == "guestfwd":
        if target.address is None or target.port is None:
            raise malformed("a channel of target type 'guestfwd' needs an address and a port", channel)
        try:
            IPv4Address(target.address)
        except AddressValueError:
            raise unsupported(f"'{target.address}' is no IPv4 address", channel) from None
    _check_chardev(channel)


def _check_graphics(graphics: d.Graphics) -> None:
    kind = graphics.type
    if kind in ("vnc", "spice", "rdp"):
        for position, listen in enumerate(graphics.listens):
            _check_listen(graphics, listen, first=position == 0)
    if kind not in ("vnc", "spice") or graphics.passwd is None:
        return
    if graphics.passwd_valid_to is not None and not _VALID_TO.fullmatch(graphics.passwd_valid_to):
        raise internal(f"'{graphics.passwd_valid_to}' is no time, as in 2010-11-28T14:29:01", graphics)
    if graphics.connected == "default" or (kind == "vnc" and graphics.connected not in (None, "keep")):
        raise unsupported(f"{kind} has no connected='{graphics.connected}'", graphics)


def _check_listen(graphics: d.Graphics, listen: GraphicsListen, *, first: bool) -> None:
    if listen.type in ("socket", "none") and graphics.type == "rdp":
        raise unsupported(f"rdp graphics cannot listen by '{listen.type}'", graphics)
    for name in ("network", "socket"):
        if getattr(listen, name) and listen.type != name:
            raise malformed(f"{name} does not go with a listen element of type '{listen.type}'", listen)
    if not first:
        return
    # the older attributes of <graphics> itself repeat the first element
    for old, new in (("listen", "address"), ("socket", "socket")):
        one, other = getattr(graphics, old), getattr(listen, new)
        if listen.type == new and None not in (one, other) and one != other:
            raise unsupported(f"{old} '{one}' is not that of the first listen element, '{other}'", graphics)


def _check_filesystem(filesystem: d.Filesystem) -> None:
    source, kind = filesystem.source, filesystem.type
    for name in ("fmode", "dmode"):
        if (getattr(filesystem, name) or 0) > _HIGHEST_MODE:
            raise malformed(f"{name} is above {_HIGHEST_MODE:04o}", filesystem)
    if kind == "ram":
        if source is None or source.usage is None:
            raise malformed("a filesystem of type 'ram' needs <source usage=…>", filesystem)
        return
    if kind == "volume":
        if source is not None and (source.pool is None) != (source.volume is None):
            raise malformed("pool and volume go together", filesystem)
        return
    attribute = {"file": "file", "block": "dev", "template": "name"}.get(kind, "dir")
    if source is None or (source.socket is None and getattr(source, attribute) is None):
        raise Refused(f"a filesystem of type '{kind}' needs <source {attribute}=…>", filesystem)


def _check_smartcard(card: d.Smartcard) -> None:
    if card.mode == "host-certificates":
        if len(card.certificate) != _CERTIFICATES:
            raise malformed(f"there are {_CERTIFICATES} certificates, not {len(card.certificate)}", card)
        if card.database is not None and not card.database.startswith("/"):
            raise malformed(f"the database '{card.database}' is no absolute path", card)
    if card.mode == "passthrough":
        if card.type is None:
            raise malformed("a smartcard that is passed through needs a type", card)
        _check_reconnect(card)


def _check_rng(rng: d.Rng) -> None:
    if rng.backend.model == "egd":
        if rng.backend.type is None:
            raise malformed("an entropy daemon (egd) needs a type", rng)
        _check_reconnect(rng.backend)


def _check_tpm(tpm: d.Tpm) -> None:
    backend = tpm.backend
    if backend.type == "external" and backend.source is None:
        raise malformed("an external TPM needs <source type=…>", tpm)
    if backend.encryption is not None and backend.type == "emulator":
        try:
            uuid(backend.encryption.secret)
        except ValueError as error:
            raise internal(str(error), tpm) from None


def _check_input(device: d.Input) -> None:
    if device.bus == "usb" and address_type(device) not in (None, "usb"):
        raise malformed("an input on bus 'usb' takes an address of type 'usb'", device)
    source = device.source
    if source is None:
        return
    path = {"passthrough": source.evdev, "evdev": source.dev}.get(device.type, "")
    if path is None:
        raise malformed(f"the path of the input of type '{device.type}' is missing", device)


def _check_redirdev(redirdev: d.Redirdev) -> None:
    _check_reconnect(redirdev)
    if address_type(redirdev) not in (None, "usb"):
        raise malformed("a redirected USB device takes an address of type 'usb'", redirdev)


def _check_memory(memory: d.Memory) -> None:
    target = memory.target
    if target is None:
        raise malformed("<target> is missing", memory)
    if memory.uuid is not None:
        try:
            uuid(memory.uuid)
        except ValueError as error:
            raise malformed(str(error), memory) from None
    label = kib(target.label.size) if target.label is not None and memory.model == "nvdimm" else 0
    if label and label < _SMALLEST_LABEL_KIB:
        raise malformed(f"the label of an NVDIMM has at least {_SMALLEST_LABEL_KIB} KiB", memory)
    if memory.model == "nvdimm" and label >= kib(target.size):
        raise malformed("the label of an NVDIMM is smaller than the NVDIMM", memory)


def _check_shmem(shmem: d.Shmem) -> None:
    if shmem.msi is not None and shmem.server is None:
        raise malformed("<msi> needs a <server>", shmem)


def _check_video(video: d.Video) -> None:
    acceleration = video.model.acceleration if video.model is not None else None
    if acceleration is None:
        return
    if acceleration.accel3d is None and acceleration.accel2d is None and acceleration.rendernode is None:
        raise unsupported("<acceleration> says nothing", video)


def _check_lease(lease: d.Lease) -> None:
    if lease.key is None or lease.target is None or lease.target.path is None:
        raise malformed("a lease needs <key> and <target path=…>", lease)


def _check_audio(audio: d.Audio) -> None:
    for direction in (audio.input, audio.output):
        if direction is None:
            continue
        if direction.fixed_settings and not direction.mixing_engine:
            raise unsupported("fixedSettings='yes' needs mixingEngine='yes'", audio)
        if direction.settings is not None and not direction.fixed_settings:
            raise unsupported("<settings> needs fixedSettings='yes'", audio)


# each function takes the kind it stands beside, which a dict cannot say
PARSED: dict[type[Device], Callable[[Any], None]] = {
    d.Disk: check_parsed_disk,
    d.Interface: check_parsed_interface,
    d.Serial: _check_serial,
    d.Parallel: _check_chardev,
    d.Console: _check_chardev,
    d.Channel: _check_channel,
    d.Graphics: _check_graphics,
    d.Hostdev: check_parsed_hostdev,
    d.Filesystem: _check_filesystem,
    d.Smartcard: _check_smartcard,
    d.Rng: _check_rng,
    d.Tpm: _check_tpm,
    d.Input: _check_input,
    d.Redirdev: _check_redirdev,
    d.Memory: _check_memory,
    d.Shmem: _check_shmem,
    d.Video: _check_video,
    d.Lease: _check_lease,
    d.Audio: _check_audio,
}
"""The rules of each kind that has any."""
