"""What a folder that is named as a libvirt may be, and what is said of each; none is started."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import pytest

from qcaps.commands import main
from qcaps.live.errors import NoLibvirt
from qcaps.live.host.installation import check_loadable, find, self_ctimes


def header(machine: int, bits: int = 2, order: int = 1) -> bytes:
    identity = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    return struct.Struct((">" if order == 2 else "<") + "16sHH").pack(identity, 3, machine)


def prefix(folder: Path, *, version: str = "9000.0", driver: bytes = b"", library: bytes = b"") -> Path:
    drivers = folder / "lib64/libvirt/connection-driver"
    drivers.mkdir(parents=True)
    (drivers / "libvirt_driver_qemu.so").write_bytes(driver)
    (folder / f"lib64/libvirt.so.0.{version}").write_bytes(library)
    (folder / "lib64/libvirt.so.0").symlink_to(f"libvirt.so.0.{version}")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(NoLibvirt) as raised:
        check_loadable(find(folder))
    line = str(raised.value)
    assert "\n" not in line
    assert str(folder) in line
    return line


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (header(62), "x86_64"), (header(183), "aarch64"), (header(22, order=2), "s390x"),
        (header(3, bits=1), "i686"), (header(999), "ELF machine 999"),
    ],
)  # fmt: skip
def test_another_machines_libvirt_is_named_with_its_machine(tmp_path: Path, head: bytes, kind: str) -> None:
    folder = prefix(tmp_path, driver=head, library=head)
    if kind == platform.machine():
        check_loadable(find(folder))
        return
    line = refusal(folder)
    assert f"is for {kind}, this machine is {platform.machine()}" in line
    assert main(["live", "count", "--libvirt", str(folder)]) == 1


def test_what_is_no_library_is_said_to_be_none(tmp_path: Path) -> None:
    assert "no ELF library" in refusal(prefix(tmp_path))


def test_one_too_old_says_what_can_be_done(tmp_path: Path) -> None:
    line = refusal(prefix(tmp_path, version="6000.0"))
    assert "libvirt 6.0.0 is too old: 6.1.0 or later" in line
    assert "--counting log" in line


def test_one_without_the_driver_says_how_to_get_it(tmp_path: Path) -> None:
    (prefix(tmp_path) / "lib64/libvirt/connection-driver/libvirt_driver_qemu.so").unlink()
    assert "without the QEMU driver" in refusal(tmp_path)


def test_another_soname_is_named(tmp_path: Path) -> None:
    folder = prefix(tmp_path)
    (folder / "lib64/libvirt.so.0").rename(folder / "lib64/libvirt.so.1")
    (folder / "lib64/libvirt.so.0.9000.0").rename(folder / "lib64/libvirt.so.1.9000.0")
    line = refusal(folder)
    assert "libvirt.so.1: qcaps knows libvirt.so.0 alone" in line
    assert "--counting log" in line


def test_folders_built_into_a_driver_are_found(tmp_path: Path) -> None:
    text = b"\0/opt/lv/etc/pki/libvirt-vnc\0x\0/opt/lv/var/lib/libvirt/shmem-%s-sock\0"
    found = find(prefix(tmp_path / "own", driver=text))
    assert (found.settings, found.state) == (Path("/opt/lv/etc"), Path("/opt/lv/var"))
    found = find(prefix(tmp_path / "none"))
    assert (found.settings, found.state) == (Path("/etc"), Path("/var"))


def test_a_program_stamps_with_the_newest_of_what_it_has_loaded(tmp_path: Path) -> None:
    folder = prefix(tmp_path)
    (folder / "sbin").mkdir()
    (folder / "sbin/libvirtd").write_text("")
    found = self_ctimes(find(folder))
    assert list(found) == [
        f"{folder}/sbin/libvirtd",
        f"{folder}/sbin/libvirtd with storage modules",
        f"{folder}/lib64/libvirt/connection-driver/libvirt_driver_qemu.so",
    ]
    newest = int((folder / "sbin/libvirtd").stat().st_ctime)
    assert found[f"{folder}/sbin/libvirtd"] == newest
