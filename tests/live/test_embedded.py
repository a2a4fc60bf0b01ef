"""The embedded driver of a real libvirt: counts, what-if, isolation, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.capabilities import cachefile
from qcaps.capabilities.probe import probe
from qcaps.live.count import count
from qcaps.live.counting import shim
from qcaps.live.errors import LibvirtDied, LiveError, NoLibvirt
from qcaps.live.host.embedded import Embedded
from qcaps.live.host.installation import find
from qcaps.live.host.live_folder import place
from qcaps.live.probe_difference import differences
from qcaps.live.running_tasks import RUNNING_TASKS
from qcaps.live.tasks import TASKS
from qcaps.lookups import libvirt_laws
from qcaps.scenario import scenario
from tests.support.lawful import by_law

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.libvirt, pytest.mark.root]

QEMU = "/usr/bin/qemu-system-x86_64"
KINDS = (
    "disks", "disks@pc", "nics", "nics@pc", "channels", "channels@pc", "serials", "serials@pc", "usb",
    "usb@pc", "scsi", "scsi@pc", "mixed", "mixed@pc", "simple", "simple@q35", "kitchen-sink",
    "kitchen-sink@pc", "fuzz",
)  # fmt: skip
SIZES = (0, 1, 7, 8, 31, 32, 64)
QUICK_TASKS = sorted(TASKS.keys() - RUNNING_TASKS.keys() - {"start", "createXML", "capabilities"})
MORE_KINDS = {
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "virtio input": "<input type='keyboard' bus='virtio'/>",
    "e1000e": "<interface type='user'><model type='e1000e'/></interface>",
    "sound": "<sound model='ich6'/>",
    "pci-serial": "<serial type='pty'><target type='pci-serial'/></serial>",
    "shmem": "<shmem name='s{index}'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "usb serial": "<serial type='pty'><target type='usb-serial'/></serial>",
    "redirdev": (
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/></redirdev>"
    ),
    "sata disk": (
        "<disk type='file'><source file='/x{index}'/><target dev='sd{letters}' bus='sata'/></disk>"
    ),
    "usb hub": "<hub type='usb'/>",
    "host interface": (
        "<interface type='hostdev'><source>"
        "<address type='pci' domain='0' bus='{bus}' slot='1' function='0'/></source></interface>"
    ),
}


@pytest.fixture(scope="module")
def libvirt() -> Iterator[Embedded]:
    with Embedded("interposer") as subject:
        subject.define(scenario("disks").xml(0))
        yield subject


@pytest.mark.parametrize("kind", KINDS)
def test_every_define_keeps_the_law(libvirt: Embedded, kind: str) -> None:
    family = scenario(kind)
    counts = [count(libvirt, kind, n, "define", family.xml(n)) for n in SIZES if n <= family.largest]
    assert [(one.n, one.verdict, one.error) for one in counts] == [(one.n, "equal", None) for one in counts]
    assert [one.forks for one in counts] == [0] * len(counts)


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_kinds_without_a_scenario_keep_the_law(libvirt: Embedded, kind: str) -> None:
    empty = scenario("disks").xml(0)
    for n in (1, 5):
        inner = "".join(MORE_KINDS[kind].format(index=i, letters="abcdef"[i], bus=i + 1) for i in range(n))
        done = libvirt.define(empty.replace("</devices>", f"{inner}</devices>"))
        assert done.error is None
        assert done.lookups == by_law("define", done.xml)


@pytest.mark.parametrize("task", QUICK_TASKS)
def test_every_task_keeps_the_law(libvirt: Embedded, task: str) -> None:
    assert count(libvirt, "disks", 3, task, scenario("disks").xml(3)).verdict == "equal"


@pytest.mark.parametrize("task", ["start", "createXML"])
def test_a_start_keeps_the_law_and_forks_once(libvirt: Embedded, task: str) -> None:
    done = libvirt.run(task, scenario("disks").xml(1))
    assert done.error is None
    assert done.lookups == by_law(task, done.xml)
    assert done.forks == 1


def test_what_is_done_to_a_running_domain_keeps_the_law(libvirt: Embedded) -> None:
    xml = scenario("disks@pc").xml(1)
    found = [count(libvirt, "disks@pc", 1, task, xml) for task in RUNNING_TASKS]
    assert {one.task: (one.verdict, one.lookups) for one in found} == {
        task: ("equal", 2 if task == "start-saved" else 0) for task in RUNNING_TASKS
    }
    assert {one.task: one.devices for one in found if one.task.endswith("-both")} == {
        "attach-both": 8,
        "detach-both": 7,
        "update-both": 8,
    }


def test_sites_are_roles_whatever_libvirt_calls_its_functions(libvirt: Embedded) -> None:
    done = libvirt.define(scenario("disks").xml(2))
    assert done.xml is not None
    devices = libvirt_laws.devices(done.xml)
    assert done.sites == {"post-parse": 1, "validate domain": 1, "validate device": devices}
    assert sum(done.sites.values()) == done.lookups
    sites = {
        task: libvirt.run(task, scenario("disks").xml(1)).sites
        for task in ("attach", "dumpxml-cpu", "domcapabilities", "start")
    }
    assert sites == {
        "attach": {"post-parse": 3, "validate device": 1},
        "dumpxml-cpu": {"post-parse": 1, "copy": 1},
        "domcapabilities": {"API call": 1},
        "start": {"copy": 1},
    }


def test_phases_lie_within_the_call(libvirt: Embedded) -> None:
    done = libvirt.define(scenario("disks").xml(16))
    calls = {name: calls for name, (calls, _) in done.phases.items()}
    assert calls == {"parse": 1, "post-parse": 1, "validate": 1, "save": 1}
    ns = {name: ns for name, (_, ns) in done.phases.items()}
    assert ns["post-parse"] + ns["validate"] < ns["parse"]
    assert ns["parse"] + ns["save"] < done.ns
    assert done.lookup_ns is not None
    assert 0 < done.lookup_ns < ns["parse"]


def test_looking_up_once_changes_the_count_and_nothing_else(libvirt: Embedded) -> None:
    xml = scenario("kitchen-sink").xml(2)
    as_is, once, after = (libvirt.run("define", xml, once=each) for each in (False, True, False))
    assert once.xml == as_is.xml
    assert once.lookups == 1
    assert after.lookups == as_is.lookups == by_law("define", as_is.xml)


@pytest.mark.parametrize("task", ["attach", "detach", "update", "dumpxml-cpu", "xmlToNative"])
def test_one_lookup_is_shared_in_the_whole_call(libvirt: Embedded, task: str) -> None:
    xml = scenario("mixed").xml(3)
    as_is, once, after = (libvirt.run(task, xml, once=each) for each in (False, True, False))
    assert once.xml == as_is.xml
    assert once.lookups == 1
    assert after.lookups == as_is.lookups


def test_costs_interleave(libvirt: Embedded) -> None:
    costs = libvirt.costs("define", scenario("disks").xml(4), [False, True, True, False])
    assert [cost.lookups for cost in costs] == [20, 1, 1, 20]
    assert [cost.answered for cost in costs] == [0, 19, 19, 0]


@pytest.mark.parametrize("once", [False, True])
def test_a_refusal_has_libvirts_words_and_leaves_nothing(libvirt: Embedded, *, once: bool) -> None:
    xml = scenario("disks").xml(1)
    bad = xml.replace("</devices>", "<sound model='made-up'/></devices>")
    late = xml.replace("</devices>", "<watchdog model='diag288'/></devices>")  # validation refuses it
    for document, word in ((bad, "made-up"), (late, "diag288")):
        refused = libvirt.run("define", document, once=once)
        assert not refused.accepted
        assert word in str(refused.error)
    assert libvirt.define(xml).lookups == 14
    with pytest.raises(LiveError, match="refuses to define"):
        libvirt.costs("define", bad)


def test_the_debug_log_agrees(libvirt: Embedded) -> None:
    cells = [
        (name, n, task)
        for name, n in (("simple", 1), ("mixed", 9))
        for task in ("define", "undefine", "attach")
    ]
    with Embedded("log") as other:
        assert other.counted_by == "log"
        for name, n, task in cells:
            xml = scenario(name).xml(n)
            assert other.run(task, xml).lookups == libvirt.run(task, xml).lookups
        assert other.run(task, xml).forks is None
        with pytest.raises(LiveError, match="takes the interposer"):
            other.run("define", xml, once=True)


def test_our_probe_finds_what_libvirt_finds(libvirt: Embedded) -> None:
    _, text = libvirt.probe(QEMU)
    theirs = cachefile.parse(text.encode(), "libvirt's").capabilities
    assert differences(probe(QEMU, release=find().nearest.release), theirs) == ()


def test_differences_are_listed(libvirt: Embedded) -> None:
    _, text = libvirt.probe(QEMU)
    theirs = cachefile.parse(text.encode(), "libvirt's").capabilities
    changed = text.replace("<flag name='kvm'/>", "<flag name='made-up'/>").replace("pc-i440fx-2.5", "pc-0.1")
    ours = cachefile.parse(changed.encode(), "ours").capabilities
    found = differences(ours, theirs)
    assert "flag made-up: only ours" in found
    assert "flag kvm: only libvirt's" in found
    assert "tcg machine pc-0.1: only ours" in found


def test_calls_beside_it_do_not_show(tmp_path: Path) -> None:
    """One thread counts while another one defines as fast as it can, both ways of counting."""
    code = """
