"""What validation asks of the host: from this machine, from a file, in a command's results."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from qcaps.commands import main
from qcaps.driver.facts import _READ, facts_from, facts_of_host, plain
from qcaps.errors import QcapsError
from qcaps.rules.shared.host_facts import PLAIN_HOST, HostFacts

if TYPE_CHECKING:
    from pathlib import Path

CAPABLE = '{"type": "swtpm_setup", "features": ["tpm-1.2", "tpm-2.0", "cmdarg-pwdfile-fd"]}'


def domain(tpm: str) -> str:
    return (
        "<domain type='kvm'><name>a</name><memory unit='GiB'>1</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{tpm}</devices></domain>"
    )


EMULATED = "<tpm model='tpm-crb'><backend type='emulator' version='{}'/></tpm>"
EXTERNAL = (
    "<tpm model='tpm-crb'><backend type='external'>"
    "<source type='unix' mode='connect' path='/s'/></backend></tpm>"
)


def install(folder: Path, setup: str, *programs: str) -> None:
    """Programs called as swtpm's are; swtpm_setup runs `setup`."""
    for name in programs:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{setup if name == 'swtpm_setup' else 'exit 1'}\n")
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("setup", "programs", "versions"),
    [
        (f"echo '{CAPABLE}'", ("swtpm", "swtpm_setup", "swtpm_ioctl"), {"1.2", "2.0"}),
        (
            """echo '{"features": ["tpm-2.0", "new"]}'""",
            ("swtpm", "swtpm_setup", "swtpm_ioctl"),
            {"2.0"},
        ),
        (f"echo '{CAPABLE}'; exit 3", ("swtpm", "swtpm_setup", "swtpm_ioctl"), set()),
        ("echo '{\"features\": 3}'", ("swtpm", "swtpm_setup", "swtpm_ioctl"), set()),
        ("echo no", ("swtpm", "swtpm_setup", "swtpm_ioctl"), set()),
        (f"echo '{CAPABLE}'", ("swtpm", "swtpm_setup"), None),
        (f"echo '{CAPABLE}'", ("swtpm", "swtpm_ioctl"), None),
        (f"echo '{CAPABLE}'", ("swtpm_setup", "swtpm_ioctl"), None),
    ],
)
def test_swtpm_is_looked_for_on_path(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setup: str,
    programs: tuple[str, ...],
    versions: set[str] | None,
) -> None:
    install(tmp_path, setup, *programs)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts_of_host().swtpm_versions == versions


def test_a_program_that_cannot_be_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, f"echo '{CAPABLE}'", "swtpm", "swtpm_setup", "swtpm_ioctl")
    (tmp_path / "swtpm_ioctl").chmod(0o644)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts_of_host().swtpm_versions is None


def test_every_fact_can_be_said_in_a_file(tmp_path: Path) -> None:
    assert tuple(_READ) == tuple(field.name for field in dataclasses.fields(HostFacts))
    for facts in (
        PLAIN_HOST,
        HostFacts(
            swtpm_versions=frozenset({"1.2", "2.0"}),
            spice_tls=True,
            passt=True,
            privileged=False,
            physical_address_bits=46,
            huge_page_kib=1024,
            page_kib=64,
            secure_guests=True,
            sgx_sections_kib=(1, 2),
        ),
    ):
        file = tmp_path / "facts.json"
        file.write_text(json.dumps(plain(facts)))
        assert facts_from(file) == facts


def test_what_a_file_leaves_out_is_this_machines(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text('{"spice_tls": true}')
    assert facts_from(file) == dataclasses.replace(facts_of_host(), spice_tls=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected an object of facts"),
        ('{"spice_tsl": true}', "spice_tsl: no such fact; did you mean 'spice_tls'?"),
        ('{"spice_tls": 1}', "spice_tls: expected true or false, not 1"),
        ('{"spice_tls": true, "spice_tls": false}', "spice_tls: is there twice"),
        ('{"swtpm_versions": ["3"]}', 'swtpm_versions: expected null, or a list of "1.2" and "2.0", not'),
        ('{"swtpm_versions": "2.0"}', "swtpm_versions: expected null, or a list of"),
        ('{"swtpm_versions": [[]]}', "swtpm_versions: expected null, or a list of"),
        ('{"page_kib": true}', "page_kib: expected a whole number above 0, not true"),
        ('{"page_kib": 0}', "page_kib: expected a whole number above 0, not 0"),
        ('{"huge_page_kib": NaN}', "huge_page_kib: expected a whole number above 0"),
        ('{"physical_address_bits": -1}', "physical_address_bits: expected null, or a whole number above 0"),
        ('{"sgx_sections_kib": 3}', "sgx_sections_kib: expected a list of whole numbers above 0, not 3"),
        ('{"sgx_sections_kib": ["3"]}', "sgx_sections_kib: expected a list of whole numbers above 0"),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text)
    with pytest.raises(QcapsError) as refused:
        facts_from(file)
    assert str(refused.value).startswith(f"{file}: {said}")
    assert "\n" not in str(refused.value)


class Answer(NamedTuple):
    """Whether a host with a swtpm for these versions takes the TPM."""

    versions: list[str] | None
    tpm: str
    accepted: bool


@pytest.mark.parametrize(
    "answer",
    [
        Answer(None, EMULATED.format("2.0"), False),
        Answer(None, EXTERNAL, False),
        Answer([], EMULATED.format("2.0"), False),
        Answer([], EXTERNAL, True),
        Answer(["2.0"], EMULATED.format("2.0"), True),
        Answer(["1.2"], EMULATED.format("2.0"), False),
        Answer(["1.2"], EXTERNAL, True),
    ],
)
@pytest.mark.parametrize("command", [("define",), ("start",), ("explain", "--task", "createXML")])
def test_commands_take_and_name_the_facts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    answer: Answer,
) -> None:
    guest, facts = tmp_path / "guest.xml", tmp_path / "facts.json"
    guest.write_text(domain(answer.tpm))
    facts.write_text(json.dumps({"swtpm_versions": answer.versions}))
    status = main([*command, str(guest), "--host", str(facts), "--json"])
    assert status == (0 if answer.accepted else 1)
    out = capsys.readouterr().out
    if answer.accepted or command == ("define",):
        assert json.loads(out)["host"]["swtpm_versions"] == answer.versions


def test_a_bad_file_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guest, facts = tmp_path / "guest.xml", tmp_path / "facts.json"
    guest.write_text(domain(""))
    facts.write_text('{"passt": "yes"}')
    assert main(["define", str(guest), "--host", str(facts)]) == 1
    assert capsys.readouterr().err == f'qcaps: error: {facts}: passt: expected true or false, not "yes"\n'
