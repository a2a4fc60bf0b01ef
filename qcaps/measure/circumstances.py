"""What of this machine and this interpreter bends times: recorded in results, said first by a gate."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.measure.worker.chance import why_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.measure.results.results_file import Metadata

OPTIMISED, PLAIN, UNKNOWN = "optimised", "without optimisations", "unknown"
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STEADY = ("performance",)


def facts() -> Metadata:
    """Metadata: how the interpreter is built, and where the kernel says so the governor and a quota."""
    found = {"python_build": python_build(), "governor": _read(_GOVERNOR), "cpu_quota": quota()}
    return {name: value for name, value in found.items() if value}


def python_build() -> str:
    """Whether this interpreter was built with profile-guided optimisation, as distributions build theirs.

    pyenv builds without: everything that is Python's takes longer there, and what libvirt does in C does not.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS")
    if not isinstance(arguments, str):
        return UNKNOWN
    return OPTIMISED if "--enable-optimizations" in arguments else PLAIN


def quota() -> str:
    """The share of the processors that a control group allows us; "" where there is no limit."""
    limit, _, period = _read(_QUOTA).partition(" ")
    return f"{int(limit) / int(period):.2g} CPUs" if limit.isdecimal() and period.isdecimal() else ""


def warnings() -> Iterator[str]:
    """What makes a gate here less precise than it could be, and what to do about it."""
    if len(os.sched_getaffinity(0)) == 1:
        yield "one CPU: what times shares it with what starts the next pair; give it two"
    if reason := why_random():
        yield f"memory layouts are left to the kernel ({reason[0]}), pairs scatter more: {reason[1]}"
    if limit := quota():
        yield f"a control group allows {limit}: calls are stopped in the middle; raise cpu.max"
    governor = _read(_GOVERNOR)
    if governor and governor not in _STEADY:
        yield f"the frequency governor is {governor}: set performance (cpupower frequency-set -g performance)"
    if python_build() == PLAIN:
        yield "this Python was built without optimisations: ratios hold for it, times are longer"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
