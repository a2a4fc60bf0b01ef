"""`<graphics>`: the record of its kind."""

from __future__ import annotations

from qcaps.domainxml.devices import Graphics
from qcaps.rules.devices.graphics.complete import read
from qcaps.rules.devices.graphics.refuse import refuse, refuse_by_qemu, refuse_read
from qcaps.rules.kind import Kind

GRAPHICS = Kind(
    Graphics,
    refuse_read=refuse_read,
    read=read,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
)
