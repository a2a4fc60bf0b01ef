"""How devices are named inside QEMU."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections import Counter

    from qcaps.domainxml.domain import Domain


class Surroundings(NamedTuple):
    """What a name may depend on besides the device; `lsi` are the indexes of controllers of that model."""

    domain: Domain
    lsi: frozenset[int]


_D = TypeVar("_D")
Alias = Callable[[Surroundings, _D, "Counter[str]", int], str]
"""Gives a device its name: from its surroundings, what was counted before, and its place among its kind."""


def numbered(prefix: str, counted: Counter[str]) -> str:
    """The prefix and how many were given it before."""
    counted[prefix] += 1
    return f"{prefix}{counted[prefix] - 1}"


def by_place(prefix: str) -> Alias[Any]:
    """For kinds that count all their devices, those with a name of the user's own too."""
    return lambda _given, _device, _counted, place: f"{prefix}{place}"


def by_count(prefix: str) -> Alias[Any]:
    """For kinds that count only the devices they give a name to."""
    return lambda _given, _device, counted, _place: numbered(prefix, counted)
