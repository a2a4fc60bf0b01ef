"""The actions of `qcaps live`."""

from __future__ import annotations

import json
import os
import random
import shutil
import time as clock
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from qcaps.commands._live_output import Cell, facts, finish, print_table, said, with_progress
from qcaps.commands._measuring import check_new, say
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from qcaps.live.counting.meter import Cost
    from qcaps.live.host.process import Counting, LibvirtProcess

    Calls = Sequence[Cost]

PARSING = ("define", "define-validated", "redefine", "createXML", "xmlToNative", "attach", "detach", "update")
"""Tasks that can look up once a domain parse."""


def count(args: argparse.Namespace) -> int:
    from qcaps.live.count import STORM, count  # `--help` need not pay for lxml

    cells = cells_of(args)
    if args.syscalls and (args.daemon or args.uri):
        raise UsageError("--syscalls watches the embedded driver only: leave out --daemon and --uri")
    with subject_of(args, args.counting) as subject:
        counts = [count(subject, *cell, syscalls=args.syscalls) for cell in with_progress(cells)]
        about = facts(subject)
    rows = [
        {
            **asdict(one),
            "verdict": one.verdict,
            "storm": one.storm,
            "system_calls": sum(one.syscalls.values()) if one.syscalls else None,
        }
        for one in counts
    ]
    columns: tuple[str, ...] = ("scenario", "n", "task", "devices", "lookups", "law", "forks")
    if args.json:
        print(json.dumps({**about, "counts": rows}, indent=2))
    else:
        print_table(about, rows, (*columns, *(("system_calls",) if args.syscalls else ()), "verdict"))
    for one in counts:
        if one.error is not None:
            say(f"{one.scenario} -n {one.n} {one.task}: {one.error}")
    more = [one for one in counts if one.verdict == "more"]
    if more:
        say(
            f"libvirt {about['libvirt']} looks up more often than the law: {len(more)} of {len(counts)} cells"
        )
    if any(one.storm for one in counts):
        say(f"warning: {STORM}")
    return 1 if more or any(one.error is not None for one in counts) else 0


def time(args: argparse.Namespace) -> int:
    from statistics import median  # 10 ms that `--help` need not pay

    rows = []
    cells, runs = cells_of(args), runs_of(args)
    _check_output(args.output, force=args.force)
    with subject_of(args, "interposer") as subject:
        keep = keeper(args, subject)
        for scenario, n, task, xml in with_progress(cells):
            warmup = subject.costs(task, xml)
            costs = subject.costs(task, xml, [False] * runs)
            keep((scenario, n, task, xml), (*warmup, *costs), ())
            ns = median(cost.ns for cost in costs)
            in_lookups = median((cost.lookup_ns or 0) / cost.ns for cost in costs)
            lookups = costs[-1].lookups
            rows.append({
                "scenario": scenario, "n": n, "task": task, "lookups": lookups, "seconds": ns / 1e9,
                "share_of_lookups": in_lookups,
                "seconds_a_lookup": in_lookups * ns / 1e9 / lookups if lookups else None,
                "runs": runs,
            })  # fmt: skip
        about = facts(subject)
    return finish(args, about, "times", rows)


def whatif(args: argparse.Namespace) -> int:
    from statistics import median

    from qcaps.measure.statistics import paired_ratio  # numpy

    rows = []
    _check_parsing(args.task)
    cells, runs = cells_of(args), runs_of(args)
    _check_output(args.output, force=args.force)
    order = _interleaved(runs, args.seed)
    with subject_of(args, "interposer") as subject:
        keep = keeper(args, subject)
        for scenario, n, task, xml in with_progress(cells):
            warmups = subject.costs(task, xml, [False, True])
            costs = list(zip(order, subject.costs(task, xml, order), strict=True))
            as_is = [cost for once, cost in costs if not once]
            once = [cost for once, cost in costs if once]
            _check_spared(as_is[-1], once[-1])
            keep((scenario, n, task, xml), (warmups[0], *as_is), (warmups[1], *once))
            ratio = paired_ratio([one.ns for one in as_is], [one.ns for one in once])
            rows.append({
                "scenario": scenario, "n": n, "task": task,
                "lookups": as_is[-1].lookups, "lookups_once": once[-1].lookups,
                "seconds": median(one.ns for one in as_is) / 1e9,
                "seconds_once": median(one.ns for one in once) / 1e9,
                "speedup": ratio.ratio, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs,
            })  # fmt: skip
        about = facts(subject)
    return finish(args, about, "speedups", rows)


