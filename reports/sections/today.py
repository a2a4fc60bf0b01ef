"""What looking up once would buy the newest libvirt that was measured: the page begins with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.report.section import Content, Table, Typed
from qcaps.units import duration

from ._drawing import BLUE, PALE, Spacing, hover, is_narrow, legend, panels
from ._live import live_rows
from ._words import count, domain_name, interval, paired, sure_interval, task_name, times, too_few

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources

    from ._live import LiveRow

ORDER = 5
PART = "Today"
HEADING = "Today's libvirt"
MISSING = "no real libvirt was measured: qcaps live whatif guest.xml"
_MOST_BARS = 9
_MILLI = 1e3


@dataclass(frozen=True)
class Today:
    """The newest libvirt: all its rows, and those that are drawn, by the number of devices."""

    release: str
    rows: tuple[LiveRow, ...]
    shown: tuple[LiveRow, ...]


def data(sources: Sources) -> Today | None:
    """The rows of the highest release that have both sides, of the task with most of them."""
    both = [row for row in live_rows(sources) if row.gain is not None]
    if not both:
        return None
    newest = max((row.release for row in both), key=_version)
    own = [row for row in both if row.release == newest]
    tasks = [row.task for row in own]
    own = [row for row in own if row.task == max(dict.fromkeys(tasks), key=tasks.count)]
    own.sort(key=lambda row: (row.devices, row.scenario))
    return Today(newest, tuple(own), _chosen(own))


def content(value: Today) -> Content:
    """The domain that would gain most, and the largest of another kind."""
    best, other = _best(value.rows)
    finding = (
        f"libvirt {value.release} looks up {best.lookups} times to {task_name(best.task)}"
        f" {_said(best)} and takes {duration(best.seconds)}; {_gain(best)}"
    )
    if other is not None:
        finding += f", {_said(other)} {_short(other)}"
    rows = tuple(
        (
            row.domain,
            str(row.devices),
            str(row.lookups),
            duration(row.seconds),
            "-" if row.seconds_once is None else duration(row.seconds_once),
            *(("-", "-", "-") if row.gain is None
              else (times(row.gain.ratio), sure_interval(row.gain), str(row.gain.pairs))),
        )
        for row in value.rows
    )  # fmt: skip
    headings = (
        *("domain", "devices", "lookups", "time as it is", "looking up once"),
        *("times as fast", "95 % interval", "pairs"),
    )
    return Content(
        finding + ".",
        description="A bar a domain, its length the time as it is, the part that one lookup leaves apart: "
        + "; ".join(
            f"{domain_name(row.scenario, row.n)} {duration(row.seconds)}, {paired(row.gain)} times as fast"
            for row in value.shown
            if row.gain is not None
        ),
        notes=(_why(value), _how_sure(value)),
        commands=(
            Typed("Your own guest as a file", "virsh dumpxml --inactive NAME > guest.xml"),
            Typed("The same for it, on your own libvirt", "qcaps live whatif guest.xml"),
            Typed("Only count its lookups", "qcaps live count guest.xml"),
        ),
        tables=(Table(f"Every domain on libvirt {value.release}", headings, rows, left=("domain",)),),
    )


def draw(value: Today, figure: Figure) -> None:
    """The whole time, and of it what would be left; the gain in words."""
    narrow = is_narrow(figure)
    rows = value.shown
    entries = [
        ("left, looking up once", Patch(facecolor=BLUE)),
        ("goes: the lookups after the first", Patch(facecolor=PALE)),
    ]
    names = [f"{domain_name(row.scenario, row.n)} ({row.devices} devices)" for row in rows]
    left = 0.15 if narrow else min(0.078 * max(map(len, names)) + 0.1, 3.2)
    columns = 1 if narrow else 2
    margins = Spacing(left=left, right=0.2, head=0.16 + 0.2 * (2 // columns), title=0.0, bottom=0.48)
    ((axes,),) = panels(figure, 1, 1, (0.5 if narrow else 0.31) * len(rows) + 0.1, margins)
    legend(figure, entries, columns)
    longest = max(row.seconds for row in rows) * _MILLI
    for place, row in enumerate(rows):
        assert row.gain is not None, "only rows with both sides are kept"
        whole = row.seconds * _MILLI
        rest = whole / row.gain.ratio
        words = f"{paired(row.gain)} times as fast"
        told = f"{names[place]}: {row.lookups} lookups, {duration(row.seconds)}; {words}"
        height = 0.42 if narrow else 0.6
        hover(axes.barh(place, whole, height=height, color=PALE, linewidth=0), [told])
        hover(axes.barh(place, rest, height=height, color=BLUE, linewidth=0), [told])
        if narrow:
            axes.text(0, place - 0.27, f"{names[place]}: {words}", va="bottom", ha="left", fontsize=8)
        elif whole > longest * 0.62:
            axes.text(whole - longest * 0.01, place, words, va="center", ha="right", fontsize=8.5)
        else:
            axes.text(whole + longest * 0.01, place, words, va="center", ha="left", fontsize=8.5)
    axes.set_yticks([] if narrow else range(len(rows)), [] if narrow else names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(rows) - 0.45, -0.65 if narrow else -0.55)
    axes.set_xlim(0, longest * 1.02)
    axes.set_xlabel(f"time of a {task_name(rows[0].task)} on libvirt {value.release} (ms)")


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def _chosen(rows: list[LiveRow]) -> tuple[LiveRow, ...]:
    """An empty domain, and the middle and the largest of each kind of device."""
    families: dict[str, list[LiveRow]] = {}
    for row in rows:
        families.setdefault(row.scenario, []).append(row)
    usual = {name: own for name, own in families.items() if name.partition("@")[0] == name} or families
    picked: list[LiveRow] = []
    for own in usual.values():
        grown = [row for row in own if row.n]
        picked += {id(row): row for row in (*grown[len(grown) // 2 :][:1], *grown[-1:])}.values()
        picked += [row for row in own if not row.n and not any(one.n == 0 for one in picked)]
    picked = sorted(picked, key=lambda row: (row.devices, row.scenario))
    return tuple(picked[-_MOST_BARS:])


def _best(rows: tuple[LiveRow, ...]) -> tuple[LiveRow, LiveRow | None]:
    """The greatest gain; and of the other kinds of domain the largest, if it is no smaller a domain."""
    sure = [row for row in rows if row.gain is not None and row.gain.pairs >= FEWEST_PAIRS] or list(rows)
    best = max(sure, key=lambda row: row.gain.ratio if row.gain else 0.0)
    others = [row for row in sure if row.scenario != best.scenario]
    return best, max(others, key=lambda row: row.devices, default=None)


def _said(row: LiveRow) -> str:
    return f"{domain_name(row.scenario, row.n)} ({row.devices} devices)"


def _gain(row: LiveRow) -> str:
    assert row.gain is not None, "only rows with both sides are kept"
    if too_few(row.gain):
        return f"{count(row.gain.pairs, 'pair')}: too few to say what looking up once would buy"
    if row.gain.low <= 1 <= row.gain.high:
        return "that looking up once would make it faster cannot be told"
    return f"looking up once would make that {_short(row)}"


def _short(row: LiveRow) -> str:
    if row.gain is None:
        return ""
    return f"{times(row.gain.ratio)} times as fast [{sure_interval(row.gain)}]"


def _why(value: Today) -> str:
    row = _best(value.rows)[0]
    each = ""
    if row.gain is not None and not too_few(row.gain) and row.gain.low > 1 and row.lookups > 1:
        saved = row.seconds * (1 - 1 / row.gain.ratio)
        each = f", here {duration(saved / (row.lookups - 1))} each"
    return (
        f"Each lookup asks the same question, whether the cached capabilities of the QEMU binary still hold,"
        f" and pays for it with system calls{each}: {row.lookups} times for {count(row.devices, 'device')},"
        " where once per task would do."
    )


def _how_sure(value: Today) -> str:
    pairs = [row.gain.pairs for row in value.rows if row.gain is not None]
    most = str(max(pairs)) if min(pairs) == max(pairs) else f"{min(pairs)} to {max(pairs)}"
    dates = sorted({row.date[:10] for row in value.rows if row.date})
    on = "; ".join(dict.fromkeys(row.machine for row in value.rows if row.machine))
    lows = [row.gain for row in value.rows if row.gain is not None and not too_few(row.gain)]
    slower = sum(one.low <= 1 for one in lows)
    told = ""
    if len(lows) > 1:
        least, most_gain = min(one.ratio for one in lows), max(one.ratio for one in lows)
        holds = f"{slower} of the intervals hold 1" if slower else "none of the intervals holds 1"
        told = f"; {count(len(lows), 'domain')} gain {interval(least, most_gain)} times, and {holds}"
    return (
        f"How sure: [ ] are 95 % intervals, from {most} pairs a domain, both sides timed in turn{told}."
        f" Measured {' and '.join(dates) or 'at an unknown time'} on {on or 'an unknown machine'}. libvirt's"
        " code is unmodified: a library put before it counts, and to look up once answers the later lookups"
        " of a task with what the first one found. Ratios carry over to other machines better than times."
    )
