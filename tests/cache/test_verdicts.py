"""Every kind of staleness, staged in a root of its own, and named."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from qcaps.cache.host_files import microcode_version
from qcaps.cache.machine import below, machine_below, qemu_user_below
from qcaps.capabilities import cachefile
from qcaps.capabilities.host_stamps import host_cpu_signature, kernel_version
from qcaps.capabilities.model import Accelerator, Capabilities
from qcaps.capabilities.stamps import Entry, Stamps
from qcaps.commands import main

ARCH = os.uname().machine
QEMU = "/usr/bin/qemu-system-stand-in"
CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticStandIn
cpu family\t: 25
model\t\t: 1
model name\t: Stand-in CPU
stepping\t: 1
microcode\t: 0x2a
"""


class Root:
    """A machine below a folder, with one entry that holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules = self.folder("usr/lib/stand-in").parent / f"{ARCH}-linux-gnu" / "qemu"
        self.modules.mkdir(parents=True)
        self.driver = self.file(f"usr/lib/{ARCH}-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so")
        self.file(f"usr/lib/{ARCH}-linux-gnu/libvirt.so.0.9000.0")
        (self.driver.parents[2] / "libvirt.so.0").symlink_to("libvirt.so.0.9000.0")
        self.daemon = self.file("usr/sbin/libvirtd")
        self.binary = self.file(QEMU[1:], "#!/bin/sh\necho it is broken >&2\nexit 3\n")
        self.binary.chmod(0o755)
        self.cpuinfo = self.file("proc/cpuinfo", CPUINFO)
        self.nested = self.file("sys/module/kvm_amd/parameters/nested", "1\n")
        self.sev = self.file("sys/module/kvm_amd/parameters/sev", "N\n")
        self.kvm = self.file("dev/kvm")
        self.kvm.chmod(0o666)
        self.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:64055::/:/bin/false\n")
        self.file("etc/group", "root:x:0:\nkvm:x:104:\n")
        self.entries = self.folder("var/cache/libvirt/qemu/capabilities")
        self.entry = Entry(
            Capabilities(ARCH, 7_002_022, frozenset({"kvm"}), (Accelerator("kvm"), Accelerator("tcg"))),
            Stamps(
                binary=QEMU,
                binary_ctime=int(self.binary.stat().st_ctime),
                module_dir_mtime=int(self.modules.stat().st_mtime),
                self_ctime=int(self.daemon.stat().st_ctime),
                self_version=9_000_000,
                microcode_version=microcode_version(str(self.cpuinfo)),
                host_cpu_signature=host_cpu_signature(self.cpuinfo),
                kernel_version=kernel_version(),
                kvm_nested=True,
                kvm_secure_guest=False,
            ),
        )
        self.save()

    def folder(self, name: str) -> Path:
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def file(self, name: str, text: str = "") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    @property
    def saved(self) -> Path:
        return self.entries / f"{sha256(QEMU.encode()).hexdigest()}.xml"

    def save(self, **stamps: Any) -> None:
        entry = Entry(self.entry.capabilities, replace(self.entry.stamps, **stamps))
        self.saved.write_bytes(cachefile.format(entry))

    def without_kvm(self) -> None:
        self.entry = Entry(replace(self.entry.capabilities, flags=frozenset()), self.entry.stamps)
        self.save()


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


def check(root: Root, capsys: pytest.CaptureFixture[str], status: int) -> dict[str, Any]:
    assert main(["cache", "check", "--root", str(root.path), "--json"]) == status
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "qcaps/cache-check/1"
    assert answer["schema"] == "qcaps/cache-check/1"
    return answer


def fine_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary that answers: what it says is not looked at."""
    monkeypatch.setattr("qcaps.capabilities.probe.probe", lambda *_: Capabilities(ARCH, 7_002_022))


