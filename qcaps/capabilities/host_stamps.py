"""What libvirt records about the host beside a probe, and checks again later.

Each function asks the kernel anew. Where the kernel does not say, the value is
the one that libvirt would record: 0, None or False.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import qcaps
from qcaps.capabilities.stamps import Stamps

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities

CPUINFO: Final = Path("/proc/cpuinfo")
MODULE_DIRS: Final = (
    Path(f"/usr/lib/{os.uname().machine}-linux-gnu/qemu"),
    Path("/usr/lib64/qemu"),
    Path("/usr/lib/qemu"),
)
"""Where distributions keep QEMU's modules; the first that exists counts, as one is built into libvirt."""

KVM_MODULES: Final = ("kvm_intel", "kvm_amd", "kvm_hv", "kvm")

_HEADER_BYTES: Final = 4096
_SIGNATURE_KEYS: Final = {
    "vendor_id": "vendor",
    "model name": "name",
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
}


def stamps_for(binary: str, capabilities: Capabilities) -> Stamps:
    """The stamps of a probe of `binary` that ended just now with `capabilities`; OSError if it is gone.

    What concerns KVM is recorded only where KVM was usable, as libvirt does.
    """
    status = os.stat(binary)  # noqa: PTH116 - the path is a string in the cache file, kept as given
    kvm = capabilities.kvm
    return Stamps(
        binary=binary,
        binary_ctime=status.st_ctime_ns // 1_000_000_000,
        module_dir_mtime=module_dir_mtime(),
        self_ctime=self_ctime(),
        self_version=self_version(),
        microcode_version=microcode_version() if kvm else 0,
        host_cpu_signature=host_cpu_signature() if kvm else None,
        kernel_version=kernel_version() if kvm else None,
        kvm_nested=kvm and kvm_nested(),
        kvm_secure_guest=kvm and kvm_secure_guest(),
        binary_ctime_ns=status.st_ctime_ns,
        binary_inode=status.st_ino,
        binary_size=status.st_size,
    )


def module_dir_mtime() -> int | None:
    """When QEMU's module directory last changed, in whole seconds since the epoch."""
    for directory in MODULE_DIRS:
        try:
            return int(directory.stat().st_mtime)
        except OSError:
            continue
    return None


@cache
def self_ctime() -> int:
    """When the modules that interpret a probe last changed on disk, in whole seconds since the epoch.

    As of the first call: the modules of a running process do not change with their files.
    """
    return int(max(module.stat().st_ctime for module in Path(__file__).parent.glob("*.py")))


def self_version() -> int:
    """Our version as libvirt counts: major * 1_000_000 + minor * 1_000 + micro."""
    major, minor, micro = (int(part) for part in qcaps.__version__.split(".")[:3])
    return major * 1_000_000 + minor * 1_000 + micro


def microcode_version() -> int:
    """The first CPU's microcode revision; 0 where the kernel reports none (any host but x86)."""
    try:
        with CPUINFO.open("rb") as file:
            header = file.read(_HEADER_BYTES).decode(errors="replace")
    except OSError:
        return 0
    text = header.partition("microcode")[2].partition(":")[2].split(maxsplit=1)
    try:
        return int(text[0], 0) if text else 0
    except ValueError:
        return 0


def host_cpu_signature(cpuinfo: Path = CPUINFO) -> str | None:
    """The first CPU's vendor, name, family, model and stepping as one line; None on any host but x86."""
    found: dict[str, str] = {}
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        key, separator, value = line.partition(": ")
        name = _SIGNATURE_KEYS.get(key.strip())
        if separator and name:
            found.setdefault(name, value.strip())
        if len(found) == len(_SIGNATURE_KEYS):
            return "{vendor}, {name}, family: {family}, model: {model}, stepping: {stepping}".format(**found)
    return None


def kernel_version() -> str:
    """The kernel's release and build."""
    kernel = os.uname()
    return f"{kernel.release} {kernel.version}"


def kvm_nested() -> bool:
    """Whether the loaded KVM module lets guests run KVM themselves."""
    return any(_first_letter(f"/sys/module/{module}/parameters/nested") in "Yy1" for module in KVM_MODULES)


def kvm_secure_guest() -> bool:
    """Whether the host can run AMD SEV guests, or IBM Secure Execution guests."""
    if Path("/sys/firmware/uv").is_dir():
        options = Path("/proc/cmdline").read_text(errors="replace").split()
        values = [value for name, _, value in (one.partition("=") for one in options) if name == "prot_virt"]
        return bool(values) and values[0].startswith(("y", "Y", "on", "ON", "oN", "On", "1"))
    return _first_letter("/sys/module/kvm_amd/parameters/sev") in "1Yy" and Path("/dev/sev").exists()


def _first_letter(path: str) -> str:
    """The first character of a file, "-" for one that cannot be read or is empty."""
    try:
        return Path(path).read_text(errors="replace")[:1] or "-"
    except OSError:
        return "-"
