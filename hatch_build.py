"""Puts into a wheel what only its checkout knows: completions, man pages (made from the parsers), the commit.

An installed qcaps has no repository to ask which commit it is (`qcaps/measure/results/session.py` reads it).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT = "qcaps/_commit.txt"


class ShellFilesHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there when a wheel is built
    """Shell files lie in `share/`, below the prefix of the environment that the wheel is installed in."""

    PLUGIN_NAME = "custom"
    _folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is written; an editable one has none, since it changes with its source."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="qcaps-shell-files-"))
        paths = [self.root, str(Path(self.root, "docs"))]
        sys.path[:0] = paths
        try:
            import shell_files  # type: ignore[import-not-found]  # in docs/

            written = shell_files.write(self._folder)
        finally:
            del sys.path[: len(paths)]
        build_data["shared_data"] |= {str(file): path for path, file in written.items()}
        if commit := _commit(Path(self.root)):
            file = self._folder / "commit.txt"
            file.write_text(commit, encoding="utf-8")
            build_data["force_include"][str(file)] = COMMIT

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After it."""
        del version, build_data, artifact_path
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _commit(root: Path) -> str:
    """The commit of the checkout, `+` after it if files differ; "" without its own repository, or git."""
    if not (root / ".git").exists():
        return ""
    try:
        head, changed = (
            subprocess.run(
                ["git", *words], cwd=root, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+" if changed else "")
