"""The results file that `qcaps live time` and `whatif` can leave."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from qcaps.commands.measuring import check_new
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from qcaps.commands.live.cells import LiveCell
    from qcaps.live.counting.meter import Cost
    from qcaps.live.host.libvirt_process import LibvirtProcess

    Calls = Sequence[Cost]


def keeper(args: argparse.Namespace, subject: LibvirtProcess) -> Callable[[LiveCell, Calls, Calls], None]:
    """What adds the calls of a cell, as it is and with one lookup, to the results file that was asked for.

    The first call of each is its warm-up.
    """
    if args.output is None:
        return lambda _cell, _as_is, _once: None
    from qcaps.live.host.setup import a_cpu
    from qcaps.lookups import libvirt_laws  # lxml
    from qcaps.measure.cell import Cell as Compared
    from qcaps.measure.results import live as live_results  # numpy, pyperf
    from qcaps.measure.results import results_file as results
    from qcaps.measure.results.session import session_facts

    kept = results.Results(())
    memory = Path("/dev/shm")  # noqa: S108  # only its speed is asked; as root, libvirt writes to memory too
    session = session_facts(memory if os.geteuid() == 0 and memory.is_dir() else Path(gettempdir()))
    session |= {
        "libvirt_version": subject.installation.version_name,
        "counted_by": subject.counted_by,
        "cpu_affinity": str(a_cpu()),
    }

    def keep(cell: LiveCell, as_is: Calls, once: Calls) -> None:
        nonlocal kept
        scenario, n, task, xml = cell
        done = subject.run(task, xml)
        answer = done.capabilities if task == "capabilities" else done.xml
        expected = libvirt_laws.lookups(task, answer)
        facts = session if expected is None else {**session, "law": expected}
        for policy, costs in (
            (live_results.policy_of(subject.installation), as_is),
            (live_results.ONCE, once),
        ):
            if costs:
                name = "daemon" if args.daemon else "embedded"
                made = Compared(scenario, n, task, live_results.VALIDITY, policy, name, args.seed)
                kept = results.add(kept, [live_results.measured(made, done.xml, costs, facts)])
        results.write(args.output, kept)

    return keep


def check_output(file: Path | None, *, force: bool) -> None:
    """Raise UsageError before anything is measured."""
    check_new(file, force=force)
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise UsageError(f"--output {file}: {file.parent} is no folder that may be written in")
