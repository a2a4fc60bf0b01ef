"""`<redirdev>`: USB devices that a client hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Redirdev, Redirfilter
from qcaps.domainxml.devices.characters import ChardevSource
from qcaps.rules.kind import Kind
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.character_checks import (
    check_qemu_source,
    check_source,
    refuse_read_sources,
    sources,
)
from qcaps.rules.shared.characters import normal_source
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import malformed, need, unsupported
from qcaps.rules.start.address import placed
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices.redirfilter import RedirfilterUsbdev
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


def refuse_read(redirdev: d.Redirdev) -> None:
    """Refuses an address that is no USB address, and a source that reconnects without a timeout.

    Follows: virDomainRedirdevDefParseXML
    """
    refuse_read_sources(redirdev)
    if address_type(redirdev) not in (None, "usb"):
        raise malformed("a redirected USB device takes an address of type 'usb'", redirdev)


def read(_domain: Domain, device: Redirdev) -> Redirdev:
    """What the source of the device's data says by its type.

    Follows: virDomainRedirdevDefParseXML
    """
    source, protocol = normal_source(device.type, device.source, device.protocol)
    if device.type == "dbus" and (source is None or source.channel is None):
        source = evolve(source or ChardevSource(), channel="org.qemu.usbredir")
    return evolve(device, bus=device.bus, source=source, protocol=protocol)


def refuse(redirdev: Redirdev, guest: Guest) -> None:
    """Refuses a guest without USB, and an incomplete source.

    Follows: virDomainRedirdevDefValidate
    """
    if redirdev.bus in (None, "usb") and not guest.has_usb:
        raise unsupported("a redirected USB device needs USB, which is disabled", redirdev)
    check_source(redirdev.type, sources(redirdev), redirdev)


def refuse_by_qemu(redirdev: Redirdev, guest: Guest, caps: Capabilities) -> None:
    """Refuses a QEMU without redirection, or without the filter of what may be redirected.

    Follows: qemuValidateDomainRedirdevDef
    """
    check_qemu_source(redirdev.type, sources(redirdev), redirdev, guest, caps)
    need(caps, "usb-redir", "<redirdev>", redirdev)
    if guest.has_redirection_filter:
        need(caps, "usb-redir.filter", "<redirfilter>", redirdev)


def redirected(launch: Launch) -> Iterator[str]:
    """Ports for devices of a client, with the rules about which of them may be handed over.

    Follows: qemuBuildRedirdevCommandLine, qemuBuildRedirdevDevProps
    """
    rules = [rule for given in launch.of(Redirfilter) for rule in given.usbdev]
    text = "|".join(_rule(rule) for rule in rules) or None
    for device in launch.of(Redirdev):
        name = f"char{launch.alias(device)}"
        yield from chardev(launch, device, name)
        yield from launch.device(
            {
                "driver": "usb-redir",
                "chardev": name,
                "id": launch.alias(device),
                "filter": text,
                "bootindex": launch.boot_index(device),
                **placed(launch, device),
            }
        )


def _rule(rule: RedirfilterUsbdev) -> str:
    words = [_digits(rule.class_, 2), _digits(rule.vendor, 4), _digits(rule.product, 4), _version(rule)]
    return ":".join((*words, str(int(rule.allow))))


def _digits(number: int | None, width: int) -> str:
    return "-1" if number is None or number < 0 else f"0x{number:0{width}X}"


def _version(rule: RedirfilterUsbdev) -> str:
    """1.10 as 0x0110: the two parts of a USB version are decimal digits."""
    if rule.version in (None, "-1"):
        return "-1"
    major, _, minor = str(rule.version).partition(".")
    return f"0x{int(major):02d}{int(minor or 0):02d}"


REDIRDEV = Kind(
    Redirdev,
    refuse_read=refuse_read,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    alias=by_place("redir"),
    boots=True,
)
