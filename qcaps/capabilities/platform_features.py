"""Platform features that libvirt's cache file lists as elements of their own: GIC, SEV, SGX.

We do not model them; they go into `Capabilities.rest` as the text libvirt would write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qcaps.capabilities.answers import Session

_KIB = 1024


def gic(session: Session) -> Iterator[str]:
    """One `<gic>` for each interrupt controller version of an ARM target."""
    for one in session.mappings("query-gic-capabilities"):
        version = session.number(one, "version", "query-gic-capabilities")
        yield f"<gic version='{version}' kernel='{_yes(one, 'kernel')}' emulated='{_yes(one, 'emulated')}'/>"


def sev(session: Session) -> str | None:
    """`<sev>`, or None where QEMU or the host has no SEV."""
    command = "query-sev-capabilities"
    found = session.mapping(command)
    if not found:
        return None
    texts = {
        "cbitpos": str(session.number(found, "cbitpos", command)),
        "reducedPhysBits": str(session.number(found, "reduced-phys-bits", command)),
        "pdh": session.text(found, "pdh", command),
        "certChain": session.text(found, "cert-chain", command),
        "cpu0Id": session.optional_text(found, "cpu0-id", command),
    }
    inner = "".join(f"    <{tag}>{escape(text)}</{tag}>\n" for tag, text in texts.items() if text is not None)
    return f"<sev>\n{inner}  </sev>"


def sgx(session: Session) -> str | None:
    """`<sgx>`, or None where QEMU or the host has no SGX, or QEMU (before 7.0) does not list its sections.

    Sizes are in KiB; newer QEMUs leave the sum to us.
    """
    command = "query-sgx-capabilities"
    found = session.mapping(command)
    if "sections" not in found:
        return None
    sections = [
        (session.number(one, "node", command), session.number(one, "size", command) // _KIB)
        for one in session.as_mappings(found["sections"], command)
    ]
    total = sum(size for _, size in sections)
    if "section-size" in found:
        total = session.number(found, "section-size", command) // _KIB
    inner = "".join(f"    <{name}>{_yes(found, name)}</{name}>\n" for name in ("flc", "sgx1", "sgx2"))
    inner += f"    <section_size unit='KiB'>{total}</section_size>\n"
    if sections:
        lines = "".join(
            f"      <section node='{node}' size='{size}' unit='KiB'/>\n" for node, size in sections
        )
        inner += f"    <sections>\n{lines}    </sections>\n"
    return f"<sgx supported='yes'>\n{inner}  </sgx>"


def _yes(value: Mapping[str, object], key: str) -> str:
    return "yes" if value.get(key) is True else "no"
