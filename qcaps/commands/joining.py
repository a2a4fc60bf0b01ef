"""`--on`: the hosts of a Dask scheduler, in place of this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.terminal import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from qcaps.measure.cluster.connection import Cluster

ANYWHERE = "the hosts of a scheduler"
"""Stands for the host in what makes two plans one: who takes part may change."""


@contextmanager
def joined(
    args: argparse.Namespace, subjects: Iterable[str] = (), *, alike: bool = True
) -> Iterator[Cluster]:
    """The cluster that was named; if `alike`, its hosts have one version of all, `subjects` included."""
    from qcaps.measure.cluster.connection import Access, connected, is_open  # `--help` need not pay for it
    from qcaps.measure.subject import is_libvirt

    access = Access(args.on, args.tls_ca, args.tls_cert, args.tls_key)
    if is_open(access):
        say(f"warning: {args.on}: whoever reaches this scheduler can run anything on its hosts: use tls://")
    libvirts = [subject for subject in dict.fromkeys(subjects) if is_libvirt(subject)]
    with connected(access, libvirts, alike=alike) as cluster:
        yield cluster
