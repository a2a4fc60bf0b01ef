"""What the reference answers today, recorded: `python tests/golden/make.py` writes scenarios.json beside it.

With QCAPS_CORPUS, a folder of libvirt's domain files, it writes corpus.json too: names, digests and our own
refusals, never the corpus' text. `python tests/golden/make.py show 'mutant 0007'` prints a case in full: its
domain, what became of it, its command line; run on two commits, that shows what a digest only says differs.

A recording maps the name of a case to its fields. A field is a digest; `texts` has what stands behind it
where that is worth reading: refusals and lookups by site. Random draws and the time are held still, and so
is the release: what is recorded is the reference by the rules of libvirt 9.0.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

from lxml import etree

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qcaps.domainxml import document
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError
from qcaps.lookups.policy import POLICIES
from qcaps.release import R9_0
from qcaps.scenario import names, on_every_machine, scenario
from tests.support import mutation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.driver.driver import Done, QemuDriver

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios.json"
CORPUS = HERE / "corpus.json"
SIZES = (0, 1, 4, 16, 64)
POLICY_SIZE = 4
MUTANTS = 2000
LONGEST = 120
RECORDED_AS = {"stock": "libvirt-9.0"}
"""Policies that have another name here: the recording is of one release, and its fields bear its name."""
EMULATOR = "/usr/bin/qemu-system-x86_64"

Recording = dict[str, dict[str, str]]
"""Fields by case."""


class Case(NamedTuple):
    """A domain and what is done to it; `short` leaves one digest of all that was made of it."""

    name: str
    data: bytes
    policies: tuple[str, ...] = ("naive",)
    device: str = ""
    """A device to attach and detach."""
    how: tuple[str, ...] = ()
    """Where: live, config, or both."""
    short: bool = False


# ── the cases ──────────────────────────────────────────────────────────────────────────────────────


def scenario_cases() -> Iterator[Case]:
    """Every family on every machine type; all policies at one size."""
    every = tuple(RECORDED_AS.get(policy.name, policy.name) for policy in POLICIES)
    for family in names():
        for one in on_every_machine(family):
            for n in (n for n in SIZES if n <= one.largest):
                policies = every if n == POLICY_SIZE else ("naive",)
                yield Case(f"{one.name} n={n}", one.xml(n).encode(), policies)


DEVICES = {
    "disk": "<disk type='file'><source file='/images/extra.img'/><target dev='vdz' bus='virtio'/></disk>",
    "USB disk": "<disk type='file'><source file='/images/extra.img'/><target dev='sdz' bus='usb'/></disk>",
    "SCSI disk": "<disk type='file'><source file='/images/extra.img'/><target dev='sdy' bus='scsi'/></disk>",
    "double": "<disk type='file'><source file='/images/extra.img'/><target dev='vda' bus='virtio'/></disk>",
    "interface": (
        "<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='virtio'/></interface>"
    ),
    "channel": "<channel type='unix'><target type='virtio' name='org.example.extra'/></channel>",
    "serial": "<serial type='pty'><target port='5'/></serial>",
    "rng": "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>",
    "tablet": "<input type='tablet' bus='usb'/>",
    "controller": "<controller type='scsi' index='7' model='virtio-scsi'/>",
    "hostdev": (
        "<hostdev mode='subsystem' type='pci' managed='yes'>"
        "<source><address domain='0' bus='7' slot='1' function='0'/></source></hostdev>"
    ),
    "memory": ("<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>"),
    "watchdog": "<watchdog model='i6300esb' action='reset'/>",
    "no such model": "<sound model='none-such'/>",
}


def hotplug_cases() -> Iterator[Case]:
    """One device of a kind into and out of a domain; all policies for one of them."""
    every = tuple(RECORDED_AS.get(policy.name, policy.name) for policy in POLICIES)
    for name in ("kitchen-sink@q35", "kitchen-sink@pc", "disks@q35"):
        data = scenario(name).xml(4).encode()
        for kind, device in DEVICES.items():
            policies = every if (name, kind) == ("disks@q35", "disk") else ("naive",)
            for how in (("live",), ("config",), ("live", "config")):
                yield Case(f"{name} n=4, {kind} {' and '.join(how)}", data, policies, device, how)


def sample_cases() -> Iterator[Case]:
    """Each device of the samples alone, on both PC machine types, and each file as a whole."""
    for path in sorted((HERE.parent / "samples" / "devices").glob("*.xml")):
        devices = [child for child in etree.parse(path).getroot() if isinstance(child.tag, str)]
        for machine in ("q35", "pc"):
            yield Case(f"{path.stem}.xml on {machine}", _around(devices, machine))
            for number, device in enumerate(devices, start=1):
                yield Case(f"{path.stem}.xml {number} {device.tag} on {machine}", _around([device], machine))


def mutant_cases() -> Iterator[Case]:
    """The domains of scenarios and samples, each with some changes; one in three is a sample's."""
    scenarios = mutation.seeds()
    samples = [case.data for case in sample_cases()]
    for number in range(MUTANTS):
        chance = random.Random(f"mutant {number}")
        base = chance.choice(samples if number % 3 == 0 else scenarios)
        donor = chance.choice(samples if chance.random() < 0.5 else scenarios)
        yield Case(f"mutant {number:04}", mutation.mutant(base, donor, chance), short=True)


