"""Every lookup of one task, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from qcaps.errors import unknown
from qcaps.library.driver import Driver

if TYPE_CHECKING:
    from qcaps.library.driver import DriverOptions
    from qcaps.library.guests import Guest
    from qcaps.library.outcome import NamedLookup, Outcome
    from qcaps.lookups.policy import Policy

TASKS = ("define", "start", "createXML")


def explain(
    guest: Guest, policy: str | Policy = "naive", *, task: str = "define", **driver: Unpack[DriverOptions]
) -> tuple[NamedLookup, ...]:
    """Every lookup of one task on a domain, in order::

        for lookup in qcaps.explain("guest.xml", policy="naive"):
            print(lookup.number, lookup.site, lookup.device)

    Args:
        guest: a path, or libvirt's XML as text or bytes.
        policy: which steps share a lookup, as in `Driver`.
        task: `define`, `start` or `createXML`.
        driver: what else `Driver` takes: `validity`, `release`, `capabilities` …

    Raises what `Driver` and its tasks raise, and UsageError for another task.
    """
    check_task(task)
    with Driver(policy, **driver) as one:
        return outcome_of(one, guest, task).explained


def check_task(task: str) -> None:
    """Raise UsageError for a task that cannot be explained."""
    if task not in TASKS:
        raise unknown("task", task, TASKS)


def outcome_of(driver: Driver, guest: Guest, task: str) -> Outcome:
    """What a task on a guest does; a start's domain is defined first."""
    if task == "createXML":
        return driver.create_xml(guest)
    done = driver.define(guest)
    return driver.start(done.name) if task == "start" else done
