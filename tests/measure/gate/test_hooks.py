"""Revisions built while git itself is at work: in hooks, in rebases, in all kinds of repositories.

What git is about to write must be what it would have written without us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qcaps
from qcaps.git import git, neutral_environment
from qcaps.measure.results import session

# Writes what the revision holds to a file, as a build of it would read it.
LOOK = """\
import os, sys
from pathlib import Path
from qcaps.git import git
from qcaps.measure.gate.revisions import checked_out

revision, place, seen = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
commit = git(Path(), "rev-parse", "--verify", revision).stdout.strip()
with checked_out("--base-rev", commit, Path(), place / f"tree{os.getpid()}"):
    text = (place / f"tree{os.getpid()}" / "file").read_text()
with seen.open("a") as file:
    file.write(text)
"""

# A build backend that needs nothing: a wheel of the qcaps beside it, and of where its requirements are.
BACKEND = """\
import os, subprocess, zipfile
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    subprocess.run(["git", "checkout", "-q", "HEAD~0"], check=True)  # backends run any git they like
    subprocess.run(["git", "add", "-A"], check=True)
    about = "qcaps-0.dist-info"
    with zipfile.ZipFile(Path(folder, "qcaps-0-py3-none-any.whl"), "w") as wheel:
        for path in Path("qcaps").rglob("*.*"):
            wheel.write(path)
        wheel.writestr("qcaps/built_from", commit)
        wheel.write("requirements.pth")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: qcaps\\nVersion: 0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return "qcaps-0-py3-none-any.whl"
"""
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "qcaps"
version = "0"
"""
SUITE = """
from qcaps.measure.cell import Cell
SUMMARY = "one quick task"
def cells():
    yield Cell("serials", 3, "define", "trust", "once")
"""


