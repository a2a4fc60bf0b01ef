"""The facts of a host that validation asks for: from this machine, from a file, as plain values.

    {"swtpm_versions": ["1.2", "2.0"], "spice_tls": true}

A file names those that differ from this machine's (docs/host-facts.md has them all).
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.bounded import read_bounded
from qcaps.errors import QcapsError, meant
from qcaps.rules.shared.host_facts import PLAIN_HOST, HostFacts

if TYPE_CHECKING:
    from collections.abc import Callable

_TPM_VERSIONS: Final = {"tpm-1.2": "1.2", "tpm-2.0": "2.0"}
"""What `swtpm_setup --print-capabilities` calls the versions it can set up."""
_SETUP_SECONDS: Final = 10
_HUGE_PAGE: Final = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
_CPUINFO: Final = Path("/proc/cpuinfo")
_MOST: Final = 2**63 - 1


def facts_of_host() -> HostFacts:
    """This machine's: swtpm, sizes of pages, bits of a physical address; what else there is, plain."""
    return dataclasses.replace(
        PLAIN_HOST,
        swtpm_versions=_swtpm_versions(),
        physical_address_bits=_physical_address_bits(),
        huge_page_kib=_huge_page_kib(),
        page_kib=os.sysconf("SC_PAGESIZE") // 1024,
    )


def facts_from(path: Path) -> HostFacts:
    """This machine's, but for what the file at `path` says. Raises QcapsError, one line with file and key."""
    try:
        given = json.loads(read_bounded(path), object_pairs_hook=lambda pairs: _once(path, pairs))
    except OSError as error:
        raise QcapsError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise QcapsError(f"{path}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise QcapsError(f'{path}: expected an object of facts, as in {{"swtpm_versions": ["2.0"]}}')
    changes = {}
    for key, value in given.items():
        if key not in _READ:
            raise QcapsError(f"{path}: {key}: no such fact{meant(key, _READ)}; there are {', '.join(_READ)}")
        try:
            changes[key] = _READ[key](value)
        except ValueError as error:
            raise QcapsError(f"{path}: {key}: expected {error}, not {json.dumps(value)}") from error
    return dataclasses.replace(facts_of_host(), **changes)


def plain(facts: HostFacts) -> dict[str, Any]:
    """The facts as JSON has them; `facts_from` reads it back."""
    return {
        key: sorted(value) if isinstance(value, frozenset) else value
        for key, value in dataclasses.asdict(facts).items()
    }


# ── this machine ───────────────────────────────────────────────────────────────────────────────────


def _swtpm_versions() -> frozenset[str] | None:
    """None unless all three programs are on PATH; else the versions that swtpm_setup says it can set up.

    Follows: virTPMHasSwtpm, virTPMEmulatorInit, virTPMExecGetCaps
    """
    swtpm, setup, ioctl = map(shutil.which, ("swtpm", "swtpm_setup", "swtpm_ioctl"))
    if swtpm is None or setup is None or ioctl is None:
        return None
    try:
        done = subprocess.run(
            [setup, "--print-capabilities"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SETUP_SECONDS,
            check=True,
        )
        features = json.loads(done.stdout)["features"]
        return frozenset(_TPM_VERSIONS[name] for name in features if name in _TPM_VERSIONS)
    except (OSError, subprocess.SubprocessError, ValueError, RecursionError, LookupError, TypeError):
        return frozenset()


def _huge_page_kib() -> int:
    """The size of a transparent huge page.

    Follows: virHostMemGetTHPSize
    """
    with suppress(OSError, ValueError):
        return int(_HUGE_PAGE.read_text()) // 1024
    return PLAIN_HOST.huge_page_kib


def _physical_address_bits() -> int | None:
    """What the first CPU says of itself.

    Follows: virHostCPUGetPhysAddrSize
    """
    with suppress(OSError, ValueError, IndexError):
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("address sizes"):
                return int(line.partition(":")[2].split()[0])
    return None


# ── a file ─────────────────────────────────────────────────────────────────────────────────────────


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise QcapsError(f"{path}: {key}: is there twice")
        found[key] = value
    return found


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004  # one kind for the caller
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST:
        raise ValueError("a whole number above 0")
    return value


def _versions(value: object) -> frozenset[str] | None:
    if value is None:
        return None
    known = sorted(_TPM_VERSIONS.values())
    if not isinstance(value, list) or not all(version in known for version in value):
        raise ValueError(f"null, or a list of {' and '.join(json.dumps(one) for one in known)}")
    return frozenset(value)


def _bits(value: object) -> int | None:
    if value is None:
        return None
    try:
        return _count(value)
    except ValueError as error:
        raise ValueError(f"null, or {error}") from None


def _sizes(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("a list of whole numbers above 0")  # noqa: TRY004  # one kind for the caller
    try:
        return tuple(map(_count, value))
    except ValueError:
        raise ValueError("a list of whole numbers above 0") from None


_READ: Final[dict[str, Callable[[object], Any]]] = {
    "swtpm_versions": _versions,
    "spice_tls": _switch,
    "passt": _switch,
    "privileged": _switch,
    "physical_address_bits": _bits,
    "huge_page_kib": _count,
    "page_kib": _count,
    "secure_guests": _switch,
    "sgx_sections_kib": _sizes,
}
"""How each fact is read; a test holds these to the fields of HostFacts."""
