"""The identities (uid, fid) that s390 gives to PCI functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import Zpci
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Channel, Console, Parallel, Serial
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcaps.rules.addresses.pci.place import Place

_LAST_UID = 0xFFFF
_LAST_FID = 0xFFFFFFFF
_CHARACTER = (Serial, Parallel, Channel, Console)


class _Ids:
    """Numbers in use, and the lowest that may be free."""

    def __init__(self, name: str, first: int, last: int) -> None:
        self.name = name
        self._taken: set[int] = set()
        self._next = first
        self._last = last

    def free(self) -> int | None:
        while self._next in self._taken:
            self._next += 1
        return self._next if self._next <= self._last else None

    def take(self, number: int) -> bool:
        if number in self._taken:
            return False
        self._taken.add(number)
        return True


def identify(places: Iterable[Place]) -> None:
    """Completes the identity of each PCI device: those that have a part of one first, in device order.

    Follows: qemuDomainAssignPCIAddressExtension, qemuDomainCollectPCIAddressExtension
    """
    uids, fids = _Ids("uid", 1, _LAST_UID), _Ids("fid", 0, _LAST_FID)
    able = [place for place in places if place.at is not None and not isinstance(place.device, _CHARACTER)]
    named = [bool(place.zpci and (place.zpci.uid, place.zpci.fid) != (None, None)) for place in able]
    for part in (True, False):
        for place, has_part in zip(able, named, strict=True):
            if has_part is part:
                _complete(place, uids, fids)


# Follows: virDomainPCIAddressExtensionReserveAddr, virDomainPCIAddressExtensionReserveNextAddr
def _complete(place: Place, uids: _Ids, fids: _Ids) -> None:
    zpci = place.zpci or Zpci()
    numbers = []
    for ids, given in ((uids, zpci.uid), (fids, zpci.fid)):
        number = ids.free() if given is None else given
        if number is None:
            raise Refused(f"internal error: no zPCI {ids.name} is free", place.device)
        if not ids.take(number):
            raise Refused(f"internal error: zPCI {ids.name} {number:#x} is used twice", place.device)
        numbers.append(number)
    uid, fid = numbers
    if zpci.uid != uid or zpci.fid != fid:
        place.identify(evolve(zpci, uid=uid, fid=fid))
