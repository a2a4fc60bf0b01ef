"""A real libvirt as a subject: what is asked of it, what a gate makes of its counts. No libvirt is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qcaps.errors import UsageError
from qcaps.measure.cell import LIBVIRT, STOCK, Cell, baseline_of, grid
from qcaps.measure.gate.counting import Laws, alike, faults, told_apart
from qcaps.measure.gate.series import all_series
from qcaps.measure.subject import Counts, split
from qcaps.measure.subjects import libvirt
from qcaps.measure.subjects.slowdown import slowed

if TYPE_CHECKING:
    from pathlib import Path


def counts(devices: int, lookups: int, forks: int = 0) -> Counts:
    return Counts(devices, lookups, lookups, forks, 0, {})


CELL = Cell("disks", 1, "define", "ctime", STOCK, LIBVIRT)


def test_a_suites_cells_become_a_libvirts_own() -> None:
    cells = tuple(
        grid(("disks",), (1,), ("define",), ("fork", "ctime"), ("naive", "series", "once", "oracle"))
    )
    found = libvirt.on_libvirt(cells, "libvirt:/opt/new")
    assert [(cell.policy, cell.validity) for cell in found] == [("stock", "ctime"), ("once", "ctime")]
    assert {cell.subject for cell in found} == {"libvirt:/opt/new"}
    assert [cell.policy for cell in libvirt.on_libvirt(cells, "libvirt:qemu:///system")] == ["stock"]


def test_what_a_libvirt_is_held_against_is_itself_as_it_is() -> None:
    assert baseline_of("libvirt:/opt/new", "naive") == "stock"
    assert baseline_of("reference", "series") == "series"


def test_a_place_is_made_absolute_and_a_daemon_that_runs_is_told_from_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    assert libvirt.canonical("libvirt:build") == f"libvirt:{tmp_path}/build"
    assert libvirt.canonical("libvirt:qemu:///system") == "libvirt:qemu:///system"
    assert split("libvirt-daemon:/opt") == ("libvirt-daemon", "/opt")
    with pytest.raises(UsageError, match="a daemon that runs is libvirt:qemu:///system"):
        libvirt.canonical("libvirt-daemon:qemu:///system")
    with pytest.raises(UsageError, match="did you mean 'libvirt'"):
        split("libvrit")


def test_a_device_more_is_told_from_a_lookup_more() -> None:
    base = counts(10, 12)
    assert not list(faults(CELL, base, counts(11, 13), Laws(13), devices_may=True))
    more = faults(CELL, base, counts(10, 13), Laws(12), devices_may=True)
    (one,) = [fault for fault in more if fault.what == "lookups"]
    assert (one.expected, one.found, one.against) == (12, 13, "base")
    both = [fault.what for fault in faults(CELL, base, counts(11, 14), Laws(13), devices_may=True)]
    assert "lookups" in both
    (devices, *_) = faults(CELL, base, counts(11, 13), Laws(13))
    assert devices.what == "devices"


def test_a_libvirt_off_its_own_law_is_named_where_base_is_too() -> None:
    (one,) = faults(CELL, counts(10, 13), counts(10, 13), Laws(12), devices_may=True)
    assert (one.what, one.against) == ("lookups", "the closed form")


def test_a_libvirt_that_looks_up_once_is_a_better_one_and_one_that_forks_is_not() -> None:
    found = tuple(faults(CELL, counts(10, 12), counts(10, 1), Laws(12), devices_may=True))
    assert {fault.what for fault in found} == {"lookups", "validations"}
    worse, better = told_apart(found, fewer_is_better=True)
    assert (worse, tuple(better)) == ([], found)
    assert told_apart(found, fewer_is_better=False) == (list(found), [])
    forking = faults(CELL, counts(10, 12), counts(10, 1, forks=1), Laws(12), devices_may=True)
    (one,) = told_apart(forking, fewer_is_better=True)[0]
    assert (one.what, one.found) == ("forks", 1)


def test_no_line_goes_through_cells_that_look_up_otherwise() -> None:
    cells = [replace(CELL, n=n) for n in (1, 8, 32)]
    devices = {cell: 11 + cell.n for cell in cells}
    assert [one.name for one in all_series(devices)][3:] == [
        "disks define ctime stock slope",
        "disks define ctime stock intercept",
    ]
    assert [one.cells for one in all_series(devices, unlike=cells[:1])] == [(cell,) for cell in cells]
    assert not alike(counts(10, 12), counts(10, 1))
    assert alike(counts(10, 12), counts(11, 13)), "a device more, and its lookup"


class Elsewhere:
    """An arm that another process times."""

    def time(self) -> int:
        return 1000

    def run(self) -> None: ...

    def reset(self) -> None: ...

    def counts(self) -> Counts:
        return counts(1, 3)

    def totals(self) -> tuple[int, ...]:
        return ()

    def facts(self) -> dict[str, str | int | float]:
        return {}

    def close(self) -> None: ...


def test_a_known_slowdown_can_be_put_into_what_another_process_times() -> None:
    assert slowed(Elsewhere(), 0.05).time() == 1050  # type: ignore[attr-defined]
