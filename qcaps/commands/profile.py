"""`qcaps profile`: where one cell's time goes, as exact spans and as a sampled call tree."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from qcaps.commands.measuring import scratch_place
from qcaps.commands.naming import add_domains, add_subject, domains_of, subjects_of
from qcaps.commands.options import add_options, folder, print_json
from qcaps.commands.terminal import note
from qcaps.errors import QcapsError, UsageError
from qcaps.units import duration

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.subject import PreparedCell

PERFETTO, SPEEDSCOPE = "trace.json", "spans.speedscope.json"
CALLS, SAMPLES = "calls.txt", "samples.speedscope.json"
_MICRO = 1e-6
INSTALL = "pip install 'qcaps[profile]'"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Run one task and write what it does when: phases, lookups and forks as exact spans (Perfetto and\n"
        "speedscope), and with pyinstrument installed a sampled call tree (text and speedscope)."
    )
    parser.add_argument("what", nargs="?", metavar="WHAT", help="a scenario or a domain file, in its place")
    add_domains(parser)
    add_subject(parser)
    add_options(
        parser,
        "content",
        "n",
        "json",
        scenario="simple",
        task="define",
        policy="naive",
        validity="fork",
        seconds=1.0,
        seed=0,
        output=folder("qcaps-profile"),
    )
    parser.epilog = "Example: qcaps profile --scenario disks -n 64 --policy naive --validity fork"


def run(args: argparse.Namespace) -> int:
    """Trace and sample the cell; print the parts of its time."""
    from qcaps.files import held, scratch_folder  # `--help` need not pay for the pipeline
    from qcaps.measure.cell import Cell
    from qcaps.measure.subject import is_libvirt, subject
    from qcaps.measure.worker.trace import Parted

    (on,) = subjects_of([args.subject], yes=args.yes)
    domains, names = domains_of([args.what or args.scenario], args)
    if len(names) != 1:
        raise UsageError(f"{args.what}: {len(names)} domains: name one of them")
    n = args.n if args.n is not None else domains.get(names[0]).steps[0]
    policy, validity = (
        ("stock", "ctime") if is_libvirt(on) and args.policy == "naive" else (args.policy, args.validity)
    )
    cell = Cell(names[0], n, args.task, validity, policy, on, args.seed)
    xml = domains.get(names[0]).xml(n, args.seed).encode()
    with held(args.output) as output, scratch_folder(scratch_place(None)) as scratch:
        arm = subject(cell.subject).prepare(cell, xml, scratch)
        if isinstance(arm, Parted):
            found, written = arm.parts(), []
        else:
            found = _spans(arm, cell, output)
            written = [PERFETTO, SPEEDSCOPE, *_samples(arm, args.seconds, output)]
        arm.close()
    if args.json:
        parts = {name: found[name] for name in ("total", "runs", "parts")}
        print_json("profile", {"cell": cell.name, **parts, "files": [str(output / name) for name in written]})
        return 0
    runs = f"{found['runs']} runs" if found["runs"] != 1 else "one run"
    print(f"{cell.name}: {duration(found['total'] * _MICRO)} (median of {runs}, observed)")
    for name, microseconds in sorted(found["parts"].items(), key=lambda part: -part[1]):
        print(f"  {duration(microseconds * _MICRO):>8}  {microseconds / found['total']:>4.0%}  {name}")
    if written:
        print(f"{output}: {', '.join(written)}")
    else:
        note("a libvirt says how long each phase takes, and not when: no spans, no call tree")
    return 0


def _spans(arm: PreparedCell, cell: Cell, output: Path) -> dict[str, Any]:
    """Write the exact spans of one run; the median parts of a few, in microseconds."""
    from qcaps.files import replace_file
    from qcaps.measure.worker.trace import Traceable, trace
    from qcaps.report import spans

    if not isinstance(arm, Traceable):
        raise QcapsError(f"{cell.name}: subject {cell.subject!r} does not say what it does")
    found = trace(arm, most_spans=sys.maxsize)
    traces = {cell.name: spans.from_plain(found)}
    for name, text in ((PERFETTO, spans.to_perfetto(traces)), (SPEEDSCOPE, spans.to_speedscope(traces))):
        replace_file(output / name, text)
    return found


def _samples(arm: PreparedCell, seconds: float, output: Path) -> list[str]:
    """A sampled call tree of as many runs as fit, if pyinstrument is there."""
    if importlib.util.find_spec("pyinstrument") is None:
        note(f"no call tree: pyinstrument is not installed ({INSTALL})")
        return []
    from time import monotonic

    import pyinstrument
    from pyinstrument.renderers import SpeedscopeRenderer

    from qcaps.files import replace_file

    profiler: Any = pyinstrument.Profiler(interval=0.0005)
    end = monotonic() + seconds
    with profiler:
        while monotonic() < end:
            arm.run()
            arm.reset()
    # an installed qcaps is a library to pyinstrument, which hides those; it is what we came to see
    shown = {"show_regex": r".*/qcaps/.*"}
    texts = {
        CALLS: profiler.output_text(unicode=True, processor_options=shown),
        SAMPLES: _by_schema(profiler.output(SpeedscopeRenderer())),
    }
    for name, text in texts.items():
        replace_file(output / name, text)
    return list(texts)


def _by_schema(text: str) -> str:
    """What the renderer wrote, without the empty fields that speedscope's schema does not have."""
    import json

    return json.dumps(json.loads(text, object_hook=_without_none))


def _without_none(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if value is not None}
