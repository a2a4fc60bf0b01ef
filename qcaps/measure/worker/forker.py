"""An arm's process: it imports once, then forks a child for every job, one JSON line each on standard input.

    python -m qcaps.measure.worker.forker

The first line maps each subject to the domains that jobs will be on, so that what all of them need is done
once. It answers {"protocol": 2, "python": …, "build": …}. A child answers as a worker does; {"end": status}
follows it. Importing the pipeline takes longer than a block: a child a block makes blocks independent and
cheap, and a new process a round gives each pair its own hash seed and its own places in memory.
"""

from __future__ import annotations

import _thread
import gc
import json
import os
import sys
from contextlib import suppress
from time import monotonic

from qcaps.errors import QcapsError
from qcaps.measure.subject import subject
from qcaps.measure.worker.work import Job, work

PROTOCOL = 2
_THREAD_STACK = 8 << 20


def main() -> int:
    """Serve until standard input ends."""
    _thread.stack_size(_THREAD_STACK)  # else it is the limit, which chance drew
    asked = json.loads(sys.stdin.readline())
    _say({"protocol": PROTOCOL, "python": sys.version.split()[0], "build": sys.version})
    for name, xmls in asked.items():
        with suppress(Exception):  # what is wrong is wrong in a child too, which says of what
            subject(name).warm(name, [xml.encode() for xml in xmls])
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_in_child(line))
        _, status = os.waitpid(child, 0)
        _say({"end": os.waitstatus_to_exitcode(status)})
    return 0


def _in_child(line: str) -> int:
    """Do one job; whatever happens, the child ends here."""
    try:
        work(Job.from_json(line), monotonic())
    except QcapsError as error:
        _say({"error": str(error)})
        return error.exit_status
    except BaseException:  # noqa: BLE001  # the parent's stack lies below ours
        import traceback  # only a fault pays for it

        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def _say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
