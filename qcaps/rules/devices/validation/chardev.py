"""Character devices: serial, parallel, channel, console, and whatever else has such a source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.labels import check_labels
from qcaps.rules.shared.refuse import internal, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.codec import Element
    from qcaps.domain.devices import Channel, Console, Parallel, Redirdev, Rng, Serial, Smartcard
    from qcaps.domain.devices.chardev import ChardevSource as Source
    from qcaps.rules.shared.guest import Guest


class _HasSources(Protocol):
    """Two sources where UDP goes both ways."""

    @property
    def source(self) -> Source | None: ...
    @property
    def second_source(self) -> Source | None: ...


_CHANNEL_NAME = re.compile(r"[-A-Za-z0-9_.]*")

_SERIAL_ADDRESSES = {
    "isa-serial": "isa",
    "isa-debug": "isa",
    "usb-serial": "usb",
    "pci-serial": "pci",
    "spapr-vio-serial": "spapr-vio",
    "system-serial": None,
    "sclp-serial": None,
}
"""The type of address that each type of serial port has."""

_SERIAL_MODELS = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vty": "spapr-vio-serial",
    "pl011": "system-serial",
    "16550a": "system-serial",
    "sclpconsole": "sclp-serial",
    "sclplmconsole": "sclp-serial",
    "isa-debugcon": "isa-debug",
}
"""The type of serial port that each model is."""


# ── the source, under any hypervisor ───────────────────────────────────────────────────────────────


def check_source(
    kind: str | None, sources: Sequence[Source], device: Element, guest: Guest, *, makes_path: bool = False
) -> None:
    """Whether the source says what its type needs; `makes_path` where libvirt makes up a socket's path."""
    source = sources[0] if sources else None
    check = _SOURCES.get(kind or "pty")
    if check is not None and not (kind == "unix" and makes_path and (source is None or source.path is None)):
        check(source, sources, device)
    if kind == "unix" and source is not None:
        _check_reconnect(source, device)
    check_labels(source, guest)