def run(folder: Path, *arguments: str | Path, status: int = 0, **variables: str) -> str:
    """The user's own git: with hooks, with `variables`, and not by way of qcaps."""
    settings = ("user.name=n", "user.email=e", "protocol.file.allow=always", "advice.detachedHead=false")
    done = subprocess.run(
        ["git", *(word for setting in settings for word in ("-c", setting)), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GIT_EDITOR": "true", "GIT_CONFIG_GLOBAL": os.devnull, **variables},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """Three commits: `file` holds "1", "2", "3"; `late` is there from the second on."""
    run(folder.parent, "init", "-qb", "main", folder)
    for number in ("1", "2", "3"):
        (folder / "file").write_text(f"{number}\n")
        if number == "2":
            (folder / "late").write_text("late\n")
        run(folder, "add", ".")
        run(folder, "commit", "-qm", number)
    return folder


def hook(folder: Path, name: str, text: str) -> Path:
    """A hook of the repository at or around `folder`."""
    hooks = folder / run(folder, "rev-parse", "--git-path", "hooks")
    hooks.mkdir(exist_ok=True)
    path = hooks / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def look(tmp_path: Path) -> str:
    """A shell command that checks out HEAD~2 and appends its `file` to `seen`, both in `tmp_path`."""
    (tmp_path / "look.py").write_text(LOOK)
    return f"'{sys.executable}' -P '{tmp_path}/look.py' HEAD~2 '{tmp_path}' '{tmp_path}/seen'"


def seen(tmp_path: Path) -> list[str]:
    return (tmp_path / "seen").read_text().split()


def contents(folder: Path, revision: str = "HEAD") -> dict[str, str]:
    names = run(folder, "ls-tree", "-r", "--name-only", revision).split()
    return {name: run(folder, "show", f"{revision}:{name}") for name in names}


def assert_clean(folder: Path, worktrees: int = 1) -> None:
    assert run(folder, "status", "--porcelain") == ""
    assert run(folder, "worktree", "list").count("\n") == worktrees - 1
    run(folder, "fsck", "--strict")


def test_commit_all(tmp_path: Path, look: str) -> None:
    ours = repository(tmp_path / "ours")
    hook(ours, "pre-commit", look)
    (ours / "file").write_text("4\n")
    run(ours, "commit", "-qam", "4")
    assert seen(tmp_path) == ["1"]
    assert contents(ours) == {"file": "4", "late": "late"}
    assert_clean(ours)


def test_commit_of_one_file(tmp_path: Path, look: str) -> None:
    """Git has an index for this commit alone, and holds the lock of the other."""
    ours = repository(tmp_path / "ours")
    hook(ours, "pre-commit", f"echo $GIT_INDEX_FILE >> '{tmp_path}/index'\n{look}")
    (ours / "file").write_text("4\n")
    (ours / "late").write_text("later\n")
    run(ours, "add", "late")
    run(ours, "commit", "-qm", "4", "file")
    assert "next-index-" in (tmp_path / "index").read_text()
    assert seen(tmp_path) == ["1"]
    assert contents(ours) == {"file": "4", "late": "late"}
    assert run(ours, "status", "--porcelain") == "M  late"


def test_commit_by_every_hook_there_is(tmp_path: Path, look: str) -> None:
    ours = repository(tmp_path / "ours")
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"):
        hook(ours, name, look)
    (ours / "file").write_text("4\n")
    run(ours, "commit", "-qam", "4")
    assert seen(tmp_path) == ["1", "1", "1", "2"]
    assert contents(ours) == {"file": "4", "late": "late"}
    assert_clean(ours)


def test_rebase_that_runs_us(tmp_path: Path, look: str) -> None:
    ours = repository(tmp_path / "ours")
    hook(ours, "pre-commit", look)
    # a commit of its own after each, so that the rebase goes through the hook too
    amend = "git commit -q --amend --no-edit"
    run(ours, "rebase", "-q", "-x", f"{look} && echo more >> late && git add late && {amend}", "HEAD~1")
    assert seen(tmp_path) == ["1", "1"]
    assert contents(ours) == {"file": "3", "late": "late\nmore"}
    assert_clean(ours)


def test_commit_in_a_linked_worktree(tmp_path: Path, look: str) -> None:
    ours = repository(tmp_path / "ours")
    hook(ours, "pre-commit", look)
    linked = tmp_path / "linked"
    run(ours, "worktree", "add", "-qb", "side", linked)
    (linked / "file").write_text("4\n")
    run(linked, "commit", "-qam", "4")
    assert seen(tmp_path) == ["1"]
    assert contents(linked) == {"file": "4", "late": "late"}
    assert contents(ours) == {"file": "3", "late": "late"}
    assert_clean(linked, 2)
    assert_clean(ours, 2)


@pytest.mark.parametrize("name", ["pre-receive", "update", "post-receive"])
def test_push_to_a_bare_repository(tmp_path: Path, look: str, name: str) -> None:
    """Until they are accepted, what is pushed is in quarantine, where no reference may be written."""
    ours = repository(tmp_path / "ours")
    bare = tmp_path / "bare"
    run(tmp_path, "clone", "-q", "--bare", ours, bare)
    hook(bare, name, look)
    (ours / "file").write_text("4\n")
    run(ours, "commit", "-qam", "4")
    run(ours, "push", "-q", bare, "main")
    assert seen(tmp_path) == ["2" if name == "post-receive" else "1"]
    assert contents(bare) == {"file": "4", "late": "late"}
    assert run(bare, "worktree", "list").count("\n") == 0


def test_commit_in_a_shallow_clone(tmp_path: Path, look: str) -> None:
    ours = repository(tmp_path / "ours")
    (ours / "file").write_text("4\n")
    run(ours, "commit", "-qam", "4")
    shallow = tmp_path / "shallow"
    run(tmp_path, "clone", "-q", "--depth", "3", ours.as_uri(), shallow)
    hook(shallow, "pre-commit", look)
    (shallow / "file").write_text("5\n")
    run(shallow, "commit", "-qam", "5")
    assert seen(tmp_path) == ["2"]
    assert contents(shallow) == {"file": "5", "late": "late"}
    assert run(shallow, "rev-parse", "--is-shallow-repository") == "true"
    assert_clean(shallow)


def test_commit_around_and_in_a_submodule(tmp_path: Path, look: str) -> None:
    part, ours = repository(tmp_path / "part"), repository(tmp_path / "ours")
    run(ours, "submodule", "--quiet", "add", part, "part")
    run(ours, "commit", "-qm", "part")
    within = ours / "part"
    for folder in (ours, within):
        hook(folder, "pre-commit", look)
    (within / "file").write_text("4\n")
    run(within, "commit", "-qam", "4")
    assert contents(within) == {"file": "4", "late": "late"}
    assert_clean(within)
    (ours / "file").write_text("4\n")
    run(ours, "commit", "-qam", "4")
    assert seen(tmp_path) == ["1", "2"]
    assert run(ours, "show", "HEAD:file") == "4"
    assert run(ours, "rev-parse", "HEAD:part") == run(within, "rev-parse", "HEAD")
    assert_clean(ours)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that the caller's environment names."""
    folder = repository(tmp_path / "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(folder))
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / ".git" / "index"))
    return folder


def test_the_callers_repository_is_not_ours(tmp_path: Path, elsewhere: Path) -> None:
    ours = tmp_path / "ours"
    subprocess.run(["git", "init", "-q", str(ours)], check=True, env=neutral_environment())
    before = (elsewhere / ".git" / "index").read_bytes()
    assert git(ours, "rev-parse", "--show-toplevel").stdout.strip() == str(ours.resolve())
    assert git(ours, "rev-parse", "--verify", "-q", "HEAD").returncode != 0
    (ours / "new").write_text("new")
    assert git(ours, "add", "new").returncode == 0
    assert (elsewhere / ".git" / "index").read_bytes() == before


def test_git_is_run_from_one_place() -> None:
    package = Path(qcaps.__file__).resolve().parent
    assert [path.name for path in package.rglob("*.py") if '"git"' in path.read_text()] == ["git.py"]


def test_every_variable_git_lists_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "GIT_INDEX_FILE" in listed
    for name in listed:
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("GIT_SSH_COMMAND", "theirs")
    assert [name for name, value in neutral_environment().items() if value == "theirs"] == ["GIT_SSH_COMMAND"]


@pytest.mark.usefixtures("elsewhere")
def test_results_name_the_commit_of_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the commit of the repository in whose hook they are measured."""
    ours = tmp_path / "ours"
    for step in (
        ("init", "-q"),
        ("-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-mx"),
    ):
        ours.mkdir(exist_ok=True)
        subprocess.run(["git", *step], cwd=ours, check=True, env=neutral_environment())
    monkeypatch.setattr(qcaps, "__file__", str(ours / "qcaps" / "__init__.py"))
    commit = (ours / ".git" / "refs" / "heads").glob("*")
    assert session.session_facts(tmp_path)["git_commit"] == next(commit).read_text().strip()


def test_hooks_of_the_user_do_not_run(tmp_path: Path, look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = repository(tmp_path / "ours")
    mark = tmp_path / "mark"
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook(ours, name, f"echo {name} >> '{mark}'")
    run(ours, "config", "core.fsmonitor", hook(ours, "watch", f"echo fsmonitor >> '{mark}'\nexit 1"))
    run(ours, "update-index", "--fsmonitor")
    run(ours, "worktree", "add", "-qf", "--detach", tmp_path / "theirs", "HEAD")
    run(ours, "status")
    expected = {"post-checkout", "post-index-change", "reference-transaction", "fsmonitor"}
    assert set(mark.read_text().split()) == expected  # they do run for the user
    mark.unlink()
    subprocess.run(look, shell=True, check=True, cwd=ours)  # noqa: S602  # as a hook runs it
    assert seen(tmp_path) == ["1"]
    monkeypatch.setattr(qcaps, "__file__", str(ours / "qcaps" / "__init__.py"))
    assert session.session_facts(tmp_path)["git_commit"] == run(ours, "rev-parse", "HEAD")
    # a build that asks git, as many do for a version
    subprocess.run(["git", "status"], cwd=ours, check=True, capture_output=True, env=neutral_environment())
    assert not mark.exists()


@pytest.mark.slow
def test_a_gate_in_a_hook(tmp_path: Path) -> None:
    """The whole of it: the base is built from its own commit, and the commit being made is the user's."""
    ours = tmp_path / "ours"
    run(tmp_path, "init", "-qb", "main", ours)
    package = Path(qcaps.__file__).resolve().parent
    shutil.copytree(package, ours / "qcaps", ignore=shutil.ignore_patterns("__pycache__"))
    (ours / "backend.py").write_text(BACKEND)
    (ours / "pyproject.toml").write_text(PYPROJECT)
    (ours / "requirements.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    (ours / ".gitignore").write_text("__pycache__\n")
    for text in ("1", "2", "3"):
        (ours / "file").write_text(text)
        run(ours, "add", ".")
        run(ours, "commit", "-qm", text)
    base = run(ours, "rev-parse", "HEAD~1")
    content = tmp_path / "content"
    (content / "bench" / "suites").mkdir(parents=True)
    (content / "bench" / "suites" / "quickest.py").write_text(SUITE)
    hook(
        ours,
        "pre-commit",
        f"'{sys.executable}' -P -m qcaps gate --base-rev HEAD~1 --counts-only --suite quickest "
        f"--content '{content}' --output '{tmp_path}/out' >'{tmp_path}/said'",
    )
    (ours / "file").write_text("4")
    names = run(ours, "ls-files")
    run(ours, "commit", "-qam", "4", XDG_CACHE_HOME=str(tmp_path / "cache"), XDG_STATE_HOME=str(tmp_path))
    assert "counts agree" in (tmp_path / "said").read_text()
    assert run(ours, "diff", "--name-only", "HEAD~1", "HEAD") == "file"
    assert run(ours, "show", "HEAD:file") == "4"
    assert run(ours, "ls-files") == names
    assert_clean(ours)
    (built,) = (tmp_path / "cache").rglob("built_from")
    assert built.read_text().strip() == base
