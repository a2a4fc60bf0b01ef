"""Puts completions for bash, zsh and fish, and man pages, into a wheel; they are made from the parsers."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShellFilesHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there when a wheel is built
    """They lie in `share/`, below the prefix of the environment that the wheel is installed in."""

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

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After it."""
        del version, build_data, artifact_path
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
