"""What travels: errands, deliveries and packages are plain values, and come back the same."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

import qcaps
from qcaps.errors import QcapsError
from qcaps.measure.carrying import Delivery, Errand
from qcaps.measure.cell import Cell
from qcaps.measure.cluster import host, packages
from qcaps.measure.cluster.connection import Access, is_open
from qcaps.measure.results.results_file import Measured, Run
from qcaps.measure.subject import Counts
from qcaps.measure.worker.work import Job

CELL = Cell("disks", 4)
JOB = Job(
    cells=(CELL, Cell("disks", 4, policy="once")), xml="<domain/>", directory="", pairs=2, seconds=1.5, seed=7
)


def test_an_order_and_its_delivery_are_json_and_come_back_the_same() -> None:
    errand = Errand(3, JOB, 42, 60.0, limited=True)
    assert Errand.from_plain(json.loads(json.dumps(errand.to_plain()))) == errand
    run = Run(3, ((0.1 + 0.2, 0.5),), (0.25,), {"hostname": "a"})
    for delivery in (
        Delivery(3, (Measured(CELL, Counts(1, 2, 3, 4, 0), (run,)),), cut_short="hung", steady=False),
        Delivery(3, refused="no such kind"),
    ):
        assert Delivery.from_plain(json.loads(json.dumps(delivery.to_plain())), "host a") == delivery
    with pytest.raises(QcapsError, match=r"^host a: truncated"):
        Delivery.from_plain({**delivery.to_plain(), "measured": "{"}, "host a")


def test_a_package_is_the_same_for_the_same_modules_and_comes_back_whole(tmp_path: Path) -> None:
    package = Path(qcaps.__file__).parent
    packed = packages.pack(package)
    assert len(packed.data) < 1_500_000
    packages.unpack(packed, tmp_path)
    assert packages.pack(tmp_path / "qcaps").digest == packed.digest
    modules = {path.relative_to(package): path.read_bytes() for path in package.rglob("*.py")}
    kept = {one: text for one, text in modules.items() if one.parts[0] != "_content"}
    assert {one.relative_to(tmp_path / "qcaps"): one.read_bytes() for one in tmp_path.rglob("*.py")} == kept
    (tmp_path / "qcaps" / "errors.py").write_text("")
    assert packages.pack(tmp_path / "qcaps").digest != packed.digest


def test_a_portion_made_by_another_qcaps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host.HOST, "node7")
    answer = host.carry_out_portion({"do": "job", "qcaps": "0.0.9 (0123)"})
    assert (answer["host"], answer["kind"]) == ("node7", "MismatchError")
    assert f"has qcaps {host.QCAPS}, not 0.0.9 (0123)" in answer["error"]


@pytest.mark.parametrize(
    ("address", "anyone"),
    [("tls://10.0.0.1:8786", False), ("tcp://127.0.0.1:1", False), ("tcp://10.0.0.1:8786", True)],
)
def test_whoever_reaches_a_scheduler_without_tls_may_run_anything(*, address: str, anyone: bool) -> None:
    assert is_open(Access(address)) == anyone


def test_two_on_one_host_measure_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host.HOST, f"lock-{os.getpid()}")
    entered: list[str] = []

    def second() -> None:
        with host._alone():
            entered.append("second")

    with host._alone():
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        entered.append("first")
    waiting.join(10)
    host._lock_file().unlink()
    assert entered == ["first", "second"]