import json, sys, threading
from qcaps.live.host.setup import Setup
from qcaps.live.host.holder import Worker, settle
from qcaps.scenario import scenario
setup = Setup(**json.loads(sys.argv[1]))
settle(setup)
worker = Worker(setup)
other, xml, done = scenario("mixed").xml(16), scenario("disks").xml(4), threading.Event()
rounds = 0
def disturb():
    global rounds
    while not done.is_set():
        worker.link.connection.defineXML(other).undefine()
        rounds += 1
thread = threading.Thread(target=disturb)
thread.start()
answer = worker.run("define", xml, None, [False] * 30)
done.set()
thread.join()
print(json.dumps({"rounds": rounds, "lookups": [cost["lookups"] for cost in answer["costs"]]}))
sys.stdout.flush()
worker.close()
import os; os._exit(0)
"""
    installation = find()
    for counting in ("interposer", "log"):
        where = place()
        setup = {
            "folder": str(where.folder),
            "counting": counting,
            "shim": str(shim.compiled(installation.version, tmp_path)),
            "library": str(installation.library),
            "cpu": max(os.sched_getaffinity(0)),
        }
        said = subprocess.run(
            [*where.prefix, sys.executable, "-P", "-c", code, json.dumps(setup)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        answer = json.loads(said.stdout)
        assert answer["rounds"] > 0
        assert answer["lookups"] == [20] * 30


def test_nothing_on_the_host_changes() -> None:
    def seen() -> tuple[object, ...]:
        places = ("/etc/passwd", "/etc/group", "/dev/kvm", "/run", "/run/libvirt", "/var/lib/libvirt", "/mnt")
        return (
            {name: os.stat(name).st_ctime_ns for name in places if os.path.exists(name)},  # noqa: PTH110, PTH116  # plain words
            Path("/proc/self/mounts").read_text(),
            sorted(path.name for path in Path(tempfile.gettempdir()).glob("qcaps-live-*")),
            children_of(os.getpid()),
        )

    before = seen()
    with Embedded("interposer") as subject:
        assert subject.run("start", scenario("disks").xml(1)).accepted
    assert seen() == before


def children_of(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "stat").read_text()
            if int(text.rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.name))
        except OSError:
            continue  # it has just ended
    return found


def test_it_dies_with_its_parent() -> None:
    code = """
