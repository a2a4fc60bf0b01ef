"""What validation asks of the host rather than of QEMU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostFacts:
    """The answers of one host; the defaults are those of a plain one (docs/host-facts.md)."""

    swtpm_versions: frozenset[str] | None = None
    """Versions of TPM that the installed swtpm emulates, "1.2" and "2.0"; None when there is no swtpm."""
    spice_tls: bool = False
    """`spice_tls` of qemu.conf."""
    passt: bool = False
    """Whether libvirt was built with passt; Debian 12's is not."""
    privileged: bool = True
    """Whether libvirt runs as root (qemu:///system)."""
    physical_address_bits: int | None = None
    """What the host CPU has; None when libvirt could not tell, and then any number is accepted."""
    huge_page_kib: int = 2048
    """Size of a transparent huge page, in KiB."""
    page_kib: int = 4
    """Size of a page, in KiB."""
    secure_guests: bool = False
    """Whether the kernel runs protected s390 guests."""
    sgx_sections_kib: tuple[int, ...] = ()
    """Size of the EPC section of each host node, in KiB."""


PLAIN_HOST = HostFacts()
