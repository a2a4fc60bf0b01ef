"""Starts every domain file of a folder under strace: `python tests/live/trace_starts.py FOLDER`, as root.

Prints what became of each file, and each path outside libvirt's own folders that was opened to write, made,
removed or connected to; status 1 if there is one, or a file that did not end. Hundreds of files take minutes,
so that this is no test; tests/live/test_stand_ins.py does it for a guest of every kind.
"""

# ruff: noqa: T201  # a command

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.touched import starts

AT_ONCE = 4
SECONDS = 200.0


def main(folder: Path) -> int:
    files = sorted(folder.glob("*.xml"))
    started = refused = bad = 0
    while files:
        with tempfile.TemporaryDirectory(prefix="qcaps-traced-") as scratch:
            found = starts(files[:AT_ONCE], Path(scratch), SECONDS)
        for file in files[:AT_ONCE]:
            error = found.errors.get(str(file))
            if error is None:
                continue
            started, refused = started + (not error), refused + bool(error)
            print(f"{file.name}: {error or 'started'}")
        if len(found.errors) < len(files[:AT_ONCE]):
            print(f"{files[len(found.errors)].name}: DID NOT END in {SECONDS:.0f} s")
            bad += 1
            files = files[len(found.errors) + 1 :]
        else:
            files = files[AT_ONCE:]
        for path in (*found.written, *found.to_a_network):
            print(f"OUTSIDE: {path}")
            bad += 1
    print(f"{started} started, {refused} refused, {bad} touched what is outside or did not end")
    return 1 if bad or not started else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