def keeper(args: argparse.Namespace, subject: LibvirtProcess) -> Callable[[Cell, Calls, Calls], None]:
    """What adds the calls of a cell, as it is and with one lookup, to the results file that was asked for.

    The first call of each is its warm-up.
    """
    if args.output is None:
        return lambda _cell, _as_is, _once: None
    from qcaps.live.host.setup import a_cpu
    from qcaps.lookups import law  # lxml
    from qcaps.measure.cell import Cell as Question
    from qcaps.measure.results import file as results
    from qcaps.measure.results import live as live_results  # numpy, pyperf
    from qcaps.measure.results.session import session_facts

    kept = results.Results(())
    memory = Path("/dev/shm")  # noqa: S108  # only its speed is asked; as root, libvirt writes to memory too
    session = session_facts(memory if os.geteuid() == 0 and memory.is_dir() else Path(gettempdir()))
    session |= {
        "libvirt_version": subject.installation.version_name,
        "counted_by": subject.counted_by,
        "cpu_affinity": str(a_cpu()),
    }

    def keep(cell: Cell, as_is: Calls, once: Calls) -> None:
        nonlocal kept
        scenario, n, task, xml = cell
        done = subject.run(task, xml)
        answer = done.capabilities if task == "capabilities" else done.xml
        expected = law.lookups(task, answer)
        facts = session if expected is None else {**session, "law": expected}
        for policy, costs in (
            (live_results.policy_of(subject.installation), as_is),
            (live_results.ONCE, once),
        ):
            if costs:
                name = "daemon" if args.daemon else "embedded"
                made = Question(scenario, n, task, live_results.VALIDITY, policy, name, args.seed)
                kept = results.add(kept, [live_results.measured(made, done.xml, costs, facts)])
        results.write(args.output, kept)

    return keep


def probe(args: argparse.Namespace) -> int:
    from qcaps.capabilities import cachefile  # lxml
    from qcaps.capabilities.probe import probe
    from qcaps.live.comparison import differences

    binary = os.path.abspath(shutil.which(args.binary) or args.binary)  # noqa: PTH100 - symbolic links are kept
    start = clock.perf_counter()
    ours = probe(binary)
    seconds = clock.perf_counter() - start
    with subject_of(args, "interposer") as subject:
        cost, text = subject.probe(binary)
        about = facts(subject)
    found = differences(
        ours, cachefile.parse(text.encode(), f"libvirt's cache file of {binary}").capabilities
    )
    answer = {
        **about,
        "binary": binary,
        "seconds": seconds,
        "libvirt_seconds": cost.ns / 1e9,
        "flags": len(ours.flags),
        "machines": {one.name: len(one.machines) for one in ours.accelerators},
        "cpus": {one.name: len(one.cpus) for one in ours.accelerators},
        "differences": found,
    }
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        counts = ", ".join(
            f"{len(one.machines)} machine types and {len(one.cpus)} CPU models ({one.name})"
            for one in ours.accelerators
        )
        print(f"{binary}: {len(ours.flags)} flags, {counts}")
        print(f"our probe {seconds:.3f} s, libvirt's {cost.ns / 1e9:.3f} s; {len(found) or 'no'} differences")
        print("".join(f"{line}\n" for line in found) + said(about))
    return 1 if found else 0


def cells_of(args: argparse.Namespace) -> list[Cell]:
    """Every combination; raises UsageError before anything is started."""
    from qcaps.live.tasks import TASKS  # lxml
    from qcaps.scenario import scenario

    for task in args.task:
        if task not in TASKS:
            raise UsageError(f"no task {task!r}: choose from {', '.join(TASKS)}")
    return [
        (name, n, task, scenario(name, args.content).xml(n, args.seed))
        for name in args.scenario
        for n in args.n
        for task in args.task
    ]


def runs_of(args: argparse.Namespace) -> int:
    if args.runs < 1:
        raise UsageError(f"--runs {args.runs}: expected at least 1")
    runs: int = args.runs
    return runs


def _check_output(file: Path | None, *, force: bool) -> None:
    check_new(file, force=force)
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise UsageError(f"--output {file}: {file.parent} is no folder that may be written in")


def _check_parsing(tasks: list[str]) -> None:
    for task in tasks:
        if task not in PARSING:
            raise UsageError(f"{task} parses no domain: choose from {', '.join(PARSING)}")


def _check_spared(as_is: Cost, once: Cost) -> None:
    from qcaps.live.errors import LiveError

    if not as_is.phases["parse"][0]:
        raise LiveError(
            "one lookup a task cannot be tried on this libvirt: it binds its own calls when it is linked "
            "(-Bsymbolic-functions)"
        )
    if not once.answered:
        raise LiveError("this libvirt looks up once already: there is nothing to spare")


def _interleaved(pairs: int, seed: int) -> list[bool]:
    """As it is and once, `pairs` of each; which comes first in a pair is drawn."""
    draw = random.Random(seed)
    return [once for _ in range(pairs) for once in draw.sample((False, True), 2)]


@contextmanager
def subject_of(args: argparse.Namespace, counting: Counting | None) -> Iterator[LibvirtProcess]:
    with open_subject(args, counting) as subject:
        yield subject
        if subject.fallback:
            say(f"counted by the {subject.counted_by}: {subject.fallback}")


def open_subject(args: argparse.Namespace, counting: Counting | None) -> LibvirtProcess:
    from qcaps.live.host.daemon import PrivateDaemon, RunningDaemon  # lxml, subprocess
    from qcaps.live.host.embedded import Embedded

    if args.uri is None:
        return (PrivateDaemon if args.daemon else Embedded)(counting, args.libvirt)
    if args.daemon:
        raise UsageError("--daemon starts one of its own: choose it or --uri")
    ours = "/session" in args.uri and os.geteuid() != 0  # root's session is the system's
    if not args.yes and not ours:
        raise UsageError(f"{args.uri} may serve others: --yes says that this is known")
    if counting == "interposer":
        raise UsageError("a running daemon can be counted by its log or by uprobes only")
    return RunningDaemon(args.uri, args.libvirt, counting)
