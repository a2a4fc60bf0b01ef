"""Every reader has a bound, and one line that names the file, what is wrong, and the limit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from qcaps.bounded import UnreadableError, read_bounded, read_json
from qcaps.commands import main
from qcaps.content import LARGEST_FILE, ContentFolders
from qcaps.domainxml import document
from qcaps.domainxml.syntax import cpuset, runs
from qcaps.errors import QcapsError
from qcaps.report import sources

COMMANDS = {
    "define": ("define", "{}"),
    "start": ("start", "{}"),
    "explain": ("explain", "{}"),
    "fidelity": ("fidelity", "--live", "{}"),
    "compare": ("compare", "{}", "{}"),
    "gate, two files": ("gate", "{}", "{}"),
    "gate, margins": ("gate", "--base-rev", "HEAD", "--margins", "{}"),
    "report": ("report", "{}", "-o", "out"),
    "capabilities": ("define", "guest.xml", "--capabilities", "{}"),
    "host facts": ("define", "guest.xml", "--host", "{}"),
}
GUEST = (
    "<domain type='qemu'><name>a</name><memory>262144</memory>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os>{}</domain>"
)


def made(kind: str, path: Path) -> str:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(3 << 30)
    else:
        return "/dev/zero"
    return str(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=pytest.mark.libvirt if name == "fidelity" else ()) for name in COMMANDS],
)
def test_a_file_that_never_ends_is_one_line(
    kind: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guest.xml").write_text(GUEST.format(""))
    file = made(kind, tmp_path / "given")
    began = time.monotonic()
    assert main([part.format(file) for part in COMMANDS[command]]) in (1, 2)
    said = [line for line in capsys.readouterr().err.splitlines() if file in line]
    assert time.monotonic() - began < 10
    assert said
    expected = {"pipe": "is a pipe", "device": "is a device", "sparse": "is larger than"}[kind]
    assert all(expected in line for line in said), said


def test_standard_input_stays_usable() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", "define", "/dev/stdin"],
        input=GUEST.format("").encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"<name>a</name>" in done.stdout


def test_standard_input_has_the_bound_too() -> None:
    with Path("/dev/zero").open("rb") as zero:
        done = subprocess.run(
            [sys.executable, "-m", "qcaps", "define", "/dev/stdin"],
            stdin=zero,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"qcaps: /dev/stdin: is larger than 64 MiB; name another file\n"


def test_a_file_that_grows_past_its_bound_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_bounded(path, 10) == b"x" * 10
    with pytest.raises(UnreadableError, match="file: is larger than 9 bytes"):
        read_bounded(path, 9)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path)


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "9" * 5000])
def test_numbers_and_depths_that_python_refuses_are_no_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"nested too deeply|Exceeds the limit"):
        read_json(path)
    found = sources.load([path])
    assert len(found.complaints) == 1
    assert "results.json: no results file: it begins with" in found.complaints[0]


def test_content_has_a_bound(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    with (tmp_path / "scenarios" / "huge.py").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    os.mkfifo(tmp_path / "scenarios" / "waits.py")
    own = ContentFolders(tmp_path)
    assert "waits" not in own.files("scenarios")
    with pytest.raises(QcapsError, match=r"huge\.py: is larger than 16 MiB"):
        own.load("scenarios", "huge")


BULK = {
    "attributes": ("<disk " + " ".join(f"a{number}='1'" for number in range(80_000)) + "/>", "at most 1,000"),
    "children": ("<a/>" * 1_000_000, "at most 131,072"),
    "elements": (f"<b>{'<a/>' * 130_000}</b>" * 8, "at most 1,000,000"),
}


@pytest.mark.parametrize("case", BULK)
def test_more_of_one_thing_than_any_domain_has_is_refused_at_once(case: str) -> None:
    inside, limit = BULK[case]
    began = time.process_time()
    with pytest.raises(document.DomainError, match=f"too many {case}.*; {limit}"):
        document.parse(GUEST.format(f"<devices>{inside}</devices>").encode())
    assert time.process_time() - began < 2
    with pytest.raises(document.DomainError, match="too many"):
        document.parse_device(f"<disk>{inside}{'<a/>' * 1_000_000}</disk>".encode())


def test_as_much_as_there_may_be_is_read() -> None:
    attributes = " ".join(f"a{number}='1'" for number in range(1000))
    inside = f"<a {attributes}/>" + "<a/>" * 130_000
    document.parse(GUEST.format(f"<devices>{inside}</devices>").encode())


@pytest.mark.parametrize(
    "text", ["0-16383", "0-16383,^1", "5", "1,3-4,9", ",".join(map(str, range(0, 16384, 2)))]
)
def test_runs_are_found_however_many(text: str) -> None:
    numbers = cpuset(text)
    found = [number for first, last in runs(numbers) for number in range(first, last + 1)]
    assert found == [number for number in range(numbers.bit_length()) if numbers >> number & 1]
    assert all(before[1] + 1 < after[0] for before, after in pairwise(runs(numbers)))


def test_wide_sets_are_written_in_no_time() -> None:
    wide = cpuset("0-16383")
    began = time.process_time()
    for _ in range(20_000):
        assert list(runs(wide)) == [(0, 16383)]
    assert time.process_time() - began < 1
