"""Repositories of a test's own, by the user's own git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BUILD = (
    'd="$QCAPS_PREFIX/lib/x/libvirt/connection-driver"; mkdir -p "$d"; '
    'cp -P /usr/lib/*/libvirt.so.0* "$QCAPS_PREFIX/lib/x"; '
    'cp /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so "$d"'
)
"""Installs the system's libvirt once more: a real one, built in no time."""


def git(folder: Path, *arguments: str | Path) -> str:
    """The user's own git: with hooks and filters, and not by way of qcaps."""
    settings = ("user.name=n", "user.email=e", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *(word for one in settings for word in ("-c", one)), "-C", str(folder), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GIT_EDITOR": "true", "GIT_CONFIG_GLOBAL": os.devnull},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    """Write a file, commit it, and return the commit."""
    if not (folder / ".git").exists():
        folder.mkdir(exist_ok=True)
        git(folder, "init", "-qb", "main")
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"{name}: {text:.40}")
    return git(folder, "rev-parse", "HEAD")
