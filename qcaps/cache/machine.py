"""The machine that libvirt's entries are held against: this one, or one whose files lie below a folder.

Below a folder, a file is looked for there if the folder has what stands around it (`usr` for programs, `dev`
with something in it, `proc/cpuinfo`, `sys/module`); what it has not is this machine's. The kernel is always
the one that runs.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qcaps.cache.access import AccessError, User, accessible_as
from qcaps.cache.host_files import Host, module_dir_below
from qcaps.capabilities.host_stamps import host_cpu_signature, kernel_version

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRIES: Final = "var/cache/libvirt/qemu/capabilities"
"""Where libvirt's system daemon keeps its entries."""

EMBEDDED_ENTRIES: Final = "cache/qemu/capabilities"
"""Where the embedded driver keeps them, below its root."""

QEMU_USERS: Final = ("libvirt-qemu", "qemu")
"""Whom distributions build libvirt to run QEMU as, where qemu.conf does not say."""

_PRESUMED_ID: Final = 64055
"""What Debian reserves for libvirt-qemu, user and group."""

_READ_WRITE: Final = os.R_OK | os.W_OK
_MOST_LINKS: Final = 40


@dataclass(frozen=True, kw_only=True)
class LibvirtHost:
    """What entries are held against. `programs` maps a program of libvirt's to the ctime it stamps with.

    `kvm_as_root` and `kvm_as_user` are None where there is no way to tell; `user` is QEMU's, by name.
    `kvm_ctime` is None without a device.
    """

    root: Path
    host: Host
    programs: Mapping[str, int]
    user: str | None
    kvm_ctime: int | None
    kvm_as_root: bool | None
    kvm_as_user: bool | None

    @property
    def storms(self) -> bool:
        """Whether every lookup probes: QEMU finds KVM when libvirt probes it, its user may not use it.

        libvirt lets a QEMU that it probes pass over permissions (CAP_DAC_OVERRIDE).

        Follows: virQEMUCapsKVMUsable, qemuProcessQMPLaunch
        """
        return self.kvm_ctime is not None and bool(self.kvm_as_root) and self.kvm_as_user is False

    def binary(self, path: str) -> str:
        """Where the binary that an entry calls `path` is to be found."""
        if path.startswith(f"{self.root}/".replace("//", "/")):
            return path
        return below(self.root, path) if (self.root / "usr").is_dir() else path

    def foreign(self, place: str) -> bool:
        """Whether a program is one of another root, with libraries of its own."""
        return self.root != Path("/") and place.startswith(f"{self.root}/")

    def known_paths(self, binary: str) -> tuple[str, ...]:
        """Paths that a reason may begin with."""
        return (self.binary(binary), self.host.module_dir, self.host.kvm_device, *self.programs)