def corpus_cases(folder: Path) -> Iterator[Case]:
    """Every domain file of a corpus."""
    for path in sorted((folder / "in").glob("*.xml")):
        yield Case(path.name, path.read_bytes())


def _around(devices: list[etree._Element], machine: str) -> bytes:
    """A domain that has room for memory modules, so that they too are taken."""
    inner = b"".join(etree.tostring(one, with_tail=False) for one in devices if one.tag != "emulator")
    return (
        (
            "<domain type='kvm'><name>sample</name><uuid>5b8a7ab0-3c1e-4a56-8d0a-3a1cf3a5f0de</uuid>"
            "<maxMemory slots='16' unit='GiB'>64</maxMemory><memory unit='GiB'>2</memory>"
            "<vcpu>4</vcpu><iothreads>4</iothreads>"
            f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/><apic/></features>"
            "<cpu><numa><cell id='0' cpus='0-3' memory='2' unit='GiB'/></numa></cpu>"
            f"<devices><emulator>{EMULATOR}</emulator>"
        ).encode()
        + inner
        + b"</devices></domain>"
    )


# ── what becomes of them ───────────────────────────────────────────────────────────────────────────


class Recorder:
    """Runs cases, each on a driver that knows no other domain."""

    def __init__(self, scratch: Path, capabilities: Path | None = None) -> None:
        self._scratch = scratch
        self._capabilities = capabilities
        self._drivers: dict[str, QemuDriver] = {}

    def outcome(self, case: Case) -> dict[str, str]:
        """What was answered, in full, by field; that of a policy but the first has its name before it."""
        found: dict[str, str] = {}
        for policy in case.policies:
            made = self._under(policy, case)
            if policy != case.policies[0]:
                # what policies agree on is said once
                made = {key: text for key, text in made.items() if text != found.get(key)}
                made = {f"{policy}: {key}": text for key, text in made.items()}
            found |= made
        return found

    def _driver(self, policy: str) -> QemuDriver:
        if policy not in self._drivers:
            self._drivers[policy] = reference(
                self._scratch / policy,
                policy=policy,
                validity="trust",
                capabilities=self._capabilities,
                emulator=EMULATOR if self._capabilities else None,
                release=R9_0,
            )
        return self._drivers[policy]

    def _under(self, policy: str, case: Case) -> dict[str, str]:
        driver = self._driver(policy)
        try:
            driver.warm(case.data, case.name)
            done = driver.define(case.data, case.name)
        except QcapsError as error:
            return {"refused": self._plain(error)}
        name = done.domain.name
        made = {"xml": done.xml, "define": _sites(done)}
        try:
            if case.device:
                made |= self._plugged(driver, name, case)
            else:
                made |= self._ran("start", lambda: driver.start(name))
        finally:
            if name in driver.running:
                driver.destroy(name)
            driver.undefine(name)
        if not case.device and not case.short:
            transient = self._ran("createXML", lambda: driver.create_xml(case.data, case.name))
            # a transient domain's command line is that of a start; kept only where it is not
            if transient.get("arguments") == made.get("arguments"):
                transient.pop("arguments", None)
            made |= {
                key if key == "createXML" else f"createXML {key}": text for key, text in transient.items()
            }
            if name in driver.running:
                driver.destroy(name)
        return made

    def _plugged(self, driver: QemuDriver, name: str, case: Case) -> dict[str, str]:
        live, config = "live" in case.how, "config" in case.how
        made: dict[str, str] = {}
        if live:
            driver.start(name)
        for task, act in (("attach", driver.attach), ("detach", driver.detach)):
            try:
                done = act(name, case.device.encode(), live=live, config=config)
            except QcapsError as error:
                return made | {task: f"refused: {self._plain(error)}"}
            made |= {task: _sites(done), f"{task} xml": document.format(done.domain)}
            if live:
                made[f"{task} running"] = document.format(driver.running[name])
        return made

    def _ran(self, task: str, act: Callable[[], Done]) -> dict[str, str]:
        try:
            done = act()
        except QcapsError as error:
            return {task: f"refused: {self._plain(error)}"}
        return {task: _sites(done), "arguments": _without_time("\n".join(done.command))}

    def _plain(self, error: QcapsError) -> str:
        """A refusal without the place that files lie in."""
        return str(error).replace(str(self._scratch), "SCRATCH")