def _need_path(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is None or source.path is None:
        raise internal("<source path=…> is missing", device)


def _need_pair(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is not None and (source.master is None) != (source.slave is None):
        raise internal("a source of type 'nmdm' has both a master and a slave, or neither", device)


def _need_host(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is None or source.host is None:
        raise internal("<source host=…> is missing", device)
    if source.service is None:
        raise internal("<source service=…> is missing", device)
    _check_reconnect(source, device)


def _need_connect(_source: Source | None, sources: Sequence[Source], device: Element) -> None:
    connect = next((one for one in sources if one.mode in (None, "connect")), None)
    if connect is None or connect.service is None:
        raise internal("<source mode='connect' service=…> is missing", device)


def _need_channel(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    name = None if source is None else source.channel
    if name is None:
        raise unsupported("<source channel=…> is missing", device)
    if not _CHANNEL_NAME.fullmatch(name):
        raise Refused(f"channel '{name}' has characters other than letters, digits, '_', '-' and '.'", device)


def _check_reconnect(source: Source, device: Element) -> None:
    if source.reconnect is None or source.reconnect.enabled is None:
        return
    # where libvirt makes up the path of a socket, it is QEMU that listens
    if source.mode == "bind" or (source.path is None and source.host is None):
        raise internal("only a source in mode 'connect' can reconnect", device)


_SOURCES: dict[str, Callable[[Source | None, Sequence[Source], Element], None]] = {
    "file": _need_path,
    "dev": _need_path,
    "pipe": _need_path,
    "nmdm": _need_pair,
    "tcp": _need_host,
    "udp": _need_connect,
    "unix": _need_path,
    "spiceport": _need_channel,
    "dbus": _need_channel,
}


# ── the source, under QEMU ─────────────────────────────────────────────────────────────────────────


def check_qemu_source(
    kind: str | None, sources: Sequence[Source], device: Element, guest: Guest, caps: Capabilities
) -> None:
    """What QEMU, or this QEMU, cannot do with a source."""
    if kind in ("tcp", "unix"):
        for source in sources:
            again = source.reconnect
            if again is not None and again.enabled and not again.timeout:
                raise Refused("a source that reconnects needs a timeout other than 0", device)
    elif kind == "qemu-vdagent":
        need(caps, "chardev.qemu-vdagent", "a source of type 'qemu-vdagent'", device)
    elif kind in ("spicevmc", "spiceport") and "spice" not in guest.graphics:
        raise unsupported(f"a source of type '{kind}' needs spice graphics", device)


def _sources(device: _HasSources) -> tuple[Source, ...]:
    return tuple(one for one in (device.source, device.second_source) if one is not None)


# ── devices ────────────────────────────────────────────────────────────────────────────────────────


def check_chardev(device: Serial | Parallel | Channel | Console, guest: Guest) -> None:
    """What holds for a serial or parallel port, a console or a channel under any hypervisor."""
    makes_path = (
        device.TAG == "channel" and device.target is not None and device.target.type in ("virtio", "xen")
    )
    check_source(device.type, _sources(device), device, guest, makes_path=makes_path)


def check_qemu_chardev(device: Parallel | Channel | Console, guest: Guest, caps: Capabilities) -> None:
    """What QEMU cannot do with a parallel port, a console or a channel."""
    check_qemu_source(device.type, _sources(device), device, guest, caps)
    if device.TAG == "parallel" and (guest.is_s390 or guest.is_pseries):
        raise unsupported(f"there is no parallel port for {guest.where}", device)


def check_qemu_serial(serial: Serial, guest: Guest, caps: Capabilities) -> None:
    """What QEMU cannot do with a serial port."""
    check_qemu_source(serial.type, _sources(serial), serial, guest, caps)
    target = serial.target
    kind = target.type if target is not None else None
    model = target.model.name if target is not None and target.model is not None else None
    if kind in _SERIAL_ADDRESSES:
        expected, actual = _SERIAL_ADDRESSES[kind], address_type(serial)
        if actual is not None and actual != expected:
            takes = f"an address of type '{expected}'" if expected is not None else "no address"
            raise unsupported(f"a serial port of type '{kind}' takes {takes}, not '{actual}'", serial)
    if model is not None and _SERIAL_MODELS[model] != kind:
        raise unsupported(
            f"serial model '{model}' goes with type '{_SERIAL_MODELS[model]}', not '{kind}'", serial
        )
    fits = (
        (model != "pl011" or kind != "system-serial" or guest.is_arm_virt)
        and (model != "16550a" or kind != "system-serial" or guest.is_riscv_virt)
        and ((kind != "spapr-vio-serial" and model != "spapr-vty") or guest.is_pseries)
        and ((kind != "sclp-serial" and model not in ("sclpconsole", "sclplmconsole")) or guest.is_s390)
    )
    if not fits:
        raise unsupported(
            f"there is no serial port of type '{kind}' and model '{model}' for {guest.where}", serial
        )


def check_redirdev(redirdev: Redirdev, guest: Guest) -> None:
    """A redirected USB device needs a USB controller."""
    if redirdev.bus in (None, "usb") and not guest.has_usb:
        raise unsupported("a redirected USB device needs USB, which is disabled", redirdev)
    check_source(redirdev.type, _sources(redirdev), redirdev, guest)


def check_qemu_redirdev(redirdev: Redirdev, guest: Guest, caps: Capabilities) -> None:
    """Redirection, and the filter of what may be redirected."""
    check_qemu_source(redirdev.type, _sources(redirdev), redirdev, guest, caps)
    need(caps, "usb-redir", "<redirdev>", redirdev)
    if guest.has_redirection_filter:
        need(caps, "usb-redir.filter", "<redirfilter>", redirdev)


def check_rng(rng: Rng, guest: Guest) -> None:
    """The source of an entropy daemon."""
    if rng.backend is not None and rng.backend.model == "egd":
        check_source(rng.backend.type, _sources(rng.backend), rng, guest)


_RNG_FLAGS = {"random": "rng-random", "egd": "rng-egd", "builtin": "rng-builtin"}


def check_qemu_rng(rng: Rng, guest: Guest, caps: Capabilities) -> None:
    """Backend and model."""
    backend = rng.backend
    if backend is not None:
        need(caps, _RNG_FLAGS[backend.model], f"entropy backend '{backend.model}'", rng)
        if backend.model == "egd":
            check_qemu_source(backend.type, _sources(backend), rng, guest, caps)
    need(caps, "virtio-rng", f"an entropy device of model '{rng.model}'", rng)
    if rng.model != "virtio":
        need(caps, "virtio-pci-non-transitional", f"an entropy device of model '{rng.model}'", rng)


def check_smartcard(card: Smartcard, guest: Guest) -> None:
    """Its address, and the source of a card that is passed through."""
    if address_type(card) not in (None, "ccid"):
        raise unsupported("a smartcard takes an address of type 'ccid'", card)
    if card.mode == "passthrough":
        check_source(card.type, _sources(card), card, guest)


def check_qemu_smartcard(card: Smartcard, guest: Guest, caps: Capabilities) -> None:
    """One card, in the first slot of the first controller."""
    address = card.address
    first = address is not None and address.type == "ccid" and not address.controller and not address.slot
    if not first or guest.smartcards > 1:
        raise unsupported("there is one smartcard, in slot 0 of controller 0", card)
    if card.mode == "passthrough":
        need(caps, "ccid-passthru", "a smartcard that is passed through", card)
        check_qemu_source(card.type, _sources(card), card, guest, caps)
    else:
        need(caps, "ccid-emulated", "a smartcard of the host", card)
