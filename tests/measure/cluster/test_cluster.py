"""Many hosts: a real scheduler and its workers on the loopback, with TLS; they are killed, and do not fit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import qcaps
from qcaps.measure.results import results_file
from tests.support.clusters import Loopback, alive, below, loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("distributed")

QUICKEST = """
from qcaps.measure.cell import Cell
SUMMARY = "loops, of which one takes some time"
def cells():
    for n in range({cells}):
        yield Cell("loop", {loops} + n, subject="loop")
"""
NOISY = """
import random
from qcaps.measure.gate import rounds
measured = rounds.measured
def shaken(cell, answer, arm, number, *, blocks, facts):
    share = random.choice((1.0, 1.5))
    louder = [[int(value * share) for value in block] for block in blocks]
    return measured(cell, answer, arm, number, blocks=louder, facts=facts)
rounds.measured = shaken
"""
OTHER_DASK = """
import distributed.versions
told = distributed.versions.get_versions
import distributed.core, distributed.scheduler
def dask_setup(scheduler):
    async def versions(**_):
        found = told()
        found["packages"]["distributed"] = "2020.1.0"
        return found
    scheduler.handlers["versions"] = versions
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with loopback(tmp_path_factory.mktemp("cluster"), "a", "b") as found:
        yield found


def call(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", *arguments], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == status, done.stderr
    return done


def one_line(*arguments: str, status: int = 1) -> str:
    said = call(*arguments, status=status).stderr
    assert said.startswith("qcaps: error: ")
    assert said.count("\n") == 1
    return said


def content(folder: Path, cells: int, loops: int) -> list[str]:
    suites = folder / "content" / "bench" / "suites"
    suites.mkdir(parents=True)
    (suites / "quickest.py").write_text(QUICKEST.format(cells=cells, loops=loops))
    return ["--content", str(folder / "content")]


def test_a_run_uses_every_host_and_says_which(cluster: Loopback, tmp_path: Path) -> None:
    suite = content(tmp_path, 4, 500)
    out = ["--pairs", "2", "--processes", "3", "-o", str(tmp_path / "out"), "-v"]
    plan = ["run", "quickest", *suite, *cluster.options, *out]
    call(*plan)
    results = results_file.read(tmp_path / "out" / "results.json")
    runs = [(one.cell.n, run.worker, run.facts["hostname"]) for one in results.measured for run in one.runs]
    assert sorted((n, worker) for n, worker, _ in runs) == sorted((500 + w % 4, w) for w in range(12))
    assert {host for *_, host in runs} == {"a", "b"}
    facts = results.measured[0].runs[0].facts
    assert str(facts["command_line"]).endswith(" ".join(out))
    assert facts["cpu_affinity"] != "not pinned"
    again = call(*plan)
    assert "measured already" in again.stderr


@pytest.mark.slow
def test_a_killed_worker_takes_its_children_along_and_its_order_is_done_once(
    cluster: Loopback, tmp_path: Path
) -> None:
    suite = content(tmp_path, 8, 20_000)
    children: list[int] = []

    def strike() -> None:
        for worker in ("a", "b", "a"):
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.02)
                if busy := [pid for nanny in below(cluster.workers[worker].pid)[:1] for pid in below(nanny)]:
                    break
            children.extend(busy)
            registered = (cluster.folder / f"{worker}.log").read_text().count("Registered to:")
            cluster.kill(worker)
            cluster.wait_for(worker, registered + 1)

    killer = threading.Thread(target=strike)
    killer.start()
    call(
        "run",
        "quickest",
        *suite,
        *cluster.options,
        "--pairs",
        "3",
        "--processes",
        "2",
        "-o",
        str(tmp_path / "out"),
    )
    killer.join(120)
    results = results_file.read(tmp_path / "out" / "results.json")
    workers = [run.worker for one in results.measured for run in one.runs]
    assert sorted(workers) == list(range(16))
    assert all(
        len(run.blocks) == 3 and "cut_short" not in run.facts for m in results.measured for run in m.runs
    )
    assert children
    assert not any(map(alive, children))


