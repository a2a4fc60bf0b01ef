"""What a traced libvirt opened and wrote outside its own folders, read from what strace saw."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_STARTS = """
import pathlib, sys
from qcaps.live.host.embedded import Embedded
with Embedded("none", known=True) as libvirt:
    for file in sys.argv[1:]:
        error = libvirt.run("start", pathlib.Path(file).read_text()).error
        print(file, " ".join(error.split()) if error else "", sep="\\t", flush=True)
"""
_OPENED = re.compile(r'^\d+ +(?:open|openat|creat)\(.*?"([^"]*)".*?(O_WRONLY|O_RDWR|O_CREAT)')
_CHANGED = re.compile(
    r"^\d+ +(?:mkdir|mkdirat|unlink|unlinkat|rename|chmod|chown|lchown|mknod|mknodat|link|symlink|truncate"
    r'|bind|connect)\(.*?"([^"]*)"'
)
_PRIVATE = (
    *("/run/", "/proc/", "/dev/null", "/dev/kvm", "/dev/ptmx", "/dev/pts/", "/dev/tty", "/dev/net/"),
    "qcaps",  # what mkdir -p makes below /run
)


class Traced(NamedTuple):
    """`errors` by file, "" where it started; `lines` are the calls that succeeded."""

    errors: dict[str, str]
    lines: list[str]

    @property
    def written(self) -> list[str]:
        """Paths that were opened to write, made, removed or connected to, but those only there inside."""
        found = {
            match[1] for line in self.lines for one in (_OPENED, _CHANGED) if (match := one.search(line))
        }
        return [path for path in sorted(found) if not path.startswith(_PRIVATE)]

    def naming(self, words: Iterable[str]) -> list[str]:
        """The calls that name one of these."""
        return [line for line in self.lines if any(word in line for word in words)]

    @property
    def to_a_network(self) -> list[str]:
        """Connections that leave this host, or could."""
        return [line for line in self.lines if "AF_INET" in line and "connect(" in line]


def starts(files: Sequence[Path], scratch: Path, seconds: float, marks: Sequence[str] = ()) -> Traced:
    """Start each domain file on the embedded libvirt under strace; `marks` keep calls that failed, too.

    Files that it did not come to in that time are not in `errors`.
    """
    trace = scratch / "trace"
    said = scratch / "said"
    private = {"TMPDIR": str(scratch), "XDG_CACHE_HOME": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    with said.open("w") as out:
        process = subprocess.Popen(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", "trace=%file,%network",
             "-o", str(trace), sys.executable, "-c", _STARTS, *map(str, files)],
            env={**os.environ, **private},
            stdout=out,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            _, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what is traced would go on, every call of it refused
            _, complaint = process.communicate()
    rows = (line.partition("\t") for line in said.read_text().splitlines())
    errors = {file: error for file, _, error in rows}
    if not errors:
        raise AssertionError(complaint.decode(errors="replace"))
    lines = [
        line
        for line in trace.read_text(errors="replace").splitlines()
        if " = -1 E" not in line or any(mark in line for mark in marks)
    ]
    return Traced(errors, [line for line in lines if str(scratch) not in line])
