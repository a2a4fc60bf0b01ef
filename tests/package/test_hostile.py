"""Hostile and absurd domains: each is defined or refused, in bounded time, with one clear line."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from qcaps.capabilities import cachefile
from qcaps.capabilities.snapshots import snapshot
from qcaps.commands import main
from qcaps.domainxml import document
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError, one_line
from qcaps.scenario import scenario
from tests.support import hostile_pairs, mutation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcaps.driver.driver import Done, QemuDriver

FULL = bool(os.environ.get("QCAPS_TESTS_FULL"))
LONGEST_SECONDS = 1.0
LONGEST_LINE = 1200
LAWS: dict[str, Callable[[int], int]] = {
    "naive": lambda devices: 2 + devices,
    "series": lambda _: 2,
    "once": lambda _: 1,
    "once-abort": lambda _: 1,
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> QemuDriver:
    """One for all, since each test forgets what it defines."""
    return reference(tmp_path_factory.mktemp("hostile"), policy="naive", validity="trust")


def attempt(driver: QemuDriver, data: bytes, seconds: float = LONGEST_SECONDS) -> str | None:
    """Define, start and forget; the refusal, if there is one. Anything but a QcapsError is our fault."""
    began = time.process_time()
    refusal = None
    try:
        driver.warm(data)
        name = driver.define(data).domain.name
    except QcapsError as error:
        refusal = clear_line(error)
    else:
        try:
            driver.start(name)
            driver.destroy(name)
        except QcapsError as error:
            clear_line(error)
        driver.undefine(name)
    assert time.process_time() - began < seconds
    assert not driver.domains
    return refusal


def clear_line(error: QcapsError) -> str:
    text = str(error)
    assert text.isprintable()
    assert len(text) < LONGEST_LINE
    return text


def domain(devices: str = "", before: str = "", machine: str = "q35") -> bytes:
    return (
        f"<domain type='qemu'><name>x</name><memory>262144</memory>{before}"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"
    ).encode()


DISK = (
    "<disk type='file'><source file='/x'/><target dev='sda' bus='{bus}'/>"
    "<address type='drive' controller='{at}'/></disk>"
)
BRIDGE = (
    "<controller type='pci' model='pci-bridge' index='{index}'>"
    "<address type='pci' bus='0x0{bus}' slot='0x01'/></controller>"
)
PCI_ROOT = "<controller type='pci' model='pci-root' index='0'/>"
LONG = "x" * 5000

REFUSED: dict[str, tuple[bytes, str]] = {
    "four thousand million SCSI controllers": (
        domain(DISK.format(bus="scsi", at=4294967295)),
        "at most 1024",
    ),
    "two thousand million SATA controllers": (domain(DISK.format(bus="sata", at=2147483647)), "at most 1024"),
    "a host device's controller": (
        domain(
            "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
            "<address bus='0' target='0' unit='0'/></source>"
            "<address type='drive' controller='4294967295'/></hostdev>"
        ),
        "at most 1024",
    ),
    "a PCI controller far out": (
        domain("<controller type='pci' model='pcie-root-port' index='2147483647'/>"),
        "at most 1024",
    ),
    "as many I/O threads as there are numbers": (domain(before="<iothreads>4294967295</iothreads>"), "16384"),
    "as many CPUs": (domain(before="<vcpu>4294967295</vcpu>"), ""),
    "a port that is a range": (
        domain().replace(
            b"</os>",
            b"<loader readonly='yes' type='pflash'>/l</loader><nvram type='network'><source protocol='nbd'>"
            b"<host name='h' port='0-16383'/></source></nvram></os>",
        ),
        "port",
    ),
    "a machine type of 5,000 letters": (domain(machine=LONG), "no machine type"),
    "an emulator of 5,000 letters": (domain(f"<emulator>/{LONG}/qemu-system-vax</emulator>"), ""),
    "a disk of 5,000 letters": (
        domain(f"<disk type='file'><source file='/x'/><target dev='{LONG}' bus='virtio'/></disk>"),
        "xxx",
    ),
    "a bridge on its own bus": (domain(PCI_ROOT + BRIDGE.format(index=1, bus=1), machine="pc"), ""),
    "two bridges on each other's bus": (
        domain(PCI_ROOT + BRIDGE.format(index=1, bus=2) + BRIDGE.format(index=2, bus=1), machine="pc"),
        "",
    ),
    "two roots": (
        domain("<controller type='pci' model='pcie-root' index='0'/>" * 2),
        "",
    ),
    "a name that climbs": (domain().replace(b">x<", b">../../etc/passwd<"), ""),
    "a name that is the folder": (domain().replace(b">x<", b">..<"), ""),
    "a name of two lines": (domain().replace(b">x<", b">a&#10;b<"), ""),
    "a name of 300 letters": (domain().replace(b">x<", f">{'n' * 300}<".encode()), ""),
}

ODD_BUT_SOUND = {
    "a blank name": domain().replace(b">x<", b">  <"),
    "a name with a leading dot": domain().replace(b">x<", b">.lock<"),
    "a name like our own files": domain().replace(b">x<", b">x.xml.new<"),
    "a name in other letters": domain().replace(b">x<", "> \u00e9\u202e\U0001f600<".encode()),
    "a USB hub at the end of a chain": domain("<hub type='usb'/>" * 20),
}


@pytest.mark.parametrize("case", REFUSED)
def test_absurd_domains_are_refused(case: str, driver: QemuDriver) -> None:
    data, why = REFUSED[case]
    refusal = attempt(driver, data)
    assert refusal is not None
    assert why in refusal


@pytest.mark.parametrize("case", ODD_BUT_SOUND)
def test_odd_domains_stay_in_their_folder(case: str, driver: QemuDriver) -> None:
    outside = set(driver.store.directory.parent.iterdir())
    attempt(driver, ODD_BUT_SOUND[case])
    assert set(driver.store.directory.parent.iterdir()) == outside
    assert [path.name for path in driver.store.directory.iterdir()] == [".lock"]


def test_names_and_uuids_belong_to_one_domain(driver: QemuDriver) -> None:
    first = driver.define(domain()).domain
    try:
        for data in (
            domain().replace(b">x<", b">y<"),
            domain(before=f"<uuid>{first.uuid}</uuid>").replace(b">x<", b">y<"),
            domain(before="<uuid>00000000-0000-4000-8000-000000000001</uuid>"),
        ):
            try:
                driver.define(data)
            except QcapsError as error:
                assert re.search("belongs to|exists already", clear_line(error))  # noqa: PT017
            else:
                driver.undefine("y")
        assert driver.domains["x"] == first
    finally:
        driver.undefine("x")


def numbers(data: bytes) -> Iterator[tuple[etree._Element, str]]:
    """Where a number stands in a domain: the element and its attribute, or "" for its text."""
    for node in etree.fromstring(data).iter(etree.Element):
        for key, value in node.attrib.items():
            if re.search(r"\d", str(value)):
                yield node, str(key)
        if node.text and re.search(r"\d", node.text):
            yield node, ""


@pytest.mark.parametrize("value", ["4294967295", "2147483647", "70000", "0-16383", "-1"])
def test_no_number_costs_more_than_a_second(value: str, driver: QemuDriver) -> None:
    for data in mutation.seeds(1):
        for node, key in numbers(data):
            before = node.get(key) if key else node.text
            if key:
                node.set(key, value)
            else:
                node.text = value
            attempt(driver, etree.tostring(node.getroottree()))
            if key:
                node.set(key, before or "")
            else:
                node.text = before


@pytest.mark.parametrize("first", range(2))
def test_no_two_numbers_cost_more_than_a_second_or_100_megabytes(first: int, tmp_path: Path) -> None:
    """A few thousand cases, always the same ones; all of them with QCAPS_TESTS_FULL."""
    done = subprocess.run(
        [
            sys.executable,
            hostile_pairs.__file__,
            str(tmp_path),
            "whole" if FULL else "sample",
            str(first),
            "2",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    *wrong, last = done.stdout.splitlines()
    assert not wrong
    cases = sum(1 for _ in hostile_pairs.cases(whole=FULL))
    assert int(last.removeprefix("done ")) >= cases // 2
    assert cases > 5000


STATE = "<vcpus><vcpu id='0' enabled='yes'/></vcpus>"
PINS = "".join(f"<vcpupin vcpu='{number}' cpuset='0-16383'/>" for number in range(2000))
SHARES = "".join(
    "<memorytune vcpus='0-16383'><node id='0' bandwidth='60'/></memorytune>" for _ in range(2000)
)
COSTLY = {
    "tuned CPUs": "<vcpu>4294967295</vcpu><cputune><shares>2</shares></cputune>",
    "CPUs with a state": f"<vcpu current='1'>1000000</vcpu>{STATE}",
    "as many CPUs as there are numbers, with a state": f"<vcpu>4294967295</vcpu>{STATE}",
    "a node of all CPUs": "<vcpu>4294967295</vcpu><cpu><numa><cell memory='9' cpus='0-16383'/></numa></cpu>",
    "pins to every CPU": f"<vcpu>4</vcpu><cputune>{PINS}</cputune>",
    "shares of every CPU": f"<vcpu>4294967295</vcpu><cputune>{SHARES}</cputune>",
    "a pin for one of all I/O threads": "<iothreads>4294967295</iothreads><cputune>"
    "<iothreadpin iothread='4294967295' cpuset='0-16383'/></cputune>",
    "schedulers of every CPU": "<vcpu>4294967295</vcpu><cputune>"
    "<vcpusched vcpus='0-16383' scheduler='batch'/></cputune>",
}


@pytest.mark.parametrize("task", ["define", "start"])
def test_no_number_makes_the_command_line_larger(task: str, tmp_path: Path) -> None:
    """Beside a plain domain in the same command: less than a second and 100 MB more."""

    def cost(before: str) -> tuple[float, float]:
        file = tmp_path / "domain.xml"
        file.write_bytes(domain(before=before))
        command = [sys.executable, "-m", "qcaps", task, str(file), "--validity", "trust"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
            assert child.stderr is not None
            assert child.stderr.read().count(b"\n") <= 1
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode in (0, 1)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    seconds, mebibytes = cost("")
    for case, before in COSTLY.items():
        more, larger = cost(before)
        assert more < seconds + LONGEST_SECONDS, case
        assert larger < mebibytes + hostile_pairs.MEBIBYTES, case


CACHE = (
    "<vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' memory='262144'><cache level='1' associativity='direct'"
    " policy='writeback'><size value='{size}' unit='MiB'/><line value='{line}' unit='KiB'/></cache></cell>"
    "<interconnects><latency initiator='0' target='0' type='access' value='5'/></interconnects></numa></cpu>"
)


def test_the_sizes_of_a_cache_are_counted_as_libvirt_does(driver: QemuDriver) -> None:
    """Its size in KiB and its line in bytes, whatever the unit: libvirt does not see it."""
    refusal = attempt(driver, domain(before=CACHE.format(size=2**53, line=8)))
    assert "too large" in (refusal or "")
    done = driver.define(domain(before=CACHE.format(size=2**53 - 1, line=2**64 - 1)))
    assert f"<size value='{2**53 - 1}' unit='KiB'/>" in done.xml
    command = " ".join(driver.start("x").command)
    driver.destroy("x")
    driver.undefine("x")
    assert f"size={2**53 - 1}K" in command
    assert f"line={2**64 - 1}" in command


@pytest.mark.parametrize(
    "clock",
    [
        f"offset='variable' adjustment='{2**63 - 1}'",
        f"offset='variable' adjustment='-{10**12}'",
        f"offset='utc' adjustment='{10**12}'",
    ],
)
def test_a_clock_beyond_all_dates_is_defined_but_does_not_start(clock: str, driver: QemuDriver) -> None:
    driver.define(domain(before=f"<clock {clock}/>"))
    with pytest.raises(QcapsError, match="lead to no date") as caught:
        driver.start("x")
    driver.undefine("x")
    clear_line(caught.value)


def test_an_adjustment_that_is_no_number_of_64_bits_is_none(driver: QemuDriver) -> None:
    for adjustment in (str(2**63), "9" * 5000, "1_0", "x"):
        done = driver.define(domain(before=f"<clock offset='variable' adjustment='{adjustment}'/>"))
        driver.undefine("x")
        assert "adjustment='0'" in done.xml
    assert attempt(driver, domain(before=f"<clock offset='utc' adjustment='{2**63}'/>")) is not None


SEEDS = mutation.seeds()


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_mutants_are_defined_or_refused(driver: QemuDriver, seed: int) -> None:
    random = Random(seed)
    attempt(driver, mutation.mutant(random.choice(SEEDS), random.choice(SEEDS), random))


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, QemuDriver]:
    return {
        policy: reference(tmp_path_factory.mktemp(policy), policy=policy, validity="trust") for policy in LAWS
    }


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_policies_agree_on_mutants_and_obey_the_law(drivers: dict[str, QemuDriver], seed: int) -> None:
    random = Random(seed)
    data = mutation.mutant(random.choice(SEEDS), random.choice(SEEDS), random)
    outcomes = {policy: _outcome(driver, data) for policy, driver in drivers.items()}
    assert len({text for text, _ in outcomes.values()}) == 1
    for policy, (_, done) in outcomes.items():
        if done is not None:
            # an interface of type hostdev is a hostdev too and visited twice; a redirfilter is never visited
            devices = list(done.domain.devices.all)
            visited = len(devices) + sum(
                (one.TAG == "interface" and getattr(one, "type", "") == "hostdev")
                - (one.TAG == "redirfilter")
                for one in devices
            )
            assert done.lookups == LAWS[policy](visited)


def _outcome(driver: QemuDriver, data: bytes) -> tuple[str, Done | None]:
    try:
        driver.warm(data)
        done = driver.define(data)
    except QcapsError as error:
        return _without_chance(str(error)), None
    driver.undefine(done.domain.name)
    assert document.parse(done.xml.encode()) == document.parse(document.format(done.domain).encode())
    return _without_chance(done.xml), done


def _without_chance(text: str) -> str:
    """UUIDs and MAC addresses are drawn at random where the file gives none that will do."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{2}(:[0-9a-f]{2}){5}", "drawn", text)


