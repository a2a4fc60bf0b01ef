"""A real QEMU runs the command lines of the scenarios, and has the devices they ask for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.driver.reference import reference
from qcaps.driver.spawn import SpawnError, devices_asked, spawn
from qcaps.driver.standins import NoStandInError, with_stand_ins, write_qcow2
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

QEMU = "/usr/bin/qemu-system-x86_64"
NAMES = ("simple", "disks", "nics", "channels", "usb", "scsi", "mixed", "fuzz", "serials", "kitchen-sink")
OF_THE_HOST = re.compile(r"    <(hostdev|smartcard|tpm|vsock)\b(?:[^>]*/>|.*?</\1>)\n", re.DOTALL)


def _command(tmp_path: Path, xml: str) -> tuple[str, ...]:
    driver = reference(tmp_path, policy="once", validity="trust", emulator=QEMU)
    name = driver.define(xml.encode()).domain.name
    return driver.start(name).command


@pytest.mark.qemu
@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("name", NAMES)
def test_qemu_has_the_devices_that_were_asked_for(tmp_path: Path, name: str, machine: str) -> None:
    xml = OF_THE_HOST.sub("", scenario(f"{name}@{machine}").xml(3))
    spawned = spawn(_command(tmp_path, xml))
    assert spawned.status == "prelaunch"
    assert spawned.asked
    assert (spawned.missing, spawned.unasked) == ((), ())
    assert spawned.pci_functions > 1


@pytest.mark.qemu
def test_the_last_words_of_a_qemu_that_does_not_start() -> None:
    with pytest.raises(SpawnError, match=r"ended with status 1: .*no-such-device") as caught:
        spawn((QEMU, "-S", "-nodefaults", "-display", "none", "-device", '{"driver":"no-such-device"}'))
    assert "\n" not in str(caught.value)


@pytest.mark.qemu
def test_qemu_reads_our_image(tmp_path: Path) -> None:
    write_qcow2(tmp_path / "a.qcow2", 1 << 20)
    node = {
        "driver": "qcow2",
        "node-name": "a",
        "file": {"driver": "file", "filename": str(tmp_path / "a.qcow2")},
    }
    found = subprocess.run(
        [QEMU, "-nodefaults", "-display", "none", "-S", "-blockdev", json.dumps(node), "-qmp", "stdio"],
        input='{"execute":"qmp_capabilities"}{"execute":"query-named-block-nodes"}{"execute":"quit"}',
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert '"virtual-size": 1048576' in found.stdout


def test_not_a_qemu(tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="cannot be executed: No such file"):
        spawn((str(tmp_path / "qemu"), "-S"))
    with pytest.raises(SpawnError, match=r"did not answer within 0\.3 s"):
        spawn((sys.executable, "-c", "import time; time.sleep(60)"), deadline=0.3)


def test_nothing_outside_is_named_any_more(tmp_path: Path) -> None:
    command = (
        "qemu",
        "-blockdev", '{"driver":"rbd","pool":"p","image":"i","node-name":"s"}',
        "-blockdev", '{"node-name":"f","driver":"raw","file":"s"}',
        "-chardev", "socket,id=c,host=h,port=1",
        "-chardev", "udp,id=d,host=h,port=1",
        "-vnc", "0.0.0.0:0,websocket=5700,audiodev=audio1",
        "-fsdev", "local,security_model=none,id=fsdev-fs0,path=/a,,b",
        "-netdev", '{"type":"tap","ifname":"tap0","id":"hostnet0"}',
        "-audiodev", '{"id":"audio1","driver":"alsa"}',
    )  # fmt: skip
    changed, said = with_stand_ins(command, tmp_path)
    assert changed[2] == json.dumps({"driver": "file", "filename": f"{tmp_path}/s.raw", "node-name": "s"})
    assert changed[6] == f"socket,id=c,path={tmp_path}/c.sock,server=on,wait=off"
    assert changed[8] == "null,id=d"
    assert changed[10] == f"unix:{tmp_path}/vnc.sock,audiodev=audio1"
    assert changed[12] == f"local,security_model=none,id=fsdev-fs0,path={tmp_path}/fsdev-fs0"
    assert json.loads(changed[14]) == {"type": "user", "id": "hostnet0"}
    assert json.loads(changed[16]) == {"id": "audio1", "driver": "none"}
    assert len(said) == 7
    assert (tmp_path / "s.raw").stat().st_size == 1 << 20
    with pytest.raises(NoStandInError, match="vmdk"):
        with_stand_ins(
            ("q", "-blockdev", '{"driver":"file","filename":"/a","node-name":"s"}',
             "-blockdev", '{"node-name":"f","driver":"vmdk","file":"s"}'), tmp_path,
        )  # fmt: skip


def test_devices_are_counted_in_both_syntaxes() -> None:
    command = (
        "q",
        "-device",
        '{"driver":"a","id":"x"}',
        "-device",
        '{"driver":"pvpanic"}',
        "-device",
        "b,id=y,c=d",
    )
    assert devices_asked(command) == ("pvpanic", "x", "y")


@pytest.mark.qemu
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "guest.xml"
    file.write_text(scenario("disks").xml(1))
    assert main(["start", str(file), "--spawn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["command"][0] == QEMU
    assert told["lookups"] == sum(told["sites"].values())
    assert told["spawned"]["asked"] == told["spawned"]["present"]
    assert main(["start", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{QEMU} \\\n  -name guest=disks-q35-1,debug-threads=on \\\n")
    assert main(["start", str(tmp_path / "none.xml")]) == 2
