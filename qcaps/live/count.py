"""How often a real libvirt looks up, held against the law."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qcaps.lookups import libvirt_laws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.live.host.libvirt_process import LibvirtProcess

STORM = (
    "every lookup probes QEMU again: /dev/kvm is usable by root but not by the QEMU user; "
    "give the user libvirt-qemu read and write permission on /dev/kvm"
)
"""What forks mean in a task that starts nothing, when the same one has just been done."""

RUNS_TO_SETTLE = 6
"""How often a task is run at most until its counts repeat."""

UNSETTLED = f"the counts of a task never repeated in {RUNS_TO_SETTLE} runs: the last one is shown"

_STARTS_NOTHING = ("define", "define-validated", "redefine", "dumpxml-cpu", "domcapabilities")


@dataclass(frozen=True)
class Count:
    """One task on one domain of a scenario. `law` is None where there is none, counts where not known.

    `devices` are those of the resulting domain; `error` is libvirt's where it refused. `settled` says
    whether the counts repeated.
    """

    scenario: str
    n: int
    task: str
    devices: int | None = None
    lookups: int | None = None
    law: int | None = None
    forks: int | None = None
    sites: Mapping[str, int] = field(default_factory=dict)
    syscalls: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    settled: bool = True

    @property
    def verdict(self) -> str:
        """Whether this libvirt keeps the law: equal, more, fewer, refused, or no law."""
        if self.error is not None:
            return "refused"
        if self.lookups is None or self.law is None:
            return "no law"
        return "equal" if self.lookups == self.law else "more" if self.lookups > self.law else "fewer"

    @property
    def storm(self) -> bool:
        """Whether a task that has no reason to fork forked although all was known."""
        return self.task in _STARTS_NOTHING and self.settled and bool(self.forks)


def count(
    subject: LibvirtProcess, scenario: str, n: int, task: str, xml: str, *, syscalls: bool = False
) -> Count:
    """Run `task` on the domain `xml` until two runs in a row count alike, and take the second of them.

    What a libvirt finds out only once (the capabilities, whether KVM can be used) may be found out in the
    second run as well as in the first. With `syscalls` once more, watched.
    """
    done = subject.run(task, xml)
    settled = False
    for _ in range(RUNS_TO_SETTLE - 1):
        if settled or not done.accepted:
            break
        before, done = done, subject.run(task, xml)
        settled = (done.lookups, done.forks) == (before.lookups, before.forks)
    if not done.accepted:
        return Count(scenario, n, task, error=done.error)
    answer = done.capabilities if task == "capabilities" else done.xml
    return Count(
        scenario,
        n,
        task,
        devices=libvirt_laws.devices(done.xml) if done.xml else None,
        lookups=done.lookups,
        law=libvirt_laws.lookups(task, answer, subject.installation.nearest.release),
        forks=done.forks,
        sites=done.sites,
        syscalls=subject.syscalls(task, xml) if syscalls else {},
        settled=settled,
    )
