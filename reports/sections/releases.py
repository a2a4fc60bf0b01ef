"""Through the releases of libvirt: how often a task looks up, counted, and the law through the counts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from qcaps.lookups import libvirt_laws
from qcaps.release import nearest, parse
from qcaps.report.section import Content, Table, Typed

from ._drawing import BLUE, GREEN, GREY, INK, VERMILION, Spacing, hover, is_narrow, legend, panels
from ._live import live_rows
from ._words import domain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources

ORDER = 7
PART = "Today"
HEADING = "Through the releases"
MISSING = ""
_FILE = Path(__file__).parent.parent / "data" / "releases.json"
_LOOKS = {"define": (VERMILION, "o"), "attach": (BLUE, "s"), "detach": (GREEN, "D")}
_FEWEST = 2
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}", re.ASCII)


@dataclass(frozen=True)
class CountedRelease:
    """One task on one release. `law` is what it is to look up with as many devices."""

    release: str
    task: str
    devices: int
    lookups: int
    law: int | None
    here: bool
    """Whether the results at hand have it, else it is from the counts that are kept."""


@dataclass(frozen=True)
class Releases:
    """One domain, its tasks on each release, the oldest first."""

    domain: str
    source: str
    points: tuple[CountedRelease, ...]

    @property
    def releases(self) -> tuple[str, ...]:
        """Those there are, the oldest first."""
        return tuple(sorted({one.release for one in self.points}, key=parse))

    def of(self, task: str) -> tuple[CountedRelease, ...]:
        """The points of a task."""
        return tuple(
            sorted((one for one in self.points if one.task == task), key=lambda one: parse(one.release))
        )


def data(sources: Sources) -> Releases | None:
    """The counts that are kept, and those at hand of the same domain; None without two releases at hand."""
    rows = [row for row in live_rows(sources) if _VERSION.fullmatch(row.release)]
    if len({row.release for row in rows}) < _FEWEST:
        return None
    kept = json.loads(_FILE.read_text(encoding="utf-8"))
    first = kept["points"][0]
    scenario, n = first["scenario"], first["n"]
    found = {
        (one["release"], one["task"]): _counted(one["release"], one["task"], one["devices"], one["lookups"])
        for one in kept["points"]
        if (one["scenario"], one["n"]) == (scenario, n)
    }
    tasks = {task for _, task in found}
    for row in rows:
        if (row.scenario, row.n) == (scenario, n) and row.task in tasks:
            found[row.release, row.task] = _counted(
                row.release, row.task, row.devices, row.lookups, here=True
            )
    return Releases(domain_name(scenario, n), kept["source"], tuple(found.values()))


def content(value: Releases) -> Content:
    """What a newer release asks more often, and whether each keeps its law."""
    equal = sum(one.lookups == one.law for one in value.points)
    define, attach = value.of("define"), value.of("attach")
    finding = (
        f"A define of {value.domain} looks up {define[0].lookups} times in {define[0].release},"
        f" {define[-1].lookups} in {define[-1].release}; attaching a device to it {attach[0].lookups} times,"
        f" then {attach[-1].lookups}"
    )
    headings = ("task", "release", "devices", "lookups", "by the law", "counted")
    rows = tuple(
        (
            *(one.task, one.release, str(one.devices), str(one.lookups)),
            *("-" if one.law is None else str(one.law), "in these results" if one.here else "earlier"),
        )
        for task in _LOOKS
        for one in value.of(task)
    )
    bad = frozenset(
        (number, headings.index("lookups")) for number, row in enumerate(rows) if row[3] != row[4] != "-"
    )
    return Content(
        finding + ".",
        description="Lookups by release: "
        + "; ".join(
            f"{task} " + ", ".join(f"{one.lookups} in {one.release}" for one in value.of(task))
            for task in _LOOKS
        ),
        notes=(
            (
                f"{equal} of {len(value.points)} are what the law of their release says (the line). Since"
                " 11.3 attach validates the whole definition again, and each of its devices looks up. Devices"
                " differ: libvirt itself adds one in 9.0 and one more in 11.3."
            ),
            f"Earlier counts: {value.source}.",
        ),
        commands=(
            Typed("Count another libvirt", "qcaps live count disks -n 64 --task define attach --libvirt DIR"),
        ),
        tables=(
            Table(
                "Lookups by task and release", headings, rows, left=("task", "release", "counted"), bad=bad
            ),
        ),
    )


def draw(value: Releases, figure: Figure) -> None:
    """A panel a task, the releases side by side on the same axis."""
    narrow = is_narrow(figure)
    entries = [
        ("in these results", Line2D([], [], color=INK, marker="o", linestyle="")),
        ("earlier", Line2D([], [], color=INK, marker="o", mfc="none", linestyle="")),
        ("by the law", Line2D([], [], color=GREY, linewidth=1.4)),
    ]
    rows, columns = (len(_LOOKS), 1) if narrow else (1, len(_LOOKS))
    height = 1.3 if narrow else 1.9
    grid = panels(figure, rows, columns, height, Spacing(left=0.6, head=0.28, across=0.25), sharey=True)
    legend(figure, entries)
    highest = max(one.lookups for one in value.points) * 1.22
    for number, (axes, task) in enumerate(zip((axes for row in grid for axes in row), _LOOKS, strict=True)):
        _draw_task(axes, task, value)
        axes.set_ylim(0, highest)
        if narrow or number == 0:
            axes.set_ylabel("lookups")


def _draw_task(axes: Axes, task: str, value: Releases) -> None:
    colour, marker = _LOOKS[task]
    places = {release: place for place, release in enumerate(value.releases)}
    points = value.of(task)
    lawful = [(places[one.release], one.law) for one in points if one.law is not None]
    axes.plot(*zip(*lawful, strict=True), color=GREY, linewidth=1.4, zorder=1)
    for one in points:
        place = places[one.release]
        fill = colour if one.here else "white"
        mark = axes.plot(place, one.lookups, color=colour, marker=marker, mfc=fill, linestyle="", zorder=2)
        hover(mark, [f"{task} in {one.release}: {one.lookups} lookups, {one.devices} devices"])
        axes.annotate(
            str(one.lookups),
            (place, one.lookups),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    axes.set_title(f"{task}, {value.domain}", fontsize=9)
    axes.set_xticks(list(places.values()), list(places), fontsize=8)
    axes.set_xlim(-0.5, len(places) - 0.5)


def _counted(release: str, task: str, devices: int, lookups: int, *, here: bool = False) -> CountedRelease:
    law = libvirt_laws.law(task, nearest(parse(release)).release)
    return CountedRelease(
        release, task, devices, lookups, None if law is None else law.lookups(devices), here
    )
