"""The library's names: what there is, that nothing hides it, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import qcaps

ALL_ROOMS = """
import json, sys, types
from importlib import import_module
from pkgutil import walk_packages
import qcaps
rooms = [one.name for one in walk_packages(qcaps.__path__, "qcaps.") if not one.name.endswith("__main__")]
for room in rooms:
    import_module(room)
hidden = [name for name in qcaps.__all__ if isinstance(getattr(qcaps, name), types.ModuleType)]
from qcaps import *
json.dump([len(rooms), hidden, domain("disks", 1)[:7], callable(explain)], sys.stdout)
"""


def test_no_public_name_is_that_of_a_room() -> None:
    """In a process of its own, since other tests have asked for names before rooms were imported."""
    done = subprocess.run([sys.executable, "-c", ALL_ROOMS], capture_output=True, text=True, check=True)
    rooms, hidden, xml, can_be_called = json.loads(done.stdout)
    assert rooms > 300
    assert hidden == []
    assert (xml, can_be_called) == ("<domain", True)


def test_every_public_name_is_there_with_its_documentation() -> None:
    first_level = {one.name for one in walk_packages(qcaps.__path__)}
    assert not first_level & set(qcaps.__all__)
    assert set(qcaps.__all__) <= set(dir(qcaps))
    for name in qcaps.__all__:
        found = getattr(qcaps, name)
        if callable(found):
            assert found.__doc__, name
            assert getattr(import_module(found.__module__), name) is found


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'qcaps' has no attribute 'explian'"):
        qcaps.explian  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.timed
def test_importing_costs_next_to_nothing() -> None:
    """On the CPU: how long it waits for one is no matter of ours."""
    code = (
        "import sys; before = set(sys.modules); from time import process_time; begin = process_time();"
        "import qcaps; took = process_time() - begin; print(took, *(set(sys.modules) - before))"
    )
    times = []
    for _ in range(5):
        took, *imported = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        assert set(imported) <= {"qcaps", "time"}
        times.append(float(took))
    assert min(times) <= 0.030


def test_types_are_for_everyone() -> None:
    from importlib.resources import files

    assert (files("qcaps") / "py.typed").is_file()
