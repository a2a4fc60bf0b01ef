"""A libvirt that is asked for the truth: what kills it is named, and the others are asked all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.driver.reference import reference
from qcaps.live.host.embedded import Embedded
from qcaps.measure.fidelity.comparison import compare
from qcaps.measure.fidelity.witness import Witness
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu]

EMULATOR = "/usr/bin/qemu-system-x86_64"
NEGATIVE = "<domain type='qemu'><name>n</name><memory>1024</memory><vcpu>-1</vcpu>\
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
DRAWN = """\
<domain type='qemu'><name>drawn</name><memory>1024</memory><genid/>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><interface type='bridge'><source bridge='br0'/><virtualport type='openvswitch'/></interface>
<interface type='user'><mac address='52:54:00:1:2:3'/></interface></devices></domain>"""


def test_a_domain_that_kills_libvirt_is_a_row_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.xml").write_text(scenario("disks").xml(1))
    (tmp_path / "2.xml").write_text(NEGATIVE)
    (tmp_path / "3.xml").write_text(DRAWN)
    floors = [f"--at-least={name}=100" for name in ("answer", "whole")]
    status = main(["fidelity", "--live", str(tmp_path), *floors, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert status == 0, told
    assert told["scores"]["whole"] == {"equal": 2, "of": 2, "share": 1.0}
    (died,) = told["no_answer"]
    assert died["name"] == str(tmp_path / "2.xml")
    assert "died in the middle of define" in died["why"]


def test_a_libvirt_that_never_answers_is_given_up(tmp_path: Path) -> None:
    driver = reference(tmp_path, policy="naive", validity="trust")
    with Witness(Embedded, EMULATOR, patience=0.0) as witness:
        truth = witness.ask("late", scenario("disks").xml(100).encode())
        assert truth.death == "libvirt took more than 0 s"
        outcome = compare(driver, truth)
        assert (outcome.answer, outcome.agrees) == (None, True)


def test_a_file_without_an_emulator_gets_the_same_one_on_both_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = "<domain type='qemu'><name>a</name><memory>1</memory><os><type arch='aarch64'>hvm</type></os>"
    (tmp_path / "arm.xml").write_text(f"{foreign}<devices/></domain>")
    (tmp_path / "bare.xml").write_text(f"{foreign}</domain>")
    assert main(["fidelity", "--live", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["scores"]["answer"] == {"equal": 2, "of": 2, "share": 1.0}, told


def test_mutants_of_any_libvirt_are_asked_about_and_what_differs_is_reduced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference is told a lie about the host, so that there is something to find."""
    prefix, lie, guest = tmp_path / "usr", tmp_path / "facts.json", tmp_path / "guest.xml"
    prefix.mkdir()
    for name in ("lib", "sbin"):
        (prefix / name).symlink_to(f"/usr/{name}")
    lie.write_text('{"spice_tls": true}')
    spice = "<graphics type='spice' tlsPort='5901'/>"
    guest.write_text(scenario("disks").xml(2).replace("</devices>", f"{spice}</devices>"))
    asked = ["fidelity", "--subject", f"libvirt:{prefix}", "--mutate", "20", str(guest), "--json", "--show=1"]
    told = []
    for more in ([], ["--skip", "15"]):
        out = ["-o", str(tmp_path / f"out{len(more)}"), "--at-least=answer=100"]
        assert main([*asked, "--host", str(lie), *out, *more]) == 1
        told.append(json.loads(capsys.readouterr().out))
    assert [one["scores"]["answer"]["of"] + len(one["no_answer"]) for one in told] == [20, 5]
    commonest = told[0]["differences"][0]
    assert commonest["times"] > 10
    assert "TLS is disabled in qemu.conf" in commonest["real"]
    assert commonest["reference"] == "accepted"
    assert "tlsPort" in commonest["least"]
    assert "<disk" not in commonest["least"]
    assert (tmp_path / "out0" / "000.xml").read_text() == commonest["least"]


def test_nothing_to_compare_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.xml").write_text("<domain type='qemu'/>")
    assert main(["fidelity", "--live", str(tmp_path), "--at-least", "devices=99"]) == 2
    assert "nothing to compare" in capsys.readouterr().err
