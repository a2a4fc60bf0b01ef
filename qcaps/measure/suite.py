"""Suites: modules in `bench/suites/` that say which cells to measure.

A suite declares

    SUMMARY = "growing n under both validities"      one line
    def cells() -> Iterable[Cell]                    what to measure

and may define `conclusions(results) -> Iterable[str]`: lines to print below the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from qcaps import content
from qcaps.errors import UsageError
from qcaps.measure.cell import Cell, by_question
from qcaps.measure.subject import WITHOUT_DOMAIN
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.results.file import Results

Conclusions = Callable[["Results"], Iterable[str]]


@dataclass(frozen=True)
class Suite:
    """A named set of cells."""

    name: str
    summary: str
    cells: tuple[Cell, ...]
    conclusions: Conclusions


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Coordinates a user names; an empty one leaves the suite's."""

    scenarios: tuple[str, ...] = ()
    ns: tuple[int, ...] = ()
    tasks: tuple[str, ...] = ()
    validities: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


def names(extra: Path | None = None) -> tuple[str, ...]:
    """The suites there are."""
    return tuple(content.files("bench/suites", extra))


def suite(name: str, extra: Path | None = None) -> Suite:
    """The suite called `name`. Raises UsageError."""
    if name not in names(extra):
        raise UsageError(f"no suite {name!r}: choose from {', '.join(names(extra))}")
    module = content.load("bench/suites", name, extra)
    if not hasattr(module, "cells"):
        raise UsageError(f"{module.__file__}: a suite defines cells(); see bench/README.md")
    return Suite(
        name,
        getattr(module, "SUMMARY", ""),
        tuple(dict.fromkeys(module.cells())),
        getattr(module, "conclusions", _nothing),
    )


def choose(cells: tuple[Cell, ...], choice: Choice, extra: Path | None = None) -> tuple[Cell, ...]:
    """The cells with each coordinate the user named put in place of the suite's own.

    A scenario named without an n is measured at its own steps. Raises UsageError for an unknown scenario.
    """
    chosen: dict[Cell, None] = {}
    for question, arms in by_question(cells).items():
        policies = choice.policies or tuple(cell.policy for cell in arms)
        for name, task, validity in product(
            choice.scenarios or (question.scenario,),
            choice.tasks or (question.task,),
            choice.validities or (question.validity,),
        ):
            ns = choice.ns or (scenario(name, extra).steps if choice.scenarios else (question.n,))
            for n, policy in product(ns, policies):
                cell = replace(question, scenario=name, n=n, task=task, validity=validity, policy=policy)
                chosen[cell] = None
    return tuple(chosen)


def sources(cells: Iterable[Cell], extra: Path | None = None) -> dict[Cell, str]:
    """The domain of each cell; none for a subject that works on none. Raises UsageError."""
    return {
        cell: "" if cell.subject in WITHOUT_DOMAIN else scenario(cell.scenario, extra).xml(cell.n, cell.seed)
        for cell in cells
    }


def _nothing(_results: Results) -> Iterable[str]:
    return ()
