"""What a hit asks of the kernel, as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, sys, time
from qcaps.cache.cache import CapabilityCache
from qcaps.cache.host_files import Host
from qcaps.cache.validity import by_name
from qcaps.capabilities.model import Capabilities

name, folder = sys.argv[1:]
at = lambda file: os.path.join(folder, file)
host = Host(
    arch=os.uname().machine, kernel_version="", self_ctime=1, self_version=1, module_dir=folder,
    cpuinfo=at("cpuinfo"), kvm_device=at("kvm"),
    nested=(at("n1"), at("n2"), at("n3"), at("n4")), sev=at("sev"),
)
capabilities = Capabilities(host.arch, 1, frozenset({"kvm"}))
cache = CapabilityCache(by_name(name), host, lambda binary: capabilities)
for _ in range(3):
    time.sleep(0.1)  # a watcher's thread is idle by then
    os.access("/begin-of-lookup", os.F_OK)
    assert cache.lookup(at("qemu")) is capabilities
os.access("/end-of-lookups", os.F_OK)
"""
X86_ONLY = pytest.mark.skipif(os.uname().machine != "x86_64", reason="as counted on x86_64")


def calls_of_a_hit(validity: str, folder: Path) -> list[str]:
    """The system calls of the last lookup, children's included; the stat family under one name."""
    strace = shutil.which("strace")
    if strace is None:
        (pytest.fail if "QCAPS_CI" in os.environ else pytest.skip)("strace is not installed")
    for name in ("cpuinfo", "kvm", "qemu"):
        (folder / name).write_text("microcode : 0x1\n")
    trace = folder.parent / "output" / "trace"  # in no folder that is watched
    trace.parent.mkdir()
    command = ["strace", "-f", "-qq", "-o", str(trace), sys.executable, "-c", SCRIPT, validity, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "ptrace" in done.stderr and not trace.exists():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    last = (
        trace.read_text().rpartition('access("/begin-of-lookup"')[2].partition('access("/end-of-lookups"')[0]
    )
    names = re.findall(r"^\d+\s+(\w+)\(", last.partition("\n")[2], re.MULTILINE)
    return ["stat" if name in ("newfstatat", "statx", "stat") else name for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "stand-ins"
    path.mkdir()
    return path


@X86_ONLY
def test_ctime_makes_libvirts_fourteen(folder: Path) -> None:
    assert calls_of_a_hit("ctime", folder) == [
        *("openat", "read", "read", "close"),  # /proc/cpuinfo
        *("access", "stat"),  # the module directory
        "stat",  # the binary
        "stat",  # /dev/kvm
        *("access", "access", "access", "access"),  # nested, of each KVM module
        *("uname", "access"),  # SEV
    ]


@pytest.mark.parametrize("validity", ["watch", "trust"])
def test_watch_and_trust_make_none(validity: str, folder: Path) -> None:
    assert calls_of_a_hit(validity, folder) == []


def test_fork_makes_one_child_that_only_asks(folder: Path) -> None:
    calls = calls_of_a_hit("fork", folder)
    assert calls[0] == "stat"
    assert sum(name in ("clone", "clone3", "fork", "vfork") for name in calls) == 1
    assert calls.count("access") == 1
    assert "execve" not in calls
    assert "openat" not in calls