def _sites(done: Done) -> str:
    return ", ".join(f"{name} {count}" for name, count in done.sites_named().items()) or "no lookup"


def _without_time(arguments: str) -> str:
    return re.sub(r"base=\d+-\d\d-\d\dT\d\d:\d\d:\d\d", "base=TIME", arguments)


@contextlib.contextmanager
def held_still() -> Iterator[None]:
    """Within, nothing is drawn at random and the machine is an x86_64 one, whatever it is."""
    machine = os.uname_result(("Linux", "host", "6.1", "#1", "x86_64"))
    drawn = uuid.UUID("d7a3e0d2-0000-4000-8000-000000000000")
    with (
        mock.patch("uuid.uuid4", return_value=drawn),
        mock.patch("random.getrandbits", return_value=0x123456),
        mock.patch("os.uname", return_value=machine),
    ):
        yield


# ── the recording ──────────────────────────────────────────────────────────────────────────────────


def digest(text: str) -> str:
    """Enough of a hash to tell some ten thousand texts apart."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _is_shown(field: str) -> bool:
    return not field.endswith(("xml", "arguments", "running", "made"))


def record(cases: Iterator[Case], capabilities: Path | None = None) -> tuple[Recording, dict[str, str]]:
    """The digests by case and field, and the texts behind those worth reading, the long ones shortened."""
    recording: Recording = {}
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="qcaps-golden-") as scratch, held_still():
        recorder = Recorder(Path(scratch), capabilities)
        for case in cases:
            found = recorder.outcome(case)
            if case.short and "refused" not in found:
                # one digest for all but a refused start
                start = {"start": found["start"]} if found["start"].startswith("refused") else {}
                found = {"made": json.dumps(found), **start}
            recording[case.name] = {field: digest(text) for field, text in found.items()}
            texts |= {digest(text): _shortened(text) for field, text in found.items() if _is_shown(field)}
    return recording, texts


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … and {len(text) - LONGEST} more"


def own_cases() -> Iterator[Case]:
    """All cases that this repository holds."""
    yield from scenario_cases()
    yield from hotplug_cases()
    yield from sample_cases()
    yield from mutant_cases()


def corpus_folder() -> Path | None:
    """The folder QCAPS_CORPUS names."""
    value = os.environ.get("QCAPS_CORPUS")
    return Path(value) if value else None


def corpus_capabilities(folder: Path) -> Path:
    """The capabilities libvirt had when it made the corpus' results."""
    return next(iter(sorted(folder.rglob("qemu-*.cache.xml"))))


def write(path: Path, recording: Recording, texts: dict[str, str]) -> None:
    """One case or text a line, so that two recordings compare well."""
    lines = []
    for title, content in (("cases", recording), ("texts", dict(sorted(texts.items())))):
        rows = (
            f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in content.items()
        )
        lines.append(f" {json.dumps(title)}: {{\n" + ",\n".join(rows) + "\n }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path}: {len(recording)} cases, {len(texts)} texts, {path.stat().st_size} bytes")  # noqa: T201  # a command


def differences(path: Path, recording: Recording, texts: dict[str, str]) -> Iterator[str]:
    """One line for each field that is not as recorded in `path`."""
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in dict.fromkeys((*before["cases"], *recording)):
        if name not in recording or name not in before["cases"]:
            yield f"{name}: {'not recorded' if name in recording else 'recorded, and not there now'}"
            continue
        old, new = before["cases"][name], recording[name]
        for field in dict.fromkeys((*old, *new)):
            if old.get(field) != new.get(field):
                was, now = _said(old.get(field), before["texts"]), _said(new.get(field), texts)
                yield f"{name}: {field}: was {was}; is {now}"


def _said(one: str | None, texts: dict[str, str]) -> str:
    return "absent" if one is None else repr(texts[one]) if one in texts else one


def show(name: str) -> None:
    """Prints a case in full."""
    folder = corpus_folder()
    sets = [(own_cases(), None)] + ([(corpus_cases(folder), corpus_capabilities(folder))] if folder else [])
    for cases, capabilities in sets:
        for case in cases:
            if case.name != name:
                continue
            print(case.data.decode())  # noqa: T201  # a command
            with tempfile.TemporaryDirectory(prefix="qcaps-golden-") as scratch, held_still():
                for field, text in Recorder(Path(scratch), capabilities).outcome(case).items():
                    print(f"── {field}\n{text}")  # noqa: T201  # likewise
            return
    sys.exit(f"no case '{name}'; the names are those in {SCENARIOS} and, with QCAPS_CORPUS, {CORPUS}")


def main(arguments: list[str]) -> None:
    """Writes the recordings, or shows a case."""
    if arguments[:1] == ["show"]:
        for name in arguments[1:]:
            show(name)
        return
    write(SCENARIOS, *record(own_cases()))
    if folder := corpus_folder():
        write(CORPUS, *record(corpus_cases(folder), corpus_capabilities(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
