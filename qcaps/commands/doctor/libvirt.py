"""What the doctor says of libvirt: the parts that `qcaps live` needs, and the command that installs each."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from pathlib import Path

from qcaps.commands.doctor.finding import Finding

KVM = Path("/dev/kvm")
QEMU_USER = "libvirt-qemu"
INSTALL_LIBVIRT = (
    "apt-get install -y --no-install-recommends libvirt-daemon libvirt-daemon-driver-qemu "
    "libvirt-clients libvirt-dev pkg-config qemu-system-x86"
)
INSTALL_BINDING = "pip install 'qcaps[live]'"

CREATE_QEMU_USER = f"useradd --system --no-create-home --gid kvm --shell /usr/sbin/nologin {QEMU_USER}"
_TOOLS = {"cc": "gcc", "strace": "strace", "virt-admin": "libvirt-clients"}
"""Programs and their packages: for the interposer, for system calls, for a running daemon's log."""

_DRIVER_PLACES = (
    "usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so",
    "usr/lib64/libvirt/connection-driver/libvirt_driver_qemu.so",
    "usr/lib/libvirt/connection-driver/libvirt_driver_qemu.so",
)


def _kvm_as_qemu_user() -> Finding:
    if not _user_exists(QEMU_USER) or not KVM.exists():
        return Finding("kvm as qemu", ok=False, text=f"needs {KVM} and the user {QEMU_USER}")
    ok = _mode_allows(KVM, pwd.getpwnam(QEMU_USER))
    text = f"{KVM} is {'usable' if ok else 'not usable'} by {QEMU_USER}"
    return Finding("kvm as qemu", ok, text, "" if ok else f"usermod -aG kvm {QEMU_USER}")


def _mode_allows(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether owner, group or others may read and write; access control lists are not asked."""
    status = path.stat()
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    shift = 6 if status.st_uid == user.pw_uid else 3 if status.st_gid in groups else 0
    return status.st_mode >> shift & 0o6 == 0o6  # noqa: PLR2004  # read and write


def _user_exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _qemu_user() -> Finding:
    ok = _user_exists(QEMU_USER)
    text = f"{QEMU_USER} {'exists' if ok else 'does not exist'}"
    return Finding("qemu user", ok, text, "" if ok else CREATE_QEMU_USER)


def _libvirt() -> Finding:
    drivers = [path for place in _DRIVER_PLACES for path in Path("/").glob(place)]
    if not drivers:
        return Finding("libvirt", ok=False, text="no QEMU driver of libvirt in /usr", advice=INSTALL_LIBVIRT)
    return Finding("libvirt", ok=True, text=f"{drivers[0]}, virsh: {shutil.which('virsh') or 'none'}")


def _binding() -> Finding:
    ok = importlib.util.find_spec("libvirt") is not None
    text = f"libvirt-python is {'installed' if ok else 'not installed'}"
    return Finding("libvirt-python", ok, text, "" if ok else INSTALL_BINDING)


def _tools() -> Finding:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if not missing:
        return Finding("live tools", ok=True, text=f"{', '.join(_TOOLS)} found")
    packages = " ".join(_TOOLS[tool] for tool in missing)
    text = f"no {', '.join(missing)} on PATH"
    return Finding("live tools", ok=False, text=text, advice=f"apt-get install -y {packages}")


CHECKS = (_qemu_user, _kvm_as_qemu_user, _libvirt, _binding, _tools)
