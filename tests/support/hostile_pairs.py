"""Two numbers of a file made hostile at once, in a process of its own that tells which pairs cost too much.

Run as `python hostile_pairs.py FOLDER whole|sample FIRST STEP`: every STEP-th case from FIRST on.
Writes one line for each that took too long, too much memory, or raised what is no QcapsError; at the end
"done" and how many there were.
"""

from __future__ import annotations

import copy
import itertools
import re
import resource
import signal
import sys
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from qcaps.driver.reference import reference
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.driver.driver import QemuDriver

SECONDS = 1.0
MEBIBYTES = 100
NUMBERS = (
    "0", "-1", "1", "1000000", "16384", "2147483647", "4294967295", "9223372036854775807",
    "18446744073709551615", "0-16383",
)  # fmt: skip

_NUMBER = re.compile(r"(?:0x)?[0-9]+(?:-[0-9]+)?")

_PARTS = tuple(
    etree.parse(
        Path(__file__).parents[1] / "samples" / "numbers.xml",
        etree.XMLParser(remove_blank_text=True, remove_comments=True),
    ).getroot()
)

BARE = "<memory>262144</memory>"
FURNITURE = (
    "<memory>1048576</memory><maxMemory slots='4'>8388608</maxMemory><vcpu>4</vcpu><iothreads>2</iothreads>"
    "<memoryBacking><access mode='shared'/></memoryBacking><features><ioapic driver='qemu'/></features>"
    "<cpu><numa><cell id='0' cpus='0-3' memory='1048576'/></numa></cpu>"
)


_TURNS: tuple[tuple[str | None, str | None], ...] = (
    *((number, number) for number in NUMBERS),
    ("16383", "0-16383"),
    ("0-16383", "16383"),
    *((number, None) for number in ("1000000", "4294967295")),
    *((None, number) for number in ("1000000", "4294967295")),
)
"""What the two numbers become; None leaves one as it is."""


class Place(NamedTuple):
    """A number: the part it is in, the element in that part, its attribute or "" for its text."""

    part: int
    element: int
    key: str


def places() -> list[Place]:
    """Every number of every part."""
    found = []
    for part, root in enumerate(_PARTS):
        for element, node in enumerate(root.iter()):
            found += [
                Place(part, element, str(key)) for key, said in node.items() if _NUMBER.fullmatch(str(said))
            ]
            if node.text and _NUMBER.fullmatch(node.text.strip()):
                found.append(Place(part, element, ""))
    return found


def cases(*, whole: bool) -> Iterator[Callable[[], bytes]]:
    """What makes a domain for each pair of places and each of `_TURNS`.

    Every other one has what the parts need beside it: CPUs, threads, nodes, shared memory. Unless they are to
    be the `whole` grid, each pair of places outside the devices comes once, and of the others one in ten.
    """
    random = Random(0)
    for one, other in itertools.combinations(places(), 2):
        apart = _PARTS[one.part].tag != "part" or _PARTS[other.part].tag != "part"
        chosen = random.randrange(len(_TURNS) * (10 if apart else 1))
        for turn, (here, there) in enumerate(_TURNS):
            furnished = bool(random.getrandbits(1))
            if whole or turn == chosen:
                yield partial(domain, ((one, here), (other, there)), furnished=furnished)


def domain(changes: tuple[tuple[Place, str | None], ...], *, furnished: bool = False) -> bytes:
    """A domain of the parts that are changed, furnished or bare."""
    parts: dict[int, list[etree._Element]] = {}
    for place, number in changes:
        if place.part not in parts:
            parts[place.part] = list(copy.deepcopy(_PARTS[place.part]).iter())
        node = parts[place.part][place.element]
        if number is None:
            continue
        if place.key:
            node.set(place.key, number)
        else:
            node.text = number
    root = etree.fromstring(
        "<domain type='kvm'><name>x</name>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices/></domain>"
    )
    for nodes in parts.values():
        for child in list(nodes[0]):
            _put(root if nodes[0].tag == "part" else root.find("devices"), child, once=nodes[0].tag == "part")
    for furniture in list(etree.fromstring(f"<part>{FURNITURE if furnished else BARE}</part>")):
        if furnished or root.find(str(furniture.tag)) is None:
            _put(root, furniture, once=True)
    return etree.tostring(root)


def _put(where: etree._Element | None, node: etree._Element, *, once: bool) -> None:
    """Puts `node` there; what it holds, where one of its name is there already."""
    if where is None:
        return
    same = where.find(str(node.tag)) if once else None
    if same is None:
        where.append(node)
        return
    for key, value in node.items():
        if same.get(key) is None:
            same.set(key, value)
    for child in list(node):
        _put(same, child, once=True)


class _TooLongError(BaseException):
    """Raised by the alarm; no QcapsError and no Exception, so that nobody takes it for a refusal."""


def _alarm(_signal: int, _frame: object) -> None:
    raise _TooLongError


def _attempt(driver: QemuDriver, data: bytes) -> str:
    """What is wrong with the answer to `data`; "" where nothing is."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        try:
            name = driver.define(data).domain.name
        except QcapsError:
            return ""
        try:
            driver.start(name)
            driver.destroy(name)
        except QcapsError:
            pass
        driver.undefine(name)
    except _TooLongError:
        return f"takes more than {time.process_time() - began:.1f} s"
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(folder: str, which: str, first: int, step: int) -> None:
    """Goes through the cases."""
    signal.signal(signal.SIGPROF, _alarm)
    driver = reference(Path(folder), policy="once", validity="trust")
    bare = domain(())
    driver.warm(bare)
    _attempt(driver, bare)
    base = _peak()
    bound = (base + 20 * MEBIBYTES) << 20
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    count = 0
    for make in itertools.islice(cases(whole=which == "whole"), first, None, step):
        data = make()
        wrong = _attempt(driver, data)
        peak = _peak()
        if peak - base > MEBIBYTES:
            wrong = wrong or f"takes {peak - base} MiB"
            base = peak
        if wrong:
            sys.stdout.write(f"{wrong}: {data.decode()}\n")
            for name in list(driver.running):
                driver.destroy(name)
            for name in list(driver.domains):
                driver.undefine(name)
        count += 1
    sys.stdout.write(f"done {count}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
