"""Components a test may need, and what to do without them: skip at home, fail in CI, which installs them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.cache.host_files import Host

if TYPE_CHECKING:
    from collections.abc import Callable

IN_CI = "QCAPS_CI" in os.environ


def _has_qemu() -> bool:
    return shutil.which("qemu-system-x86_64") is not None


def _has_libvirt() -> bool:
    return importlib.util.find_spec("libvirt") is not None


def _is_root() -> bool:
    return os.geteuid() == 0


def _has_browser() -> bool:
    modules = Path(os.environ.get("QCAPS_NODE_MODULES", "absent"), "node_modules")
    programs = (os.environ.get("QCAPS_CHROMIUM", "chromium"), "node", "java")
    needed = ("playwright-core", "axe-core", "vnu-jar")
    return all(map(shutil.which, programs)) and all((modules / name).is_dir() for name in needed)


COMPONENTS: dict[str, tuple[Callable[[], bool], str]] = {
    "qemu": (_has_qemu, "qemu-system-x86_64 is not on PATH"),
    "libvirt": (_has_libvirt, "libvirt-python is not installed"),
    "root": (_is_root, "not root"),
    "browser": (_has_browser, "no chromium, node, java, or QCAPS_NODE_MODULES (see docs/report.md)"),
}


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes of tests, also where a shell's background job is told to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


TIMED = (
    "cache/test_access.py",
    "measure/",
    "commands/test_run.py",
    "commands/test_gate.py",
    "package/test_hostile.py",
    "package/test_bounds.py",
)
"""Where tests measure, or hold something against a clock or a signal: they run alone, the rest side by side.

(A worker of xdist has a second thread, which a signal may choose.)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what measures, by where it stands."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.relative_to(here).as_posix().startswith(TIMED):
            item.add_marker("timed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (present, complaint) in COMPONENTS.items():
        if item.get_closest_marker(marker) is not None and not present():
            without_component(complaint)


def without_component(complaint: str) -> None:
    """Skip the running test, or fail it in CI."""
    if IN_CI:
        pytest.fail(f"{complaint}, and QCAPS_CI promises it", pytrace=False)
    pytest.skip(complaint)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of libvirt's domain files and what libvirt made of them, from QCAPS_CORPUS."""
    value = os.environ.get("QCAPS_CORPUS")
    if not value:
        pytest.skip("QCAPS_CORPUS is not set")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"QCAPS_CORPUS={value}: no such folder", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The source tree around these tests; a copy of the tests beside an installed wheel has none."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / "qcaps" / "__init__.py").is_file():
        pytest.skip("not in a checkout")
    return folder


@pytest.fixture
def cache_host(tmp_path: Path) -> Host:
    """A host whose every file is a stand-in below tmp_path/host: kvm, cpuinfo, modules, nested, sev."""
    folder = tmp_path / "host"
    (folder / "modules").mkdir(parents=True)
    (folder / "kvm").write_text("")
    (folder / "cpuinfo").write_text("processor\t: 0\nmicrocode\t: 0x2a\ncpu MHz\t\t: 1000\n")
    (folder / "nested").write_text("N\n")
    return Host(
        arch="x86_64",
        kernel_version="6.1 stand-in",
        self_ctime=1,
        self_version=1000,
        module_dir=str(folder / "modules"),
        cpuinfo=str(folder / "cpuinfo"),
        kvm_device=str(folder / "kvm"),
        nested=(str(folder / "missing"), str(folder / "nested")),
        sev=str(folder / "sev"),
        sev_device=str(folder / "sev-device"),
    )
