"""`qcaps live` from the outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.commands.live.output import said
from qcaps.live.count import RUNS_TO_SETTLE, count
from qcaps.live.counting.meter import Cost
from qcaps.live.errors import LiveError
from qcaps.live.host.libvirt_process import LiveDone
from qcaps.measure.cell import grid
from qcaps.measure.results import results_file as results
from qcaps.measure.results.results_file import Results
from qcaps.measure.subject import Counts
from qcaps.release import nearest, of_version
from qcaps.report.summary import ratio_of
from qcaps.report.table import nothing_spared
from qcaps.scenario import scenario
from tests.support import reporting

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.libvirt
@pytest.mark.root
def test_count_prints_a_table_and_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "count", "--scenario", "simple", "-n", "1", "--task", "define", "detach"]) == 0
    out = capsys.readouterr().out
    assert out.count("equal") == 2
    assert "counted by the interposer" in out


@pytest.mark.libvirt
@pytest.mark.root
def test_count_says_when_the_hosts_own_device_would_storm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Storming:
        storms = True

    for storms in (True, False):
        Storming.storms = storms
        monkeypatch.setattr("qcaps.cache.machine.machine_below", lambda *_, **__: Storming)
        monkeypatch.setattr("qcaps.cache.machine.storm_of", lambda _: "it storms")
        assert main(["live", "count", "-n", "0"]) == 0
        assert ("on this host's own libvirt: it storms" in capsys.readouterr().err) is storms


class _Scripted:
    """A libvirt whose costs are given: (lookups, answered, forks) of each run as it is."""

    counted_by, fallback = "interposer", ""

    def __init__(self, script: dict[str, list[tuple[int, int, int]]]) -> None:
        self.script = script
        self.runs: list[str] = []

    class installation:  # noqa: N801
        version, version_name, library = 12_000_000, "12.0.0", "/opt/libvirt.so.0"
        nearest = nearest(of_version(version))

    def costs(self, task: str, _xml: str, once: list[bool]) -> tuple[Cost, ...]:
        if task not in self.script:
            raise LiveError(f"libvirt refuses to {task}: it says so")
        made = []
        for _each in once:
            self.runs.append(task)
            rest = self.script[task]
            lookups, answered, forks = rest.pop(0) if len(rest) > 1 else rest[0]
            made.append(Cost(1000 + len(self.runs), lookups, 1, answered, forks, {"post-parse": lookups}))
        return tuple(made)

    def run(self, task: str, xml: str) -> LiveDone:
        (cost,) = self.costs(task, xml, [False])
        return LiveDone(accepted=True, xml=xml, lookups=cost.lookups, forks=cost.forks)


def test_a_cell_with_nothing_to_spare_is_said_in_words() -> None:
    cells = grid(("disks",), (1,), validities=("ctime",), policies=("stock", "once"))
    once = Counts(12, 1, 1, 0, 0, {})
    found = reporting.of(replace(cell, subject="libvirt") for cell in cells).measured
    (line,) = nothing_spared(Results(tuple(replace(one, counts=once) for one in found)))
    assert line == "disks/1 define on libvirt: looks up once already, or not at all: nothing to spare"


def test_a_task_is_counted_when_its_counts_repeat() -> None:
    # the first lookup makes the capabilities, the second is the first to ask whether KVM can be used
    late = _Scripted({"define": [(1, 0, 2), (1, 0, 1), (1, 0, 0)]})
    one = count(late, "disks", 0, "define", scenario("disks").xml(0))  # type: ignore[arg-type]
    assert (one.lookups, one.forks, one.settled, one.storm, len(late.runs)) == (1, 0, True, False, 4)
    never = _Scripted({"define": [(number, 0, 0) for number in range(9)]})
    one = count(never, "disks", 0, "define", scenario("disks").xml(0))  # type: ignore[arg-type]
    assert (one.settled, len(never.runs)) == (False, RUNS_TO_SETTLE)


@pytest.mark.libvirt
@pytest.mark.root
def test_count_is_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "count", "-n", "4", "--counting", "log", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["counted_by"]) == ("qcaps/live-count/1", "log")
    (one,) = answer["counts"]
    assert (one["lookups"], one["law"], one["verdict"], one["forks"]) == (20, 20, "equal", None)


@pytest.mark.libvirt
@pytest.mark.root
def test_system_calls_are_counted_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["live", "count", "--scenario", "serials", "-n", "1", "11", "--syscalls"]
    assert main([*arguments, "--json"]) == 0
    one, other = json.loads(capsys.readouterr().out)["counts"]
    assert other["system_calls"] - one["system_calls"] == 14 * (other["lookups"] - one["lookups"])
    assert main([*arguments, "--daemon"]) == 2
    assert "embedded driver only" in capsys.readouterr().err


def _whatif(folder: Path, *arguments: str) -> list[str]:
    return ["live", "whatif", *arguments, "--output", str(folder), "--json"]


@pytest.mark.libvirt
@pytest.mark.root
def test_what_if_leaves_a_results_file_that_reports_and_pyperf_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = ("disks", "kitchen-sink")  # the second has a redirfilter, which looks nothing up
    assert main(_whatif(tmp_path, *names, "-n", "1", "--pairs", "8")) == 0
    speedups = json.loads(capsys.readouterr().out)["speedups"]
    file = tmp_path / "results.json"
    found = results.read(file).measured
    assert [(one.cell.scenario, one.cell.subject, one.cell.policy) for one in found] == [
        (name, "libvirt", policy) for name in names for policy in ("stock", "once")
    ]
    assert [(one.counts.devices, one.counts.lookups) for one in found[:2]] == [(12, 14), (12, 1)]
    assert found[2].counts.lookups == found[2].counts.devices + 1
    ratio = ratio_of(found[0], found[1])
    assert ratio is not None
    assert ratio.ratio in [pytest.approx(one["ratio"]) for one in speedups]
    assert all(len(one.runs[0].blocks) == 8 for one in found)
    shown = subprocess.run(
        [sys.executable, "-m", "pyperf", "stats", str(file)], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "2 of 2 domains counted exactly that" in (tmp_path / "report.html").read_text()


@pytest.mark.libvirt
def test_a_folder_is_counted_whatever_one_of_its_files_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fine.xml").write_text(scenario("disks").xml(1))
    (tmp_path / "broken.xml").write_text("no xml")
    assert main(["live", "count", str(tmp_path), "--json"]) == 1
    broken, fine = json.loads(capsys.readouterr().out)["counts"]
    assert (broken["verdict"], fine["verdict"]) == ("refused", "equal")
    assert broken["error"].startswith(f"{tmp_path}/broken.xml:1: is not XML")


@pytest.mark.libvirt
@pytest.mark.root
def test_a_folder_of_guests_is_a_row_each_the_slowest_first_and_the_refused_one_in_its_own_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    guests = tmp_path / "guests"
    guests.mkdir()
    for name, n in (("small", 1), ("large", 64)):
        (guests / f"{name}.xml").write_text(scenario("serials").xml(n))
    (guests / "wrong.xml").write_text(scenario("serials").xml(1).replace("<vcpu>1", "<vcpu>0"))
    (guests / "none.xml").write_text("<network/>")
    arguments = ["live", "whatif", str(guests), "--pairs", "6", "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out.index("large") < said.out.index("small")
    assert "all 2 on libvirt: 91 lookups become 2 with 'once'" in said.out.replace("\n", " ")
    assert "Number of CPUs" in said.err or "vcpu" in said.err
    assert "none.xml" in said.err
    written = (tmp_path / "out" / "results.json").read_text()
    assert "<domain" not in written, "results never hold what is in a user's file"


@pytest.mark.libvirt
@pytest.mark.root
def test_a_refusal_is_one_line_and_exit_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "broken.py").write_text(
        "SUMMARY = 'n sound cards that do not exist'\n"
        "LARGEST = {'q35': 9}\n"
        "def devices(n, machine, random):\n"
        "    yield from [\"<sound model='made-up'/>\"] * n\n"
    )
    assert main(["live", "count", "--scenario", "broken", "-n", "0", "1", "--content", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "equal" in captured.out
    assert "refused" in captured.out
    assert len([line for line in captured.err.splitlines() if "this host's own" not in line]) == 1


@pytest.mark.libvirt
@pytest.mark.root
def test_without_a_compiler_the_log_counts_and_the_output_says_why(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "setpriv", "unshare", "mount", "mkdir", "grep", "cp", "mknod", "stat"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", "live", "count", "-n", "0", "--json"],
        env={**os.environ, "PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["counted_by"] == "log"
    assert answer["counts"][0]["lookups"] == 12
    assert "no C compiler" in done.stderr


@pytest.mark.libvirt
@pytest.mark.root
def test_whatif_pairs_and_spares_lookups(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(_whatif(tmp_path, "serials", "-n", "128", "--pairs", "12")) == 0
    (one,) = json.loads(capsys.readouterr().out)["speedups"]
    assert one["lookups"] == {"stock": 141, "once": 1}
    assert 1.5 < one["low"] <= one["ratio"] <= one["high"]


@pytest.mark.libvirt
@pytest.mark.root
def test_probe_names_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "probe", "qemu-system-x86_64", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["differences"]) == ("qcaps/live-probe/1", [])
    assert answer["libvirt_seconds"] > 0


@pytest.mark.libvirt
@pytest.mark.root
def test_the_gate_holds_counts_and_times_of_two_builds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    margins = tmp_path / "margins.toml"
    margins.write_text("[default]\ndelta = '100 %'\nmargin = '400 %'\n")
    two = ["gate", "--base", "libvirt", "--head", "libvirt:/usr", "disks", "-n", "2", "--json"]
    arguments = [*two, "--margins", str(margins), "--output", str(tmp_path / "gate"), "--wait", "60"]
    assert main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "libvirt 9" in answer["head"]
    (one,) = answer["rows"]
    assert (one["lookups"], one["verdict"]) == (16, "PASS")
    counted = [*two, "--task", "attach", "--counts-only", "--output", str(tmp_path / "counts")]
    assert main(counted) == 0
    (one,) = json.loads(capsys.readouterr().out)["counts"]
    assert (one["base_lookups"], one["head_lookups"], one["head_devices"]) == (4, 4, 15)


@pytest.mark.libvirt
@pytest.mark.root
def test_a_root_that_may_not_isolate_is_told_what_to_do() -> None:
    command = [sys.executable, "-m", "qcaps", "live", "count", "-n", "0"]
    lesser = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    done = subprocess.run([*lesser, *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "isolation is refused (unshare" in line
    assert "as an ordinary user" in line


@pytest.mark.libvirt
@pytest.mark.root
def test_a_missing_binding_is_named(tmp_path: Path) -> None:
    """A stand-in that fails to import as a missing one does: the real one cannot be taken away."""
    (tmp_path / "libvirt.py").write_text("raise ModuleNotFoundError('no libvirt', name='libvirt')\n")
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", "live", "count", "-n", "0"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "qcaps: error: libvirt-python is not installed: pip install 'qcaps[live]'\n"


@pytest.mark.libvirt
@pytest.mark.root
def test_an_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    ours = ("-n", "128", "--pairs", "100000", "--output", str(tmp_path))
    command = [sys.executable, "-m", "qcaps", "live", "whatif", *ours]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 130
    # what it had by then, if anything, is kept and drawn
    assert complaint.splitlines()[-1].startswith("qcaps: interrupted")
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["count", "--task", "reboot"], "no task 'reboot'"),
        (["count", "-n", "9999999"], "takes 0 to"),
        (["watch", "qemu:///system", "--yes", "--interval", "0"], "above 0"),
        (["count", "--uri", "qemu:///system"], "--yes"),
        (
            ["count", "--uri", "qemu:///system", "--yes", "--counting", "interposer"],
            "by its log or by uprobes",
        ),
        (["count", "--uri", "qemu:///system", "--yes", "--daemon"], "choose it or --uri"),
        (["whatif", "--pairs", "0"], "expected a whole number, 1"),
        (["whatif", "--subject", "libvirt:qemu:///system"], "--yes"),
        (["whatif", "--subject", "libvrit"], "no subject 'libvrit'"),
        (["dance"], "no such choice: 'dance'"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_starts(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", *arguments]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_what_libvirt_is_called_reaches_no_terminal_as_it_is() -> None:
    about = {"libvirt": "9.0.0", "library": "/opt/\x1b[31m/lib", "counted_by": "log"}
    assert said(about) == r"libvirt 9.0.0 (/opt/\x1b[31m/lib), counted by the log"
