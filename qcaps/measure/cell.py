"""What is measured, as a plain value: it can stand in a file, and be run in another process or elsewhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TASKS = (
    "define",
    "define+undefine",
    "redefine",
    "undefine",
    "start",
    "createXML",
    "attach",
    "detach",
)
BASELINE = "naive"
LIBVIRT = "libvirt"
"""What the name of every subject that is a real libvirt begins with."""
STOCK = "stock"
"""The baseline of a real libvirt: as it is."""
_UNNAMED = frozenset({"reference", "loop"})
"""Subjects whose cells do not say them."""


@dataclass(frozen=True)
class Cell:
    """One task on one domain under one policy and one validity. `n` as in the scenario."""

    scenario: str
    n: int
    task: str = "define"
    validity: str = "fork"
    policy: str = BASELINE
    subject: str = "reference"
    seed: int = 0

    @property
    def comparison(self) -> Cell:
        """The cell without its policy: what the arms of one comparison have in common."""
        return replace(self, policy="")

    @property
    def name(self) -> str:
        """Unique among cells of one seed: the benchmark's name in a results file."""
        on = "" if self.subject in _UNNAMED else f"{self.subject} "
        return f"{on}{self.scenario}/{self.n} {self.task} {self.validity} {self.policy}".rstrip()

    def to_plain(self) -> dict[str, Any]:
        """The cell as strings and integers."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Cell:
        """The reverse of `to_plain`; other keys are ignored. Raises QcapsError for one that is missing."""
        try:
            return cls(**{one.name: _TYPES[one.type](plain[one.name]) for one in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise QcapsError(f"not a cell: {error!r} in {dict(plain)!r:.200}") from None


_TYPES: dict[Any, type] = {"str": str, "int": int}


def baseline_of(subject: str, chosen: str = BASELINE) -> str:
    """What the policies of a subject are held against: `chosen` on the reference."""
    return STOCK if subject.startswith(LIBVIRT) else chosen


def grid(
    scenarios: Iterable[str],
    ns: Iterable[int],
    tasks: Iterable[str] = ("define",),
    validities: Iterable[str] = ("fork",),
    policies: Iterable[str] = (BASELINE,),
) -> Iterator[Cell]:
    """All combinations, the policy changing fastest."""
    for combination in product(scenarios, ns, tasks, validities, policies):
        yield Cell(*combination)


def by_comparison(cells: Iterable[Cell]) -> dict[Cell, tuple[Cell, ...]]:
    """The arms of each comparison, in the order they came, each cell once."""
    found: dict[Cell, dict[Cell, None]] = {}
    for cell in cells:
        found.setdefault(cell.comparison, {})[cell] = None
    return {comparison: tuple(arms) for comparison, arms in found.items()}
