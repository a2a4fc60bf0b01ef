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
    from collections.abc import Mapping
    from pathlib import Path

# An empty fsmonitor is none to every git; older ones take "false" for a program to run.
_SETTINGS: Final = {"core.hooksPath": "/dev/null", "core.fsmonitor": ""}
# A file is checked out as it was committed, all of them, and nothing is fetched for it.
_AS_COMMITTED: Final = {"core.sparseCheckout": "false", "submodule.recurse": "false"}
_NO_FETCH: Final = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
_OF_A_FILTER: Final = {"process": "", "smudge": "", "clean": "", "required": "false"}
# Not in git's list, yet bound to a repository: in a pre-receive hook it forbids to write any reference.
_QUARANTINE: Final = "GIT_QUARANTINE_PATH"


def git(
    repository: Path,
    *arguments: str,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `git -C repository arguments` says and its status, which may be any; `timeout` is in seconds.

    Raises FileNotFoundError if git is not installed, and subprocess.TimeoutExpired.
    """
    return subprocess.run(
        ["git", "-C", str(repository), *arguments],
        env=neutral_environment() if environment is None else environment,
        stdin=subprocess.DEVNULL,  # a hook's own input, such as the references pushed, is not ours to read
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )


def neutral_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what binds git to a repository, for git and for what may run it (a build).

    Settings, ours and those given, go by variables, so that they also reach the git that a build runs.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _bound_to_a_repository()}
    all_settings = _SETTINGS | dict(settings or {})
    # What only looks takes no lock that the user's git waits for.
    kept |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": str(len(all_settings))}
    for number, (name, value) in enumerate(all_settings.items()):
        kept |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return kept


def checking_out(repository: Path) -> dict[str, str]:
    """The environment to check out in: no filter that the repository or its user set up is run.

    A filter is a program that git runs on each file its attributes name; git-lfs is one, and its files are
    left as they were committed: pointers.
    """
    done = git(repository, "config", "--includes", "--name-only", "-z", "--get-regexp", r"^filter\.")
    names = {line.rpartition(".")[0] for line in done.stdout.split("\0") if line.count(".") > 1}
    off = {f"{name}.{key}": value for name in sorted(names) for key, value in _OF_A_FILTER.items()}
    return neutral_environment(_AS_COMMITTED | off) | _NO_FETCH


@functools.cache
def _bound_to_a_repository() -> frozenset[str]:
    """The variables that this git lists as bound to one repository; the list grows with its versions."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], env=neutral, capture_output=True, text=True, check=True
    )
    return frozenset((*listed.stdout.split(), _QUARANTINE))
