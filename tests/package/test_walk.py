"""CONTRIBUTING's walks: a thing of each sort, added by doing what it says, in no more files than it says."""

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

from qcaps.domainxml.codec import CHILD
from qcaps.domainxml.device import Device


class Pstore(Device):
    """The place."""

    TAG: ClassVar[str] = "pstore"
    backend: Literal["acpi-erst"]
    path: Annotated[str, CHILD] | None = None
'''

BEHAVIOUR = '''"""`<pstore>`: where it lies."""

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Pstore
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
    domain, rules = tree / "qcaps" / "domainxml" / "devices", tree / "qcaps" / "rules"
    (domain / "pstore.py").write_text(DECLARATION)
    edit(
        domain / "__init__.py",
        (
            "from qcaps.domainxml.devices.redirdev",
            "from qcaps.domainxml.devices.pstore import Pstore\nfrom qcaps.domainxml.devices.redirdev",
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


POLICY = """DEFINE_ONLY = _policy("define-only", "a define looks up once", _NAIVE | dict.fromkeys(
    (Site.POST_PARSE, Site.POST_PARSE_DEVICE, Site.ADDRESSES, Site.VALIDATE, Site.VALIDATE_DEVICE),
    Sharing.TASK,
))

POLICIES = (DEFINE_ONLY, """
SCENARIO = """SUMMARY = "entropy sources"
LARGEST = {"q35": 8}


def devices(n, machine, random):
    yield from ["<rng model='virtio'><backend model='random'/></rng>"] * n
"""
COMMAND = """def configure(parser):
    parser.description = "Say hello."


def run(args):
    print("hello")
    return 0
"""
SECTION = """from qcaps.report.section import Content

ORDER, HEADING, MISSING = 5, "How many", "nothing was measured"


def data(sources):
    return len(sources.results.measured)


def content(value):
    return Content(f"{value} cells were measured.")
"""


def qcaps(tree: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "qcaps", *words],
        capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"}, cwd=tree,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_policy_is_a_value_and_its_counts(tree: Path) -> None:
    lookups = tree / "qcaps" / "lookups"
    edit(lookups / "policy.py", ("POLICIES = (", POLICY))
    edit(
        lookups / "policy_laws.py",
        (
            '    "naive": _per_device(1, 2),',
            '    "naive": _per_device(1, 2),\n    "define-only": _exactly(1),',
        ),
    )
    (tree / "guest.xml").write_text(qcaps(tree, "scenarios", "generate", "disks", "-n", "4"))
    explained = json.loads(qcaps(tree, "explain", "guest.xml", "--policy", "define-only", "--json"))
    assert len(explained["lookups"]) == 1
    sizes = ("-n", "1", "--pairs", "5", "--processes", "1", "--validity", "trust", "--task", "define")
    assert "define-only" in qcaps(tree, "run", "--scenario", "simple", "--policy", "define-only", *sizes)


def test_a_scenario_is_a_file(tree: Path) -> None:
    (tree / "scenarios" / "entropy.py").write_text(SCENARIO)
    assert "entropy sources" in qcaps(tree, "scenarios", "list")
    assert qcaps(tree, "scenarios", "generate", "entropy", "-n", "3").count("<rng") == 3


def test_a_section_is_a_file(tree: Path, checkout: Path) -> None:
    (tree / "reports" / "sections" / "how_many.py").write_text(SECTION)
    qcaps(tree, "report", str(checkout / "reports" / "reference" / "results.json"), "-o", "out")
    assert "cells were measured." in (tree / "out" / "report.html").read_text()


def test_a_command_is_a_file_and_a_line(tree: Path) -> None:
    (tree / "qcaps" / "commands" / "hello.py").write_text(COMMAND)
    edit(
        tree / "qcaps" / "commands" / "__init__.py",
        ("COMMANDS = (", 'COMMANDS = (\n    Command("hello", "qcaps.commands.hello", "say hello"),'),
    )
    assert qcaps(tree, "hello") == "hello\n"