def test_a_fresh_entry_is_valid(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    answer = check(root, capsys, 0)
    (one,) = answer["entries"]
    assert (one["binary"], one["verdict"], one["check"]) == (QEMU, "valid", None)
    assert answer["libvirt"] == "9.0.0"
    assert answer["kvm"] == {
        "device": str(root.kvm), "as_root": True, "user": "libvirt-qemu", "as_user": True, "storms": False,
    }  # fmt: skip


STALE: dict[str, tuple[Any, str, str, str]] = {
    "module directory": (
        lambda root: os.utime(root.modules, (1, 1)), "module directory", "virQEMUCapsIsValid", "1",
    ),
    "libvirt's ctime": (
        lambda root: root.save(self_ctime=5), "libvirt's ctime", "virGetSelfLastChanged", "1",
    ),
    "libvirt's version": (
        lambda root: root.save(self_version=8_000_000), "libvirt's version", "LIBVIR_VERSION_NUMBER",
        "9.0.0",
    ),
    "binary": (lambda root: root.save(binary_ctime=7), "binary", "virQEMUCapsIsValid", "1"),
    "kvm is usable now": (Root.without_kvm, "kvm", "virQEMUCapsKVMUsable", "usable"),
    "kvm is gone": (lambda root: root.kvm.rename(root.kvm.with_name("tun")), "kvm", "virQEMUCapsKVMUsable",
                    "not usable"),
    "host CPU": (
        lambda root: root.save(host_cpu_signature="another, family: 6, model: 1, stepping: 1"), "host cpu",
        "virHostCPUGetSignature", "AuthenticStandIn, Stand-in CPU, family: 25, model: 1, stepping: 1",
    ),
    "microcode": (
        lambda root: root.cpuinfo.write_text(CPUINFO.replace("0x2a", "0x2b")), "microcode",
        "virHostCPUGetMicrocodeVersion", "0x2b",
    ),
    "kernel": (
        lambda root: root.save(kernel_version="5.10.0 #1 SMP: Wed 10:20:30"), "kernel",
        "virQEMUCapsIsValid", kernel_version(),
    ),
    "nested": (
        lambda root: root.nested.write_text("0\n"), "nested", "virQEMUCapsKVMSupportsNesting", "False",
    ),
    "secure guest": (
        lambda root: (root.sev.write_text("Y\n"), (root.path / "dev/sev").write_text("")), "secure guest",
        "virQEMUCapsKVMSupportsSecureGuest", "True",
    ),
}  # fmt: skip


@pytest.mark.skipif(ARCH != "x86_64", reason="what is staged is of x86_64")
@pytest.mark.parametrize("kind", STALE)
def test_each_kind_of_staleness_is_named(
    root: Root, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fine_qemu(monkeypatch)
    stage, name, function, is_now = STALE[kind]
    stage(root)
    (one,) = check(root, capsys, 1)["entries"]
    assert (one["verdict"], one["check"], one["function"]) == ("stale", name, function)
    assert one["is_now"].removeprefix("ctime ").startswith(is_now), one
    assert one["was"]
    assert one["was"] != one["is_now"]
    assert one["probe_seconds"] is not None
    assert main(["cache", "check", "--root", str(root.path)]) == 1
    assert "the next lookup probes" in capsys.readouterr().out


def test_the_first_check_in_libvirts_order_is_the_reason(
    root: Root, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fine_qemu(monkeypatch)
    wrong = {"module_dir_mtime": 3, "self_ctime": 5, "binary_ctime": 7, "kernel_version": "other"}
    order = []
    for name in tuple(wrong):
        root.save(**wrong)
        order.append(check(root, capsys, 1)["entries"][0]["check"])
        del wrong[name]
    assert order == ["module directory", "libvirt's ctime", "binary", "kernel"]


@pytest.mark.root
def test_a_device_that_only_root_may_use_is_a_storm(
    root: Root, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fine_qemu(monkeypatch)
    root.kvm.chmod(0o600)
    answer = check(root, capsys, 1)
    (one,) = answer["entries"]
    assert (one["verdict"], one["check"], one["was"], one["is_now"]) == (
        "probe storm", "kvm", "usable", "not usable",
    )  # fmt: skip
    assert answer["kvm"]["storms"]
    assert one["define_lookups"] == 12
    assert one["define_seconds"] == pytest.approx(12 * one["probe_seconds"], abs=0.01)
    assert main(["cache", "check", "--root", str(root.path)]) == 1
    assert "every lookup probes" in capsys.readouterr().out


@pytest.mark.root
def test_without_a_user_a_storm_is_told_only_of_the_one_a_package_would_make(root: Root) -> None:
    root.file("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    root.kvm.chmod(0o660)
    os.chown(root.kvm, 0, 104)
    assert not machine_below(root.path, {}, 0, presume=True).storms  # a member of kvm
    root.kvm.chmod(0o600)
    assert machine_below(root.path, {}, 0, presume=True).storms
    assert machine_below(root.path, {}, 0).kvm_as_user is None


@pytest.mark.root
def test_a_group_of_qemus_user_may_use_the_device(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    root.kvm.chmod(0o660)
    os.chown(root.kvm, 0, 104)
    root.file("etc/group", "root:x:0:\nkvm:x:104:libvirt-qemu\n")
    assert check(root, capsys, 0)["kvm"]["as_user"]


def test_a_stale_entry_whose_qemu_fails_is_broken_with_its_last_words(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    root.save(binary_ctime=7)
    (one,) = check(root, capsys, 1)["entries"]
    assert (one["verdict"], one["check"]) == ("broken", "probe")
    assert one["reason"] == f"{root.binary}: ended with status 3: it is broken"


def test_a_missing_binary_a_torn_file_and_a_stray_one_are_broken(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    root.binary.unlink()
    (root.entries / f"{64 * '0'}.xml").write_bytes(root.saved.read_bytes())
    (root.entries / f"{64 * '1'}.xml").write_text("<qemuCaps>\n<arch>")
    stray, torn, missing = sorted(check(root, capsys, 1)["entries"], key=lambda one: one["path"])
    assert {one["verdict"] for one in (stray, torn, missing)} == {"broken"}
    assert "is never read" in stray["reason"]
    assert torn["binary"] is None
    assert ":2: not well-formed XML" in torn["reason"]
    assert missing["reason"] == f"binary missing: {root.binary}"


def test_another_architectures_entry_has_no_kvm_checks(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = "s390x" if ARCH != "s390x" else "x86_64"
    root.entry = Entry(replace(root.entry.capabilities, arch=foreign), root.entry.stamps)
    root.save(kernel_version="other", microcode_version=1)
    check(root, capsys, 0)


def test_no_entries_are_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "check", "--root", str(tmp_path)]) == 0
    assert ": no entries;" in capsys.readouterr().out


def test_the_embedded_drivers_root_is_known(
    root: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "embed/cache/qemu").mkdir(parents=True)
    root.entries.rename(tmp_path / "embed/cache/qemu/capabilities")
    assert main(["cache", "check", "--root", str(tmp_path / "embed"), "--json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["entries"]
    assert one["reason"] == f"binary missing: {QEMU}"


def test_qemus_user_is_who_qemu_conf_says(root: Root) -> None:
    root.file("etc/libvirt/qemu.conf", '# user = "x"\nuser = "+77"\n group = "kvm"\n')
    user = qemu_user_below(root.path)
    assert user is not None
    assert (user.uid, user.gid) == (77, 104)
    root.file("etc/libvirt/qemu.conf", 'user = "nobody-knows"\n')
    assert qemu_user_below(root.path) is None


def test_a_link_below_a_root_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/bin/qemu").symlink_to("../../../../opt/qemu")
    assert below(tmp_path, "/bin/qemu") == str(tmp_path / "opt/qemu")


def test_cold_has_a_row_for_each_emulator_on_path(
    root: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bins = [tmp_path / "one", tmp_path / "two"]
    for folder in bins:
        folder.mkdir()
        (folder / "qemu-system-a").write_text("#!/bin/sh\necho last words >&2; exit 1\n")
        (folder / "qemu-system-a").chmod(0o755)
    (bins[1] / "qemu-system-b").write_text("no program")
    monkeypatch.setattr("os.get_exec_path", lambda: list(map(str, bins)))
    assert main(["cache", "check", "--root", str(root.path), "--cold", "--json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["cold"]
    assert one["binary"] == str(bins[0] / "qemu-system-a")
    assert "ended with status 1: last words" in one["error"]
    assert main(["cache", "check", "--root", str(root.path), "--cold"]) == 1
    assert "last words" in capsys.readouterr().out


def test_an_ordinary_user_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["cache", "check"]) == 1
    assert "run as root, or name a folder with --root" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("")
    assert main(["cache", "check", "--root", str(file)]) == 2
    assert "not a folder" in capsys.readouterr().err


@pytest.mark.libvirt
@pytest.mark.root
def test_what_a_real_libvirt_has_just_written_is_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from qcaps.live.host.embedded import Embedded

    binary = "/usr/bin/qemu-system-x86_64"
    with Embedded("none") as subject:
        text = subject.probe(binary)[1]
    entries = tmp_path / "var/cache/libvirt/qemu/capabilities"
    entries.mkdir(parents=True)
    (entries / f"{sha256(binary.encode()).hexdigest()}.xml").write_text(text)
    (tmp_path / "dev").mkdir()
    if Path("/dev/kvm").exists():  # as in the namespace of the driver that wrote it
        (tmp_path / "dev/kvm").write_text("")
        (tmp_path / "dev/kvm").chmod(0o666)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("libvirt-qemu:x:64055:64055::/:/bin/false\n")
    assert main(["cache", "check", "--root", str(tmp_path)]) == 0
    assert "1 entry: 1 valid" in capsys.readouterr().out
