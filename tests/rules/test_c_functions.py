"""The index of C functions is current, and what happens to a kind says what it follows."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.rules import orders

if TYPE_CHECKING:
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


@pytest.mark.parametrize("kind", orders.WRITTEN, ids=lambda kind: kind.device.__name__)
def test_the_small_rules_of_a_kind_say_what_they_follow(kind: AnyKind, made: Any) -> None:
    named = {place for _, place in made.follows()}
    rules: list[Any] = [kind.alias, kind.identity, kind.on_virtio_bus]
    rules += [kind.pci.flags, kind.pci.wants] if kind.pci else []
    for function in rules:
        if function is not None and function.__name__ != "<lambda>":  # one line, under its record's name
            place = Path(inspect.getfile(function)).relative_to(made.ROOT / "qcaps")
            assert f"{place}: {function.__name__}" in named


def test_what_checks_completes_or_assigns_says_what_it_follows(made: Any) -> None:
    named = {place for _, place in made.follows()}
    rules = made.ROOT / "qcaps" / "rules"
    found = [
        f"{path.relative_to(made.ROOT / 'qcaps')}: {node.name}"
        for room in ("definition", "addresses", "start")
        for path in sorted((rules / room).rglob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith(("check_", "complete", "assign_"))
    ]
    assert found
    assert [place for place in found if place not in named] == []
