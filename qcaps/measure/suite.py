"""Suites: modules in `bench/suites/` that say which cells to measure.

A suite declares

    SUMMARY = "growing n under both validities"      one line
    def cells() -> Iterable[Cell]                    what to measure

and may define `conclusions(results) -> Iterable[str]`: lines to print below the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders, call, declared
from qcaps.errors import QcapsError
from qcaps.measure.cell import Cell, by_comparison
from qcaps.measure.domains import SCENARIOS, DomainSources
from qcaps.measure.subject import WITHOUT_DOMAIN

if TYPE_CHECKING:
    from types import ModuleType

    from qcaps.measure.results.results_file import Results

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


def names(content: ContentFolders = SHIPPED) -> tuple[str, ...]:
    """The suites there are."""
    return tuple(content.files("bench/suites"))


def suite(name: str, content: ContentFolders = SHIPPED) -> Suite:
    """The suite called `name`. Raises UsageError."""
    module = content.load("bench/suites", name)
    conclude = getattr(module, "conclusions", _nothing)
    return Suite(
        name,
        declared(module, "SUMMARY", str, ""),
        tuple(dict.fromkeys(_cells(module))),
        lambda results: call(module, lambda: tuple(conclude(results))),
    )


def _cells(module: ModuleType) -> tuple[Cell, ...]:
    made = declared(module, "cells", Callable)
    found = call(module, lambda: tuple(made()))
    if not found or not all(isinstance(one, Cell) for one in found):
        raise QcapsError(
            f"{module.__file__}: cells() gives one Cell or more, and nothing else; see bench/README.md"
        )
    return found


def choose(cells: tuple[Cell, ...], choice: Choice, domains: DomainSources = SCENARIOS) -> tuple[Cell, ...]:
    """The cells with each coordinate the user named put in place of the suite's own.

    A scenario named without an n is measured at its own steps, in what the suite does to it; to one that the
    suite does not have, what it does most. Raises UsageError for an unknown scenario.
    """
    suites = by_comparison(cells)
    wanted = [(comparison, name) for name in choice.scenarios for comparison in _like(name, suites)]
    chosen: dict[Cell, None] = {}
    for comparison, named in wanted or [(one, one.scenario) for one in suites]:
        ns = choice.ns or (domains.get(named).steps or (0,) if choice.scenarios else (comparison.n,))
        policies = choice.policies or tuple(cell.policy for cell in suites[comparison])
        for n, task, validity, policy in product(
            ns, choice.tasks or (comparison.task,), choice.validities or (comparison.validity,), policies
        ):
            cell = replace(comparison, scenario=named, n=n, task=task, validity=validity, policy=policy)
            chosen[cell] = None
    return tuple(chosen)


def _like(name: str, comparisons: Iterable[Cell]) -> list[Cell]:
    """What a suite does to a scenario: the comparisons it has of it, else those of its commonest task."""
    own = [one for one in comparisons if one.scenario in (name, name.partition("@")[0])]
    if own:
        return own
    task = Counter(one.task for one in comparisons).most_common(1)[0][0]
    return [one for one in comparisons if one.task == task]


def sources(cells: Iterable[Cell], domains: DomainSources = SCENARIOS) -> dict[Cell, str]:
    """The domain of each cell; none for a subject that works on none. Raises UsageError."""
    return {cell: source(cell, domains) for cell in cells}


def source(cell: Cell, domains: DomainSources) -> str:
    """The domain of one cell. Raises UsageError."""
    return "" if cell.subject in WITHOUT_DOMAIN else domains.get(cell.scenario).xml(cell.n, cell.seed)


def _nothing(_results: Results) -> Iterable[str]:
    return ()