def machine_below(
    root: Path, programs: Mapping[str, int], libvirt_version: int, *, presume: bool = False
) -> LibvirtHost:
    """The machine whose files lie below `root` ("/": this one), with the libvirt that was found for it.

    Where there is no user for QEMU, `presume` takes the one that a package would make, a member of kvm.
    """
    arch = os.uname().machine
    device = _where(root, "/dev/kvm", "dev", filled=True)
    host = Host(
        arch=arch,
        kernel_version=kernel_version(),
        self_ctime=0,
        self_version=libvirt_version,
        module_dir=module_dir_below(root if (root / "usr").is_dir() else Path("/"), arch),
        cpu_signature=host_cpu_signature(Path(_where(root, "/proc/cpuinfo", "proc/cpuinfo"))),
    )
    host = replace(
        host,
        cpuinfo=_where(root, host.cpuinfo, "proc/cpuinfo"),
        kvm_device=device,
        nested=tuple(_where(root, path, "sys/module") for path in host.nested),
        sev=_where(root, host.sev, "sys/module"),
        sev_device=_where(root, host.sev_device, "dev", filled=True),
        protected_virt=_where(root, host.protected_virt, "sys/firmware"),
        kernel_command_line=_where(root, host.kernel_command_line, "proc/cmdline"),
    )
    user = qemu_user_below(root) or (_presumed_user(root) if presume else None)
    try:
        status = os.stat(device)  # noqa: PTH116  a str
    except OSError:
        return LibvirtHost(
            root=root, host=host, programs=programs, user=user.name if user else None,
            kvm_ctime=None, kvm_as_root=False, kvm_as_user=False,
        )  # fmt: skip
    return LibvirtHost(
        root=root,
        host=host,
        programs=programs,
        user=user.name if user else None,
        kvm_ctime=int(status.st_ctime_ns // 1_000_000_000),
        kvm_as_root=os.access(device, _READ_WRITE) if os.geteuid() == 0 else True,
        kvm_as_user=None if user is None else _usable(device, status, user),
    )


def entries_below(root: Path) -> Path:
    """The folder of libvirt's entries below `root`; it need not exist."""
    places = [root / ENTRIES, root / EMBEDDED_ENTRIES]
    return next((place for place in places if os.path.lexists(place)), places[0])


def qemu_user_below(root: Path) -> User | None:
    """Who runs QEMU, by qemu.conf or as libvirt is built; None if there is no such user.

    Follows: virQEMUDriverConfigLoadSecurityEntry
    """
    has_accounts = (root / "etc" / "passwd").is_file()
    base = root if has_accounts else Path("/")
    try:
        text = (root / "etc" / "libvirt" / "qemu.conf").read_text(errors="replace")
    except OSError:
        text = ""
    named, group = (_setting(text, name) for name in ("user", "group"))
    accounts = {words[0]: words for words in _colons(base / "etc" / "passwd")}
    groups = _colons(base / "etc" / "group")
    name = named or next((one for one in QEMU_USERS if one in accounts), None)
    if name is None:
        return None
    number = name.removeprefix("+")
    if name in accounts:
        uid, gid = int(accounts[name][2]), int(accounts[name][3])
    elif number.isdigit():
        uid = gid = int(number)
    else:
        return None
    of_group = next((int(words[2]) for words in groups if words[0] == group), None)
    main = of_group if of_group is not None else gid
    members = [int(words[2]) for words in groups if name in words[3].split(",")]
    return User(name, uid, main, tuple({main, gid, *members}))


def storm_of(machine: LibvirtHost) -> str:
    """Why every lookup probes on this machine, and what to do, in one line."""
    user = machine.user
    return (
        f"{machine.host.kvm_device} is usable by root but not by QEMU's user {user}, so that every lookup "
        f"probes QEMU again; give {user} read and write permission on it"
    )


def _presumed_user(root: Path) -> User:
    kvm = [int(words[2]) for words in _colons(root / "etc" / "group") if words[0] == "kvm"]
    return User(QEMU_USERS[0], _PRESUMED_ID, _PRESUMED_ID, (_PRESUMED_ID, *kvm))


def _usable(device: str, status: os.stat_result, user: User) -> bool:
    """Whether `user` may use the device; without root by its permissions alone.

    Follows: virFileAccessibleAs
    """
    if user.uid == 0:
        return True
    if os.geteuid() == 0:
        # Relative to its folder: which folders above a root of ours that user may enter is no matter.
        folder = os.open(os.path.dirname(device), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120
        try:
            return accessible_as(os.path.basename(device), _READ_WRITE, user, folder)  # noqa: PTH119
        except AccessError:
            pass
        finally:
            os.close(folder)
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid in user.groups else 0
    return stat.S_IMODE(status.st_mode) >> shift & 0o6 == 0o6  # noqa: PLR2004  # read and write


def _where(root: Path, path: str, mark: str, *, filled: bool = False) -> str:
    """`path` below `root` if `mark` is there, else this machine's."""
    place = root / mark
    there = place.exists() and not (filled and place.is_dir() and not any(place.iterdir()))
    return str(root / path.lstrip("/")) if there else path


def below(root: Path, path: str) -> str:
    """`path` as a process would find it whose root is `root`: links lead nowhere else."""
    done = root
    rest = [part for part in path.split("/") if part]
    links = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            done = done if done == root else done.parent
            continue
        here = done / part
        if here.is_symlink() and (links := links + 1) <= _MOST_LINKS:
            target = os.readlink(here)  # noqa: PTH115  a str
            done = root if target.startswith("/") else done
            rest = [part for part in target.split("/") if part not in ("", ".")] + rest
            continue
        done = here
    return str(done)


def _setting(text: str, name: str) -> str | None:
    found = re.search(rf'^\s*{name}\s*=\s*"([^"]*)"', text, re.MULTILINE)
    return found[1] if found else None


def _colons(path: Path) -> list[list[str]]:
    """The lines of an account file that have what is needed."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split(":") for line in lines]
    return [one for one in fields if len(one) >= 4 and one[2].isdigit()]  # noqa: PLR2004
