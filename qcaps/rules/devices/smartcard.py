"""`<smartcard>`: cards of the host, of certificates, of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import CcidAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Smartcard
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
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.launch import Launch


_CERTIFICATES = 3


def refuse_read(card: d.Smartcard) -> None:
    """Refuses too few or too many certificates, a relative database, a passed-through card without a type.

    Follows: virDomainSmartcardDefParseXML
    """
    if card.mode == "host-certificates":
        if len(card.certificate) != _CERTIFICATES:
            raise malformed(f"there are {_CERTIFICATES} certificates, not {len(card.certificate)}", card)
        if card.database is not None and not card.database.startswith("/"):
            raise malformed(f"the database '{card.database}' is no absolute path", card)
    if card.mode == "passthrough":
        if card.type is None:
            raise malformed("a smartcard that is passed through needs a type", card)
        refuse_read_sources(card)


def read(_domain: Domain, card: Smartcard) -> Smartcard:
    """A card that a client hands over comes by a character device.

    Follows: virDomainSmartcardDefParseXML
    """
    if card.mode != "passthrough" or card.type is None:
        return card
    source, protocol = normal_source(card.type, card.source, card.protocol)
    return evolve(card, source=source, protocol=protocol)


def refuse(card: Smartcard, _guest: Guest) -> None:
    """Refuses an address that is no CCID address, and an incomplete source of a card that is passed through.

    Follows: virDomainSmartcardDefValidate
    """
    if address_type(card) not in (None, "ccid"):
        raise unsupported("a smartcard takes an address of type 'ccid'", card)
    if card.mode == "passthrough":
        check_source(card.type, sources(card), card)


def refuse_by_qemu(card: Smartcard, guest: Guest, caps: Capabilities) -> None:
    """Refuses any card but one in the first slot of the first controller.

    Follows: qemuValidateDomainSmartcardDef
    """
    address = card.address
    first = address is not None and address.type == "ccid" and not address.controller and not address.slot
    if not first or guest.smartcards > 1:
        raise unsupported("there is one smartcard, in slot 0 of controller 0", card)
    if card.mode == "passthrough":
        need(caps, "ccid-passthru", "a smartcard that is passed through", card)
        check_qemu_source(card.type, sources(card), card, guest, caps)
    else:
        need(caps, "ccid-emulated", "a smartcard of the host", card)


_STORE: Final = "/etc/pki/nssdb"


def smartcards(launch: Launch) -> Iterator[str]:
    """The smartcard; of several the first, as in libvirt.

    Follows: qemuBuildSmartcardCommandLine
    """
    for card in launch.of(Smartcard)[:1]:
        name = launch.alias(card)
        properties: dict[str, Json]
        if card.mode == "host":
            properties = {"driver": "ccid-card-emulated", "backend": "nss-emulated"}
        elif card.mode == "host-certificates":
            texts = [one.text or "" for one in card.certificate] + ["", "", ""]
            properties = {
                "driver": "ccid-card-emulated", "backend": "certificates",
                "cert1": texts[0], "cert2": texts[1], "cert3": texts[2], "db": card.database or _STORE,
            }  # fmt: skip
        else:
            yield from chardev(launch, card, f"char{name}")
            properties = {"driver": "ccid-card-passthru", "chardev": f"char{name}"}
        index = card.address.controller or 0 if isinstance(card.address, CcidAddress) else 0
        bus = f"{launch.alias(launch.controller('ccid', index, card))}.0"
        yield from launch.device({**properties, "id": name, "bus": bus})


SMARTCARD = Kind(
    Smartcard,
    refuse_read=refuse_read,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    alias=by_place("smartcard"),
)
