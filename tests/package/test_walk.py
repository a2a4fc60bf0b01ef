"""CONTRIBUTING's walk, done: a device kind that libvirt 9.0.0 does not know, added by doing what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

DECLARATION = '''"""A place where a guest that crashes leaves its last words."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import CHILD
from qcaps.domain.device import Device


class Pstore(Device):
    """The place."""

    TAG: ClassVar[str] = "pstore"
    backend: Literal["acpi-erst"]
    path: Annotated[str, CHILD] | None = None
'''

BEHAVIOUR = '''"""`<pstore>`: where it lies."""

from qcaps.domain.codec import evolve
from qcaps.domain.devices import Pstore
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_place
from qcaps.rules.start.address import placed


def complete(state, pstore):
    """A path of our own."""
    return evolve(pstore, path=pstore.path or f"/pstore/{state.domain.name}")


def pstores(launch):
    """Its device."""
    for pstore in launch.of(Pstore):
        properties = {"driver": pstore.backend, "id": launch.alias(pstore), **placed(launch, pstore)}
        yield from launch.device(properties)


PSTORE = Kind(
    Pstore,
    complete=complete,
    pci=Pci(flags=lambda _, way: way.pci, wants=lambda _: True),
    alias=by_place("pstore"),
)
'''

LOOK = """
import json, sys, tempfile
from pathlib import Path
import qcaps
from qcaps.driver.reference import reference
from qcaps.scenario import scenario

assert Path(qcaps.__file__).is_relative_to(sys.argv[1]), qcaps.__file__
xml = scenario("simple").xml(1)
more = xml.replace("</devices>", "<pstore backend='acpi-erst'/></devices>")
found = {}
for name, text in (("without", xml), ("with", more)):
    with tempfile.TemporaryDirectory() as folder:
        driver = reference(Path(folder), policy="naive", validity="trust")
        done = driver.define(text.encode(), name)
        line = " ".join(driver.start(done.domain.name).command)
        found[name] = {"lookups": done.lookups, "xml": done.xml, "line": line}
print(json.dumps(found))
"""


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for before, after in changes:
        assert text.count(before) == 1, f"{path}: {before!r} stands {text.count(before)} times"
        text = text.replace(before, after)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path: Path, checkout: Path) -> Path:
    for folder in ("qcaps", "scenarios", "bench", "reports"):
        ignored = shutil.ignore_patterns("__pycache__", "reference")
        shutil.copytree(checkout / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def test_a_device_kind_is_two_files_and_its_places(tree: Path) -> None:
    domain, rules = tree / "qcaps" / "domain" / "devices", tree / "qcaps" / "rules"
    (domain / "pstore.py").write_text(DECLARATION)
    edit(
        domain / "__init__.py",
        (
            "from qcaps.domain.devices.redirdev",
            "from qcaps.domain.devices.pstore import Pstore\nfrom qcaps.domain.devices.redirdev",
        ),
        ("    | Vsock\n", "    | Vsock\n    | Pstore\n"),
    )
    (rules / "devices" / "pstore.py").write_text(BEHAVIOUR)
    edit(
        rules / "orders.py",
        (
            "from qcaps.rules.devices.redirdev",
            "from qcaps.rules.devices.pstore import PSTORE\nfrom qcaps.rules.devices.redirdev",
        ),
        ("IOMMU, VSOCK,\n)", "IOMMU, VSOCK, PSTORE,\n)"),
        ("VSOCK, GRAPHICS,", "VSOCK, PSTORE, GRAPHICS,"),
        ("IOMMU, VSOCK, MEMORY,", "IOMMU, VSOCK, MEMORY, PSTORE,"),
        ("IOMMU, CONTROLLER, MEMORY,\n)", "IOMMU, CONTROLLER, MEMORY, PSTORE,\n)"),
    )  # fmt: skip
    edit(
        rules / "start" / "command_line.py",
        (
            "from qcaps.rules.devices.redirdev",
            "from qcaps.rules.devices.pstore import pstores\nfrom qcaps.rules.devices.redirdev",
        ),
        ("_timestamps,\n)", "pstores, _timestamps,\n)"),
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, str(tree)], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    without, having = json.loads(done.stdout).values()
    assert having["lookups"] == without["lookups"] + 1
    assert "<pstore backend='acpi-erst'>" in having["xml"].replace('"', "'")
    assert "<path>/pstore/simple" in having["xml"]
    assert "acpi-erst" in having["line"]
    assert "pstore0" in having["line"]
    assert "pstore" not in without["xml"] + without["line"]