# ── size ───────────────────────────────────────────────────────────────────────────────────────────

HUNDRED_THOUSAND = {
    "disks": "<disk type='file'><source file='/x'/><target dev='{name}' bus='virtio'/></disk>",
    "serials": "<serial type='pty'/>",
}


def letters(number: int) -> str:
    text, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(97 + rest) + text
    return text


@pytest.mark.parametrize("kind", HUNDRED_THOUSAND if FULL else ["serials"])
def test_a_hundred_thousand_devices_take_linear_time_and_memory(kind: str, tmp_path: Path) -> None:
    """In a process of its own, so that its memory is its own: at most a gigabyte and 30 s of CPU."""
    devices = "".join(HUNDRED_THOUSAND[kind].format(name=f"vd{letters(n)}") for n in range(100_000))
    file = tmp_path / "many.xml"
    file.write_bytes(domain(devices))

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))

    done = run_cli("define", str(file), "--json", "--validity", "trust", preexec=bounded)
    assert done.returncode in (0, 1)
    assert done.stderr.count("\n") <= 1


def run_cli(*arguments: str, preexec: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qcaps", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        preexec_fn=preexec,
    )


def test_too_little_memory_is_one_clear_line(tmp_path: Path) -> None:
    devices = HUNDRED_THOUSAND["serials"] * 25_000
    file = tmp_path / "many.xml"
    file.write_bytes(domain(devices))

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (72 << 20, 72 << 20))

    done = run_cli("define", str(file), preexec=little)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "memory" in done.stderr
    assert not done.stdout


