"""Revisions of a libvirt: built once and kept; what does not build; repositories that mean harm."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.commands.gate import git_bisect
from qcaps.errors import UsageError
from qcaps.measure.gate import builds, checkout
from qcaps.measure.gate.checkout import BuildError
from qcaps.measure.gate.libvirt_builds import Recipe, built
from qcaps.measure.subjects.libvirt import installation
from tests.support.repositories import BUILD, commit, git

if TYPE_CHECKING:
    from pathlib import Path

COPY = "cp -P /usr/lib/*/libvirt.so.0* /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so"
SAYS = "project(\n  'libvirt', 'c',\n  version: '{}',\n)\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    commit(tmp_path / "libvirt", "file", "one")
    commit(tmp_path / "libvirt", "file", "two")
    return tmp_path / "libvirt"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "builds"


def assert_clean(repository: Path, place: Path, kept: int) -> None:
    """No worktree is left, and of builds those that are whole."""
    assert git(repository, "worktree", "list").count("\n") == 0
    assert not (repository / ".git" / "worktrees").exists() or not list(
        (repository / ".git" / "worktrees").iterdir()
    )
    assert len([one for one in place.iterdir() if one.is_dir()]) == kept
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.libvirt
def test_a_revision_is_built_once_and_gated(
    repository: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built_by = f"{BUILD}; echo built >> {tmp_path}/count; (cat file; echo) >> {tmp_path}/count"
    common = ("--repo", str(repository), "--build", built_by, "--builds", str(place), "--counts-only")
    (repository / "file").write_text("not committed")
    arguments = ("gate", "--base-rev", "HEAD~1", *common, "-o", str(tmp_path / "out"), "simple", "-n", "1")
    assert main([*arguments]) == 0
    said = capsys.readouterr()
    assert "building HEAD~1" in said.err
    assert "1 files that differ" in said.err
    assert "last one took" in said.err  # the second is told how long the first took
    assert (tmp_path / "count").read_text().split() == ["built", "one", "built", "two"]
    assert "simple/1" in said.out
    assert main([*arguments]) == 0
    assert "building" not in capsys.readouterr().err
    assert main(["gate", "--list-builds", "--builds", str(place)]) == 0
    assert "libvirt 9.0.0, built in" in capsys.readouterr().out
    git(repository, "checkout", "-q", "file")
    assert_clean(repository, place, 2)


@pytest.mark.libvirt
def test_git_bisect_run_is_told_what_it_understands(repository: Path, place: Path, tmp_path: Path) -> None:
    common = ("--repo", str(repository), "--builds", str(place), "--git-bisect", "-o", str(tmp_path / "out"))
    counts = ("--counts-only", "simple", "-n", "1", "--task", "define")
    build = f"grep -q two file || exit 3; {BUILD}"
    gate = ("gate", "--base", "libvirt", *common, *counts)
    assert main([*gate, "--head-rev", "HEAD", "--build", build]) == 0
    assert main([*gate, "--head-rev", "HEAD~1", "--build", build]) == 125
    assert main([*gate, "--head-rev", "nowhere", "--build", build]) == 255
    assert git_bisect.translated(lambda: 3) == 125
    assert git_bisect.translated(lambda: 1) == 1
    assert git_bisect.translated(lambda: 130) == 255
    assert git_bisect.translated(lambda: 1 // 0) == 255


@pytest.mark.libvirt
def test_another_command_or_compiler_is_another_build(
    repository: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    one = built("r", "HEAD", repository, Recipe(BUILD), place=place, say=said.append)
    monkeypatch.setenv("CFLAGS", "-O0")
    other = built("r", "HEAD", repository, Recipe(BUILD), place=place, say=said.append)
    again = built("r", "HEAD", repository, Recipe(BUILD), place=place, say=said.append)
    assert one.commit == other.commit
    assert one.subject != other.subject == again.subject
    assert installation(one.subject).version_name == one.version
    assert len(said) == 2


@pytest.mark.libvirt
def test_a_build_tree_stays_whole_and_its_objects_go(repository: Path, place: Path) -> None:
    in_tree = f"mkdir -p build/src; touch build/src/x.o; {COPY} build/src; test -e .git"
    one = built("r", "HEAD", repository, Recipe(in_tree), place=place, say=print)
    root = installation(one.subject).driver.parents[1]
    assert root.name == "build"
    assert (root.parent / "file").read_text() == "two"
    assert not list(root.rglob("*.o"))
    assert_clean(repository, place, 1)


KINDS = {
    "fails": ("echo the compiler is on strike; exit 3", "… ended with 3"),
    "hangs": ("echo so far; setsid sleep 1000", "it takes more than 2 s"),
    "builds nothing": ("true", "builds no libvirt: it leaves no libvirt_driver_qemu.so"),
    "links elsewhere": ("ln -s /usr/lib $QCAPS_PREFIX/lib", "builds no libvirt"),
    "another's files": (f"mkdir -p b/src; {COPY.replace('cp -P', 'ln -s')} b/src", "builds something else"),
    "no library": ("mkdir -p b/src; for f in libvirt_driver_qemu.so libvirt.so.0; do echo >b/src/$f; done",
                   "cannot tell its version"),
    "another version": (BUILD, "builds something else"),
}  # fmt: skip


@pytest.mark.libvirt
@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_build_is_one_line_and_leaves_nothing(
    repository: Path, place: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, said = KINDS[kind]
    commit(repository, "meson.build", SAYS.format("8.0.0"))
    with pytest.raises(BuildError, match=r"^--base-rev HEAD:") as found:
        built("--base-rev HEAD", "HEAD", repository, Recipe(command, 2), place=place, say=print)
    assert said in str(found.value)
    assert found.value.exit_status == 2
    if kind == "fails":
        assert found.value.lines == ("the compiler is on strike",)
        gate = ("--repo", str(repository), "--build", command, "--builds", str(place))
        assert main(["gate", "--base-rev", "HEAD", *gate, "-o", str(place.parent / "out")]) == 2
        assert "the compiler is on strike\n" in capsys.readouterr().err
    if kind == "hangs":
        assert found.value.lines == ("so far",)
    assert_clean(repository, place, 0)


@pytest.mark.root
@pytest.mark.libvirt
def test_a_build_that_fills_the_disk_is_ended(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(small)], check=True)
    monkeypatch.setattr(checkout, "LEAST_FREE", 8 << 20)
    try:
        grows = Recipe("while sleep 0.2; do head -c 1000000 /dev/zero >> grows; done")
        with pytest.raises(BuildError, match="it fills the disk"):
            built("r", "HEAD", repository, grows, place=small, say=print)
        assert_clean(repository, small, 0)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.libvirt
def test_nothing_of_a_hostile_repository_runs_but_the_build(
    repository: Path, place: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho $0 $* >> {mark}\ncat\n")
    evil.chmod(0o755)
    (repository / "long").write_text("l")
    (repository / "more").write_text("m")
    commit(repository, ".gitattributes", "file filter=a=b\nlong filter=long\nmore filter=in.cluded\n")
    for name in ("post-checkout", "post-index-change", "reference-transaction", "post-commit"):
        (repository / ".git" / "hooks" / name).symlink_to(evil)
    (repository / ".git" / "more").write_text(f'[filter "in.cluded"]\n smudge = {evil}\n required = true\n')
    for name, value in (
        ("filter.a=b.smudge", f"{evil} smudge"),
        ("filter.long.process", f"{evil} process"),
        ("filter.long.required", "true"),
        ("include.path", "more"),
        ("core.fsmonitor", str(evil)),
        ("core.sshCommand", str(evil)),
    ):
        git(repository, "config", name, value)
    git(repository, "-c", "filter.long.process=", "-c", "filter.long.required=false",
        "worktree", "add", "-q", "--detach", tmp_path / "theirs")  # fmt: skip
    assert {"post-checkout", "smudge"} <= set(mark.read_text().replace("/", " ").split())  # for the user
    mark.unlink()
    read = f"{BUILD}; cat file long more > {tmp_path}/read; git status >/dev/null; git rev-parse HEAD"
    one = built("r", "HEAD", repository, Recipe(read), place=place, say=print)
    assert not mark.exists()
    assert (tmp_path / "read").read_text() == "twolm"
    assert one.commit == subprocess.check_output(
        ["git", "-C", str(repository), "rev-parse", "HEAD"], text=True
    ).strip()  # fmt: skip


@pytest.mark.libvirt
def test_revisions_that_are_not_there(repository: Path, place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--base-rev nowhere: no such revision"):
        built("--base-rev nowhere", "nowhere", repository, Recipe(BUILD), place=place, say=print)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", shallow)
    with pytest.raises(UsageError, match="a shallow clone: git fetch --unshallow"):
        built("r", "HEAD~1", shallow, Recipe(BUILD), place=place, say=print)
    assert built("r", "HEAD", shallow, Recipe(BUILD), place=place, say=print).commit
    (repository / "src" / "qemu").mkdir(parents=True)
    (repository / "src" / "qemu" / "qemu_capabilities.c").touch()
    assert main(["gate", "--base-rev", "HEAD~1", "--repo", str(repository)]) == 2
    for wrong in (["--base-rev", "HEAD", "--base", "libvirt"], ["--head-rev", "HEAD", "--base-python", "p"]):
        assert main(["gate", *wrong, "--repo", str(repository), "--build", BUILD]) == 2


@pytest.mark.libvirt
@pytest.mark.skipif(not os.path.exists("/usr/bin/ccache"), reason="no ccache")  # noqa: PTH110
def test_ccache_is_between_where_it_is_there(
    repository: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path / "ccache"))
    (repository / "x.c").write_text('#include "x.h"\nint x(void) { return X; }\n')
    commit(repository, "x.h", "#define X 1\n")
    commit(repository, "file", "four")
    compiled = f"{BUILD}; gcc -g -c $PWD/x.c -o x.o; ccache -s | grep Hits > {tmp_path}/hits"
    for revision in ("HEAD~1", "HEAD"):
        built("r", revision, repository, Recipe(compiled), place=place, say=print)
    assert " 1 " in (tmp_path / "hits").read_text()
    assert not list(place.glob("*/ccache"))


def test_builds_of_both_kinds_are_listed(place: Path) -> None:
    folder = place / builds.name_by("make", "0" * 40)
    folder.mkdir(parents=True)
    (folder / builds.BUILT).write_text('{"what": "libvirt 9.0.0", "seconds": 5}')
    assert builds.last_seconds(place, builds.name_by("make", "1" * 40)) == 5
    assert builds.last_seconds(place, builds.name_by("ninja", "1" * 40)) == 0
    (place / builds.name_by("make", "2" * 40) / builds.TREE).mkdir(parents=True)
    with builds.taking_turns(place, print):
        assert [one.folder for one in builds.listed(place)] == [folder]
    assert [one.name for one in place.iterdir() if one.is_dir()] == [folder.name]
