"""The doctors of many hosts in one table: a check a row, a host a column, and below it what each warns of."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from qcaps.commands.doctor.finding import Finding
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from qcaps.measure.cluster.connection import Cluster

_MOST_COLUMNS = 6
Examined = dict[str, tuple[Finding, ...]]


def examine(cluster: Cluster) -> Examined:
    """What each host's doctor finds, while nothing else is measured there. Raises QcapsError."""
    sent = {
        cluster.submit("command", {"arguments": ["doctor", "--json"]}, host): host for host in cluster.hosts
    }
    found: dict[str, tuple[Finding, ...]] = {}
    while sent:
        for future in cluster.first_of(sent):
            if (answer := cluster.answer(future)) is not None:
                host = sent.pop(future)
                found[host] = _findings(host, answer)
    return {host: (*_versions(host, cluster), *found[host]) for host in sorted(found)}


def _versions(host: str, cluster: Cluster) -> Iterator[Finding]:
    """What must be the same on all hosts, held against this command's."""
    from qcaps.measure.cluster.host import identity

    here = identity()
    for what, value in cluster.hosts[host].items():
        if what != "host":
            ok = value == here[what]
            text = value if ok else f"{value}, here {here[what]}"
            yield Finding(
                f"same {what}", ok, text, "" if ok else "install one version everywhere; restart it"
            )


def _findings(host: str, answer: Mapping[str, object]) -> tuple[Finding, ...]:
    try:
        return tuple(Finding(**one) for one in json.loads(str(answer["said"]))["findings"])
    except (ValueError, LookupError, TypeError):
        said = str(answer["said"]).strip().splitlines()[-1:]
        raise QcapsError(f"host {host}: its doctor failed: {' '.join(said) or 'no word'}") from None


def tables(found: Examined) -> Iterator[Table]:
    """One table, or several where there are more hosts than fit in a line."""
    from rich.table import Table  # 50 ms

    hosts = list(found)
    for start in range(0, len(hosts), _MOST_COLUMNS):
        some = hosts[start : start + _MOST_COLUMNS]
        drawn = Table(box=None, pad_edge=False, header_style="bold")
        drawn.add_column("check", no_wrap=True)
        for host in some:
            drawn.add_column(host, overflow="fold")
        for name in dict.fromkeys(one.name for host in hosts for one in found[host]):
            drawn.add_row(name, *(_mark(name, found[host]) for host in some))
        yield drawn


def _mark(name: str, findings: Sequence[Finding]) -> str:
    return next(("ok" if one.ok else "warn" for one in findings if one.name == name), "-")


def warnings(found: Examined) -> Iterator[tuple[str, Finding]]:
    """Each warning once, with the hosts that have it."""
    having: dict[Finding, list[str]] = defaultdict(list)
    for host, findings in found.items():
        for one in findings:
            if not one.ok:
                having[one].append(host)
    for one, hosts in having.items():
        yield ", ".join(hosts), one
