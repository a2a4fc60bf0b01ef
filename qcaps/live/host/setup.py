"""How a process that holds libvirt is to be: its first line of input."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Setup:
    """`folder` is the process's own; `counting` is interposer, log, uprobes or none,
    `shim` the interposer's file.

    `daemon` is a program to start and talk to, `uri` a daemon that runs; with neither, the driver is
    embedded. `library` and `driver` are the libvirt it is about, `cpu` the one CPU it runs on.
    `settings` is where that program looks for its configuration, `state` where it keeps what it knows,
    `admin` the virt-admin to change a daemon's log with, if not the system's. `temporary` says that the
    folder is on the host, and goes when the process does. `known`, unless empty, is the folder with what
    libvirts like it have found out about QEMU, and is to hold what this one finds out.
    `most_memory`, if any, is how many bytes the process and what it starts may each address.
    """

    folder: str
    counting: str
    shim: str
    library: str
    cpu: int
    daemon: str = ""
    uri: str = ""
    temporary: bool = False
    driver: str = ""
    settings: str = "/etc"
    state: str = "/var"
    admin: str = ""
    known: str = ""
    most_memory: int = 0


def a_cpu() -> int:
    """One that we may use, always the same: libvirt probes again where the CPU says something else."""
    return max(os.sched_getaffinity(0))