import sys
from qcaps.live.host.embedded import Embedded
with Embedded("none") as subject:
    print(subject._process.pid, flush=True)
    sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    outer = int(parent.stdout.readline())
    inner = children_of(outer)
    assert inner
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in (outer, *inner)):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.02)
    parent.stdin.close()
    parent.stdout.close()


def test_calls_move_to_another_cpu_and_nothing_is_found_out_again() -> None:
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    xml = scenario("disks").xml(0)
    with Embedded("interposer", cpu=first) as subject:
        counted = [subject.define(xml).lookups for _ in range(2)]
        subject.stay_on(last)
        assert subject.facts()["cpus"] == [last]
        after = subject.define(xml)
    assert (after.lookups, after.forks) == (counted[-1], 0)


def test_a_death_in_the_middle_is_said() -> None:
    with Embedded("none") as subject:
        subject._process.kill()
        with pytest.raises(LibvirtDied, match="in the middle of define"):
            subject.define(scenario("disks").xml(0))


def test_a_kvm_that_only_root_may_use_is_a_storm_and_named() -> None:
    with Embedded("interposer", kvm_mode=0o600) as subject:
        one = count(subject, "disks", 0, "domcapabilities", scenario("disks").xml(0))
    assert one.verdict == "equal"
    assert one.lookups == 1
    assert one.forks == 2  # QEMU runs, with KVM and without; that its user may not use it is known by then
    assert one.storm


