"""The files and identities of the machine that an entry depends on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qcaps.cache.access import User, qemu_user
from qcaps.capabilities.host_stamps import host_cpu_signature, kernel_version, self_ctime, self_version

# Where distributions put QEMU's loadable modules: Debian's multiarch directory, then others'.
_MODULE_DIRS = ("/usr/lib/{arch}-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib64/qemu-kvm", "/usr/lib/qemu")

# What a guest architecture other than the host's own may be and still run natively.
_ALSO_NATIVE = {("x86_64", "i686"), ("aarch64", "armv7l"), ("ppc64", "ppc64le"), ("ppc64le", "ppc64")}


@dataclass(frozen=True, kw_only=True)
class Host:
    """What validity checks look at; the defaults are Linux's own paths.

    Point a path elsewhere (`dataclasses.replace`) to experiment without touching the machine.
    `user` is who runs QEMU; None asks for access as ourselves. `self_ctime` is when the code that
    makes entries last changed (seconds), `self_version` our version as libvirt counts versions.
    """

    arch: str
    kernel_version: str
    self_ctime: int
    self_version: int
    module_dir: str
    user: User | None = None
    cpu_signature: str | None = None
    cpuinfo: str = "/proc/cpuinfo"
    kvm_device: str = "/dev/kvm"
    nested: tuple[str, ...] = (
        "/sys/module/kvm_intel/parameters/nested",
        "/sys/module/kvm_amd/parameters/nested",
        "/sys/module/kvm_hv/parameters/nested",
        "/sys/module/kvm/parameters/nested",
    )
    sev: str = "/sys/module/kvm_amd/parameters/sev"
    sev_device: str = "/dev/sev"
    protected_virt: str = "/sys/firmware/uv"
    kernel_command_line: str = "/proc/cmdline"

    @classmethod
    def from_machine(cls) -> Host:
        """This machine; as root QEMU's user is `libvirt-qemu`, else `nobody`, tried by one fork."""
        arch = os.uname().machine
        return cls(
            arch=arch,
            kernel_version=kernel_version(),
            self_ctime=self_ctime(),
            self_version=self_version(),
            module_dir=module_dir_below(Path("/"), arch),
            user=qemu_user(),
            cpu_signature=host_cpu_signature(),
        )

    def runs_natively(self, arch: str) -> bool:
        """Whether a guest of `arch` could use this host's KVM.

        Follows: virQEMUCapsGuestIsNative
        """
        return arch == self.arch or (self.arch, arch) in _ALSO_NATIVE


def microcode_version(cpuinfo: str) -> int:
    """The microcode revision in the first 4 kB of `cpuinfo`; 0 if it names none or cannot be read.

    Follows: virHostCPUGetMicrocodeVersion
    """
    try:
        file = os.open(cpuinfo, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        head = os.read(file, 4096)
        more = head
        while more and len(head) < 4096:  # noqa: PLR2004  libvirt's limit, read to its end as libvirt does
            more = os.read(file, 4096 - len(head))
            head += more
    except OSError:
        return 0
    finally:
        os.close(file)
    at = head.find(b"microcode")
    if at < 0:
        return 0
    try:
        return int(head[head.index(b":", at) + 1 : head.index(b"\n", at)], 0)
    except ValueError:
        return 0


def module_dir_below(root: Path, arch: str) -> str:
    """QEMU's module directory below `root`; the first place there could be, if there is none."""
    candidates = [str(root / pattern.format(arch=arch).lstrip("/")) for pattern in _MODULE_DIRS]
    return next(filter(os.path.isdir, candidates), candidates[0])


def module_dir_mtime_ns(path: str) -> int | None:
    """When QEMU's module directory last changed, or None if there is none."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116  on the hot path
    except OSError:
        return None


def nested_is_on(parameters: tuple[str, ...]) -> bool:
    """Whether KVM lets guests run KVM: the first module parameter file that says yes decides.

    As libvirt asks: one access(2) a file, and an open only of one that is there.

    Follows: virQEMUCapsKVMSupportsNesting
    """
    for path in parameters:
        if os.access(path, os.F_OK):
            value = _first_byte(path)
            if value in _ON:
                return True
            if value is None:
                return False
    return False


def secure_guest_is_on(host: Host) -> bool:
    """Whether guests can be hidden from this host (AMD SEV, IBM Secure Execution); asks as libvirt asks.

    Follows: virQEMUCapsKVMSupportsSecureGuest
    """
    ask = _SECURE_GUEST.get(os.uname().machine)
    return ask(host) if ask else False


# Follows: virQEMUCapsKVMSupportsSecureGuestAMD
def _sev_is_on(host: Host) -> bool:
    if not os.access(host.sev, os.F_OK) or _first_byte(host.sev) not in _ON:
        return False
    return os.access(host.sev_device, os.F_OK)


# Follows: virQEMUCapsKVMSupportsSecureGuestS390
def _protected_virtualization_is_on(host: Host) -> bool:
    if not os.path.isdir(host.protected_virt):  # noqa: PTH112  on the hot path
        return False
    try:
        with open(host.kernel_command_line, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  a str
            words = file.read().split()
    except OSError:
        return False
    values = [word.partition("=")[2] for word in words if word.startswith("prot_virt=")]
    return bool(values) and values[0].lower().startswith(("y", "on", "1"))


def _first_byte(path: str) -> bytes | None:
    """The first byte of a parameter file; None if it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, 64)[:1]
    except OSError:
        return None
    finally:
        os.close(file)


_ON = (b"1", b"Y", b"y")
_SECURE_GUEST = {
    "x86_64": _sev_is_on,
    "i686": _sev_is_on,
    "s390x": _protected_virtualization_is_on,
}
