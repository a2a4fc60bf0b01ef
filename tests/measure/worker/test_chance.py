"""One draw for both processes of a pair: the same hash seed, memory in the same places."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import qcaps
from qcaps.commands.doctor import this_machine
from qcaps.measure.gate.arms import Arm
from qcaps.measure.gate.relay import running
from qcaps.measure.worker import chance
from qcaps.measure.worker.chance import Chance, Layout, why_random

PLACE = str(Path(qcaps.__file__).resolve().parent.parent)
LOOP_WORK = lambda _arm: '{"loop": []}'  # noqa: E731
ARMS = (Arm("base", sys.executable, path=PLACE), Arm("head", sys.executable, path=PLACE))
NO_RANDOM_ADDRESSES = 0x0040000


def places(draw: Chance, folder: Path) -> list[tuple[int, list[str]]]:
    """Each process's personality, and where its stack, its heap and the C library lie."""
    found = []
    with running(ARMS, LOOP_WORK, draw, folder) as processes:
        for process in processes:
            proc = Path(f"/proc/{process._process.pid}")
            maps = [line.split(maxsplit=5) for line in (proc / "maps").read_text().splitlines()]
            named = [
                one[0].partition("-")[0]
                for one in maps
                if one[-1] in ("[stack]", "[heap]") or "/libc" in one[-1]
            ]
            found.append((int((proc / "personality").read_text(), 16), named))
    return found


@pytest.fixture
def fixed() -> None:
    """Only where the kernel lets us."""
    if why_random():
        pytest.skip(f"layouts cannot be fixed here: {why_random()}")


@pytest.mark.usefixtures("fixed")
def test_both_of_a_pair_have_memory_in_the_same_places_and_the_next_pair_elsewhere(tmp_path: Path) -> None:
    source = random.Random(1)
    base, head = places(Chance.draw(source), tmp_path)
    assert base == head
    assert base[0] & NO_RANDOM_ADDRESSES
    other, again = places(Chance.draw(source), tmp_path)
    assert other == again
    assert base != other


@pytest.mark.usefixtures("fixed")
def test_the_padding_moves_the_stack_by_itself(tmp_path: Path) -> None:
    frames = []
    for padding in (0, 4000):
        draw = Chance(1, Layout(256 << 20, padding))
        with running(ARMS[:1], LOOP_WORK, draw, tmp_path) as (process,):
            fields = Path(f"/proc/{process._process.pid}/stat").read_text().rpartition(")")[2].split()
            frames.append(int(fields[25]))  # startstack
    assert 4000 <= frames[0] - frames[1] <= 4096


def test_without_a_layout_the_kernel_draws_one(tmp_path: Path) -> None:
    why_random.cache_clear()
    before = Path("/proc/self/personality").read_text()
    why_random()
    assert Path("/proc/self/personality").read_text() == before
    base, head = places(Chance(7, None), tmp_path)
    switched_off = Path("/proc/sys/kernel/randomize_va_space").read_text() == "0\n"
    if not int(before, 16) & NO_RANDOM_ADDRESSES and not switched_off:
        assert base != head


def test_a_draw_says_what_it_was() -> None:
    draw = Chance.draw(random.Random(5))
    assert draw == Chance.draw(random.Random(5))
    assert draw != Chance.draw(random.Random(6))
    assert draw.environment({"A": "1"}).items() >= {"A": "1", "PYTHONHASHSEED": str(draw.hash_seed)}.items()
    assert Chance(7, None).facts() == {"hash_seed": "7", "memory_layout": "random"}
    assert Chance(7, Layout(8192, 3)).facts()["memory_layout"] == "stack limit 8192, padding 3"


@pytest.mark.usefixtures("fixed")
def test_the_stack_limit_lies_between_what_the_kernel_reckons_with_and_what_we_may() -> None:
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    for seed in range(200):
        layout = Chance.draw(random.Random(seed)).layout
        assert layout is not None
        assert 128 << 20 <= layout.stack_limit <= 512 << 20
        assert hard == resource.RLIM_INFINITY or layout.stack_limit <= hard
        assert 0 <= layout.padding < 4096


@pytest.mark.parametrize("answers", [[-1], [0, -1]], ids=["asking", "changing"])
def test_where_it_is_refused_only_the_seed_is_drawn_and_the_doctor_says_so(
    answers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses:
        @staticmethod
        def personality(_wanted: int) -> int:
            return answers.pop(0)

    monkeypatch.setattr(chance, "_LIBC", Refuses)  # as the seccomp filter of a container runtime
    why_random.cache_clear()
    try:
        assert Chance.draw(random.Random(1)).layout is None
        found = this_machine._layout()
        assert not found.ok
        assert "personality(2)" in found.text
    finally:
        why_random.cache_clear()


@pytest.mark.parametrize("kilobytes", [8192, 131075, 140000])
def test_a_low_hard_limit_leaves_layouts_to_the_kernel(kilobytes: int) -> None:
    code = (
        "import random; from qcaps.measure.worker.chance import Chance;"
        "from qcaps.commands.doctor import this_machine;"
        "assert Chance.draw(random.Random(1)).layout is None; print(this_machine._layout().text)"
    )
    done = subprocess.run(
        ["bash", "-c", f'ulimit -s {kilobytes} && exec "$0" -c "$1"', sys.executable, code],
        env={**os.environ, "PYTHONPATH": PLACE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hard limit" in done.stdout