def test_what_one_found_out_about_a_qemu_the_next_is_handed_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    xml = scenario("disks").xml(0)

    def forks() -> tuple[int, ...]:
        with Embedded("interposer", known=True) as subject:
            done = [subject.define(xml) for _ in range(3)]
        assert {one.lookups for one in done} == {by_law("define", done[0].xml)}
        return tuple(one.forks or 0 for one in done)

    alone = forks()
    assert alone == (3, 0, 0), "QEMU with KVM and without it, and whether its user may use KVM"
    (kept,) = tmp_path.rglob("known-qemus/*/*.xml")
    written = kept.stat().st_mtime_ns
    assert forks() == (1, 0, 0)
    assert kept.stat().st_mtime_ns == written
    text = kept.read_text()
    kept.write_text(re.sub(r"<qemuctime>\d+", "<qemuctime>1", text))
    assert forks() == alone
    assert kept.read_text() == text, "asked again, and renewed"
    kept.write_text("<half")
    assert forks() == alone
    with Embedded("interposer") as subject:
        assert subject.define(xml).forks == alone[0], "only where it is asked for"


def test_another_prefix_is_the_one_that_runs(tmp_path: Path) -> None:
    system = find()
    folder = tmp_path / "lib" / "some-machine"
    (folder / "libvirt" / "connection-driver").mkdir(parents=True)
    shutil.copy(system.driver, folder / "libvirt" / "connection-driver")
    shutil.copy(system.library.resolve(), folder)
    (folder / "libvirt.so.0").symlink_to(system.library.resolve().name)
    with Embedded("interposer", tmp_path) as subject:
        loaded = subject.facts()["loaded"]
        assert subject.define(scenario("disks").xml(0)).lookups == 12
    assert str(folder / system.library.resolve().name) in loaded
    assert str(folder / "libvirt" / "connection-driver" / system.driver.name) in loaded
    assert str(system.driver) not in loaded


def test_a_prefix_without_libvirt_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoLibvirt, match=re.escape(str(tmp_path))):
        Embedded(libvirt=tmp_path)


def test_a_libvirt_too_old_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "libvirt_driver_qemu.so").write_text("")
    (folder / "libvirt.so.0.5000.0").write_text("")
    (folder / "libvirt.so.0").symlink_to("libvirt.so.0.5000.0")
    with pytest.raises(NoLibvirt, match=r"5.0.0 is too old"):
        find(tmp_path)


def test_the_qemu_driver_works_without_root() -> None:
    """As the user nobody: no namespaces, folders of its own, and nothing left in them."""
    folder = Path(tempfile.mkdtemp(prefix="qcaps-test-"))  # pytest's own is root's alone
    os.chown(folder, 65534, 65534)  # its own: nothing is loaded from where others may write
    # the interpreter and the checkout may lie where only root may look
    reading = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    code = """
from qcaps.live.host.embedded import Embedded
from qcaps.scenario import scenario
with Embedded("interposer") as subject:
    done = subject.define(scenario("disks").xml(1))
    print(done.lookups, done.error)
"""
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reading, sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "HOME": "/"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("14 None\n", "")
    assert [path.name for path in folder.iterdir()] == ["cache"]
    shutil.rmtree(folder)


def test_a_lookup_is_fourteen_system_calls(libvirt: Embedded) -> None:
    small, large = (libvirt.syscalls("define", scenario("disks").xml(n)) for n in (4, 36))
    more = {name: large[name] - small.get(name, 0) for name in large if large[name] != small.get(name, 0)}
    assert sum(more.values()) == 14 * (84 - 20)
    lookups = 84 - 20
    assert more.get("uname") == lookups
    assert more.get("openat") == lookups


def test_system_calls_of_a_refused_task_are_refused(libvirt: Embedded) -> None:
    with pytest.raises(LiveError, match="refuses to start"):
        libvirt.syscalls("start", scenario("serials").xml(16))
    assert libvirt.define(scenario("disks").xml(0)).lookups == 12


def test_uprobes_are_for_running_daemons() -> None:
    with pytest.raises(LiveError, match="--uri"):
        Embedded("uprobes")


def test_the_log_s_own_system_calls_are_not_taken_for_libvirt_s() -> None:
    with Embedded("log") as subject, pytest.raises(LiveError, match="--counting interposer"):
        subject.syscalls("define", scenario("disks").xml(0))
