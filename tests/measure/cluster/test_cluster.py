"""Many hosts: a real scheduler and its workers on the loopback, with TLS; they are killed, and do not fit."""

from __future__ import annotations

import importlib.util
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import qcaps
from qcaps.commands.doctor.finding import Finding
from qcaps.commands.doctor.hosts import tables as hosts_tables
from qcaps.commands.doctor.hosts import warnings
from qcaps.errors import QcapsError
from qcaps.measure.cell import Cell
from qcaps.measure.cluster import connection
from qcaps.measure.cluster.connection import Access, connected
from qcaps.measure.cluster.errands import OnHosts
from qcaps.measure.cluster.gating import ManyBenches
from qcaps.measure.gate.benches import take_pairs
from qcaps.measure.gate.decision import GateOutcome
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.revisions import ArmSource, arm_from
from qcaps.measure.results import results_file
from qcaps.measure.schedule import Log, Plan, measure
from tests.conftest import without_component
from tests.support.clusters import FILES, Loopback, alive, below, loopback
from tests.support.waiting import but_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICKEST = """
from qcaps.measure.cell import Cell
SUMMARY = "loops"
def cells():
    for number in range(8):
        yield Cell(f"loop-{number}", 500, subject="loop")
"""
NOISY = """
import os, random
from pathlib import Path
from qcaps.measure.gate import rounds
from qcaps.measure.results.answered import measured  # Dask may load this file twice
def shaken(cell, answer, arm, number, *, blocks, facts):
    if Path(f"{os.environ['QCAPS_HOST']}-is-loud").exists():
        share = random.uniform(1.0, 3.0)
        blocks = [[int(value * share) for value in block] for block in blocks]
    return measured(cell, answer, arm, number, blocks=blocks, facts=facts)
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


@pytest.fixture(autouse=True, scope="module")
def with_dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        without_component("Dask distributed is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "noisy.py").write_text(NOISY)
    with loopback(folder, "a", "b", workers=("--preload", str(folder / "noisy.py"))) as found:
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


def content(folder: Path) -> list[str]:
    suites = folder / "content" / "bench" / "suites"
    suites.mkdir(parents=True)
    (suites / "quickest.py").write_text(QUICKEST)
    return ["--content", str(folder / "content")]


def test_a_run_uses_every_host_and_says_which(cluster: Loopback, tmp_path: Path) -> None:
    plan = ["run", "--scenario", "serials", "-n", "1", "--policy", "once", "--validity", "trust"]
    out = ["--task", "define", "--pairs", "2", "--processes", "8", "-o", str(tmp_path / "out")]
    call(*plan, *cluster.options, *out)
    results = results_file.read(tmp_path / "out" / "results.json")
    assert [one.cell.policy for one in results.measured] == ["naive", "once"]
    for one in results.measured:
        assert sorted(run.worker for run in one.runs) == list(range(8))
        assert {run.facts["hostname"] for run in one.runs} == {"a", "b"}
    facts = results.measured[0].runs[0].facts
    assert str(facts["command_line"]).endswith(" ".join(out))
    assert facts["cpu_affinity"] != "not pinned"


@contextmanager
def hosts_of(cluster: Loopback) -> Iterator[OnHosts]:
    with connected(access_to(cluster)) as joined:
        yield OnHosts(joined, {})


def access_to(cluster: Loopback) -> Access:
    return Access(cluster.address, **{name: cluster.folder / file for name, file in FILES.items()})


@pytest.mark.slow
def test_a_killed_worker_takes_its_children_along_and_its_errand_is_done_once(
    cluster: Loopback, tmp_path: Path
) -> None:
    cells = tuple(Cell("loop", 20_000 + number, subject="loop") for number in range(8))
    plan, log = Plan(cells=cells, pairs=4, processes=2), Log()
    children: list[int] = []
    kills = iter(("a", "b", "a"))

    def strike(done: float, _of: int, _what: str) -> None:
        if done % 3 == 0 and (worker := next(kills, None)):
            end = time.monotonic() + 60
            while not (busy := [pid for pid in below(cluster.workers[worker].pid) if is_timing(pid)]):
                assert time.monotonic() < end
                time.sleep(0.01)
            children.extend(busy)
            cluster.kill(worker)

    with hosts_of(cluster) as hosts:
        measure(plan, tmp_path / "results.json", log, hosts, strike)
    assert next(kills, None) is None
    assert (log.lost, log.refused, log.not_reached) == ({}, {}, ())
    results = results_file.read(tmp_path / "results.json")
    assert results == log.results
    assert sorted(run.worker for one in results.measured for run in one.runs) == list(range(16))
    assert all(len(run.blocks) == 4 for one in results.measured for run in one.runs)
    assert children
    assert not any(map(alive, children))


def test_a_gate_leaves_a_noisy_host_out_and_names_it(cluster: Loopback, tmp_path: Path) -> None:
    (tmp_path / "margins.toml").write_text('[default]\ndelta = "30 %"\nmargin = "60 %"\n')
    gate = ["gate", "--base-python", sys.executable, "--suite", "quickest", *content(tmp_path)]
    margins = ["--margins", str(tmp_path / "margins.toml"), "-o", str(tmp_path / "out")]
    (cluster.folder / "b-is-loud").touch()
    try:
        done = call(*gate, *margins, *cluster.options, "--json")
    finally:
        (cluster.folder / "b-is-loud").unlink()
    report = json.loads(done.stdout)
    assert [row["verdict"] for row in report["rows"]] == ["PASS"] * 8
    (left_out,) = (note for note in report["notes"] if note.startswith("host "))
    assert left_out.startswith("host b is left out: ")
    base, head = (results_file.read(tmp_path / "out" / f"{side}.json") for side in ("base", "head"))
    for one, other in zip(base.measured, head.measured, strict=True):
        hosts = [(run.worker, run.facts["hostname"], run.facts["gate_session"]) for run in one.runs]
        assert hosts == [(run.worker, run.facts["hostname"], run.facts["gate_session"]) for run in other.runs]
        assert {host for _, host, _ in hosts} == {"a"}
        assert [number for number, *_ in hosts] == sorted({number for number, *_ in hosts})
    # what it wrote is judged again from the files as it was
    files = [str(tmp_path / "out" / f"{side}.json") for side in ("base", "head")]
    again = json.loads(call("gate", *files, *margins[:2], "--json").stdout)
    assert [row["verdict"] for row in again["rows"]] == ["PASS"] * 8


@pytest.mark.slow
def test_rounds_of_a_host_that_is_gone_are_taken_by_another_and_count_once(
    cluster: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LOST_SECONDS", 3.0)
    cluster.start("gone")
    loop, store, outcome = Cell("loop", 500, subject="loop"), PairStore(None), GateOutcome()
    base, head = (arm_from(ArmSource(name), Path(), Path(), print) for name in ("base", "head"))

    def end() -> None:
        deadline = time.monotonic() + 60
        while not any(is_timing(pid) for pid in below(cluster.workers["gone"].pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        cluster.end("gone")

    with hosts_of(cluster) as hosts:
        benches = ManyBenches(
            cluster=hosts.cluster,
            arms=(base, head),
            sources={loop: ""},
            session={},
            patience=60.0,
            draw=random.Random(1),
            notes=outcome.notes,
        )
        benches.check_counts(outcome)
        ending = threading.Thread(target=end)
        ending.start()
        take_pairs(benches, {loop: 12}, store)
        ending.join(60)
    assert outcome.counts[loop][0].lookups == 0
    assert outcome.notes == ["host gone is left out: it has had no Dask worker for 3 s"]
    assert [pair.number for pair in store.pairs[loop]] == list(range(12))
    assert {pair.host for pair in store.pairs[loop]} >= {"a", "b"}
    assert all(pair.host == run.facts["hostname"] == other.facts["hostname"]
               for pair, (run, other) in zip(store.pairs[loop], store.runs(loop), strict=True))  # fmt: skip


def test_each_host_s_doctor_is_a_column(cluster: Loopback) -> None:
    plain = json.loads(call("doctor", *cluster.options, "--json").stdout)
    assert plain["schema"] == "qcaps/doctor-hosts/1"
    found = {host: tuple(Finding(**one) for one in some) for host, some in plain["hosts"].items()}
    assert list(found) == ["a", "b"]
    found["a"] = (Finding("governor", ok=False, text="powersave", advice="set performance"), *found["a"][3:])
    (table,) = hosts_tables(found)
    drawn = io.StringIO()
    Console(width=80, file=drawn).print(table)
    said = drawn.getvalue().splitlines()
    assert said[0].split() == ["check", "a", "b"]
    rows = {line[:17].strip(): line[17:].split() for line in said}
    assert rows["memory"] == ["ok", "ok"]
    assert rows["same qcaps"] == ["-", "ok"]
    assert rows["governor"] == ["warn", "ok"]
    assert ("a", found["a"][0]) in list(warnings(found))


def refusal(access: Access) -> str:
    """Why there is no cluster."""
    with pytest.raises(QcapsError) as refused, connected(access):
        pass
    return str(refused.value)


def test_workers_that_do_not_fit_are_refused_by_name(cluster: Loopback, tmp_path: Path) -> None:
    cluster.start("twin", host="a")
    assert "host a: two Dask workers (" in refusal(access_to(cluster))
    cluster.end("twin")
    cluster.start("bare", resources="bench=1")
    assert "host bare: its Dask worker has not the resources bench=1,bare=1" in refusal(access_to(cluster))
    cluster.end("bare")
    shutil.copytree(Path(qcaps.__file__).parent, tmp_path / "other" / "qcaps")
    with (tmp_path / "other" / "qcaps" / "errors.py").open("a") as file:
        file.write("# another\n")
    cluster.start("other", PYTHONPATH=str(tmp_path / "other"))
    said = refusal(access_to(cluster))
    assert said.startswith("qcaps is not the same everywhere (")
    assert said.endswith(": host other): times do not compare")
    with connected(access_to(cluster), alike=False) as doctor:  # which is there to say so
        assert doctor.hosts.keys() == {"a", "b", "other"}
    cluster.end("other")


@contextmanager
def long_run(cluster: Loopback, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that would take minutes, when its first results are there."""
    plan = ["run", "--scenario", "serials", "-n", "1", "--validity", "trust", "--processes", "900", "-q"]
    with subprocess.Popen(
        [sys.executable, "-m", "qcaps", *plan, *cluster.options, "-o", str(folder / "out")],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            end = time.monotonic() + 60
            while not (folder / "out" / "results.json").exists() and process.poll() is None:
                assert time.monotonic() < end
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_interrupted_it_takes_its_errands_back_and_keeps_what_it_has(
    cluster: Loopback, tmp_path: Path
) -> None:
    with long_run(cluster, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert but_progress(said).startswith("qcaps: interrupted; ")
    assert results_file.read(tmp_path / "out" / "results.json").measured
    end = time.monotonic() + 20
    while busy := [pid for one in ("a", "b") for pid in below(cluster.workers[one].pid) if is_timing(pid)]:
        assert time.monotonic() < end, busy
        time.sleep(0.05)


@pytest.mark.slow
def test_when_the_scheduler_dies_it_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    with loopback(tmp_path, "c", tls=False) as own, long_run(own, tmp_path) as process:
        own.scheduler.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == f"qcaps: error: {own.address}: the scheduler went away; what was measured is kept\n"
    assert results_file.read(tmp_path / "out" / "results.json").measured


def is_timing(pid: int) -> bool:
    with suppress(OSError):
        return "qcaps.measure.worker." in Path(f"/proc/{pid}/cmdline").read_text()
    return False


def test_a_scheduler_that_is_not_there_or_speaks_otherwise_is_one_line(
    cluster: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["run", "--scenario", "serials", "-n", "1", "-o", str(tmp_path / "out"), "--on"]
    assert "TLS needs --tls-ca" in one_line(*run, cluster.address, status=2)
    assert "expected tls://HOST:PORT" in one_line(*run, "localhost", status=2)
    assert "it hangs up: it speaks TLS" in one_line(*run, cluster.address.replace("tls", "tcp"))
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 2.0)
    assert "no scheduler answers there" in refusal(replace(access_to(cluster), address="tls://127.0.0.1:1"))
    preload = tmp_path / "other_dask.py"
    preload.write_text(OTHER_DASK)
    with loopback(tmp_path, tls=False, preload=str(preload)) as plain:
        assert "the scheduler has distributed 2020.1.0, this command " in refusal(Access(plain.address))
        tls = replace(access_to(cluster), address=plain.address.replace("tcp", "tls"))
        assert "no TLS with it: it speaks none" in refusal(tls)
