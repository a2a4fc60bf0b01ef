"""The index of C functions is current, and what happens to a kind says what it follows."""

from __future__ import annotations

import importlib.util
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.rules import orders

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.rules.kind import AnyKind


@pytest.fixture
def made(checkout: Path) -> Any:
    spec = importlib.util.spec_from_file_location("c_functions", checkout / "docs" / "c_functions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_index_is_current(made: Any) -> None:
    assert made.INDEX.read_text() == made.index(), "run python docs/c_functions.py"


def test_a_name_stands_with_its_place(made: Any) -> None:
    found = dict(made.follows())
    assert found["qemuDomainVsockDefPostParse"] == "rules/devices/vsock.py: complete"


@pytest.mark.parametrize("kind", orders.WRITTEN, ids=lambda kind: kind.device.__name__)
def test_what_happens_to_a_kind_says_what_it_follows(kind: AnyKind) -> None:
    for field in ("refuse_read", "read", "complete", "refuse", "refuse_by_qemu"):
        function = getattr(kind, field)
        if function is not None:
            assert "Follows: " in (inspect.getdoc(function) or ""), f"{kind.device.__name__}: {field}"