def test_a_gate_s_pairs_are_each_of_one_host_and_a_noisy_host_is_left_out(
    cluster: Loopback, tmp_path: Path
) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(NOISY)
    cluster.start("loud", "--preload", str(noisy))
    (tmp_path / "margins.toml").write_text('[default]\ndelta = "30 %"\nmargin = "60 %"\n')
    gate = ["gate", "--base-python", sys.executable, "--suite", "quickest", *content(tmp_path, 1, 500)]
    margins = ["--margins", str(tmp_path / "margins.toml"), "-o", str(tmp_path / "out")]
    done = call(*gate, *margins, *cluster.options, "--json")
    cluster.end("loud")
    report = json.loads(done.stdout)
    assert [row["verdict"] for row in report["rows"]] == ["PASS"]
    (left_out,) = (note for note in report["notes"] if note.startswith("host "))
    assert left_out.startswith("host loud is left out: ")
    (base,), (head,) = (
        results_file.read(tmp_path / "out" / f"{side}.json").measured for side in ("base", "head")
    )
    hosts = [(run.worker, run.facts["hostname"], run.facts["gate_session"]) for run in base.runs]
    assert hosts == [(run.worker, run.facts["hostname"], run.facts["gate_session"]) for run in head.runs]
    assert {host for _, host, _ in hosts} == {"a", "b"}
    assert [number for number, *_ in hosts] == list(range(len(hosts)))
    # what it wrote is judged again from the files as it was
    files = [str(tmp_path / "out" / f"{side}.json") for side in ("base", "head")]
    again = json.loads(call("gate", *files, *margins[:2], "--json").stdout)
    assert [row["verdict"] for row in again["rows"]] == ["PASS"]


def test_each_host_s_doctor_is_a_column(cluster: Loopback) -> None:
    said = call("doctor", *cluster.options).stdout.splitlines()
    assert said[0].split() == ["check", "a", "b"]
    rows = {line[:15].strip(): line[15:].split() for line in said}
    assert rows["same qcaps"] == rows["same python"] == rows["memory"] == ["ok", "ok"]
    assert all(
        len(line) <= 80 for line in said[: len(rows) - 1] if line[15:].strip() in ("ok ok", "warn warn")
    )


def test_what_does_not_fit_is_one_line(cluster: Loopback, tmp_path: Path) -> None:
    run = ["run", "quickest", *content(tmp_path, 1, 500), "-o", str(tmp_path / "out")]
    cluster.start("twin", host="a")
    assert "host a: two Dask workers (" in one_line(*run, *cluster.options)
    cluster.end("twin")
    cluster.start("bare", resources="bench=1")
    assert "host bare: its Dask worker has not the resources bench=1,bare=1" in one_line(
        *run, *cluster.options
    )
    cluster.end("bare")
    shutil.copytree(Path(qcaps.__file__).parent, tmp_path / "other" / "qcaps")
    with (tmp_path / "other" / "qcaps" / "errors.py").open("a") as file:
        file.write("# another\n")
    cluster.start("other", PYTHONPATH=str(tmp_path / "other"))
    said = one_line(*run, *cluster.options, status=4)
    assert "qcaps is not the same everywhere (" in said
    assert "): host other" not in said
    assert ": host other)" in said
    cluster.end("other")


def test_a_scheduler_that_is_not_there_or_speaks_otherwise_is_one_line(
    cluster: Loopback, tmp_path: Path
) -> None:
    run = ["run", "quickest", *content(tmp_path, 1, 500), "-o", str(tmp_path / "out")]
    _, _, *pem = cluster.options
    assert "TLS needs --tls-ca" in one_line(*run, "--on", cluster.address, status=2)
    assert "it hangs up: it speaks TLS" in one_line(*run, "--on", cluster.address.replace("tls", "tcp"))
    assert "no scheduler answers there" in one_line(*run, "--on", "tls://127.0.0.1:1", *pem)
    assert "expected tls://HOST:PORT" in one_line(*run, "--on", "localhost", status=2)
    preload = tmp_path / "other_dask.py"
    preload.write_text(OTHER_DASK)
    with loopback(tmp_path, tls=False, preload=str(preload)) as plain:
        assert "the scheduler has distributed 2020.1.0, this command " in one_line(
            *run, *plain.options, status=4
        )
        tls = plain.address.replace("tcp", "tls")
        assert "no TLS with it: it speaks none" in one_line(*run, "--on", tls, *pem)