def test_files_that_end_nowhere_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("/dev/zero", "/proc/self/mem", "/dev/null"):
        assert main(["define", file]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert main(["define", "/"]) == 2  # called wrongly, as with a file that is not there
    assert capsys.readouterr().err.count("\n") == 1


# ── what fuzzing found ─────────────────────────────────────────────────────────────────────────────


def test_a_cache_file_with_a_zero_for_no_directory_survives_the_round_trip() -> None:
    text = cachefile.format(snapshot("s390x"))
    text = re.sub(rb"  <qemumoddirmtime>.*\n", b"", text)
    text = text.replace(b"  <selfctime>", b"  <qemumoddirmtime>0</qemumoddirmtime>\n  <selfctime>")
    entry = cachefile.parse(text, "zero")
    assert cachefile.parse(cachefile.format(entry), "again") == entry


def test_errors_are_one_short_printable_line() -> None:
    text = str(QcapsError(f"a\nb\x00{'c' * 100_000}\ud800"))
    assert text.isprintable()
    assert len(text) < LONGEST_LINE
    assert one_line("as it is") == "as it is"


# ── libvirt's own domains, where they are at hand ──────────────────────────────────────────────────


@pytest.mark.parametrize("emulator", [None, "/usr/bin/qemu-system-x86_64"])
def test_every_file_of_the_corpus_is_defined_or_refused(
    corpus: Path, emulator: str | None, tmp_path: Path
) -> None:
    driver = reference(tmp_path, policy="once-abort", validity="ctime", emulator=emulator)
    files = sorted((corpus / "in").glob("*.xml"))
    refused = sum(attempt(driver, file.read_bytes()) is not None for file in files)
    assert len(files) > 500
    assert refused < len(files)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_mutants_of_the_corpus_are_defined_or_refused(corpus: Path, driver: QemuDriver, seed: int) -> None:
    random = Random(seed)
    files = sorted((corpus / "in").glob("*.xml"))
    try:
        data = mutation.mutant(random.choice(files).read_bytes(), random.choice(files).read_bytes(), random)
    except etree.XMLSyntaxError:  # a file of the corpus that is meant to be none
        return
    attempt(driver, data)


def test_the_scenario_behind_the_mutants_is_sound(driver: QemuDriver) -> None:
    assert attempt(driver, scenario("kitchen-sink").xml(1).encode()) is None
