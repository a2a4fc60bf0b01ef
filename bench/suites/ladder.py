"""The ladder: the variant before the series of 2018, and after each of its 11 patches."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "the virt-install guest after each patch of the series: define, start, createXML"
POLICIES = ("naive", *(f"patch-{number}" for number in range(1, 12)))


def cells() -> Iterator[Cell]:
    """All steps side by side in one process, so that neighbours can be told apart."""
    yield from grid(("simple",), (1,), ("define", "start", "createXML"), ("fork",), POLICIES)
