"""What libvirt's parser refuses once the words are known: elements that contradict or lack each other.

Words and numbers out of range, and rules within one element, are the reader's business (`qcaps.domainxml`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules import orders
from qcaps.rules.definition.reading.address import check_parsed_info
from qcaps.rules.definition.reading.domain import check_parsed_domain
from qcaps.rules.definition.reading.namespace import check_parsed_namespace
from qcaps.rules.definition.reading.usb import check_tpms, check_usb

if TYPE_CHECKING:
    from qcaps.domainxml.devices import AnyDevice
    from qcaps.rules.draft import Draft


_REFUSE_READ = {kind.device: kind.refuse_read for kind in orders.WRITTEN if kind.refuse_read is not None}


def check_parsed(draft: Draft) -> None:
    """Refuses a domain that libvirt's parser would not let through.

    Follows: virDomainDefParseXML
    """
    check_parsed_domain(draft.domain)
    check_parsed_namespace(draft.domain)
    for device in draft.devices():
        check_parsed_device(device)
    check_usb(draft)
    check_tpms(draft)


def check_parsed_device(device: AnyDevice) -> None:
    """Refuses a device that libvirt's parser would not let through, whatever domain it is for.

    Follows: virDomainDeviceDefParse
    """
    check_parsed_info(device)
    if (check := _REFUSE_READ.get(type(device))) is not None:
        check(device)
