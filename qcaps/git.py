"""Git, asked about the repository it is pointed at and no other, running no hook.

Within a hook, git tells every process which commit is being made (GIT_DIR, GIT_INDEX_FILE, ...). A
`git worktree add` that hears it writes another revision's files into that commit.
"""

from __future__ import annotations

import functools
import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# An empty fsmonitor is none to every git; older ones take "false" for a program to run.
_SETTINGS: Final = {"core.hooksPath": "/dev/null", "core.fsmonitor": ""}
# Not in git's list, yet bound to a repository: in a pre-receive hook it forbids to write any reference.
_QUARANTINE: Final = "GIT_QUARANTINE_PATH"


def git(repository: Path, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """What `git -C repository arguments` says and its status, which may be any; `timeout` is in seconds.

    Raises FileNotFoundError if git is not installed, and subprocess.TimeoutExpired.
    """
    return subprocess.run(
        ["git", "-C", str(repository), *arguments],
        env=neutral_environment(),
        stdin=subprocess.DEVNULL,  # a hook's own input, such as the references pushed, is not ours to read
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )


def neutral_environment() -> dict[str, str]:
    """Our environment without what binds git to a repository, for git and for what may run it (a build).

    Settings go by variables, so that they also reach the git that a build runs.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _bound_to_a_repository()}
    # What only looks takes no lock that the user's git waits for.
    kept |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": str(len(_SETTINGS))}
    for number, (name, value) in enumerate(_SETTINGS.items()):
        kept |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return kept


@functools.cache
def _bound_to_a_repository() -> frozenset[str]:
    """The variables that this git lists as bound to one repository; the list grows with its versions."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], env=neutral, capture_output=True, text=True, check=True
    )
    return frozenset((*listed.stdout.split(), _QUARANTINE))
