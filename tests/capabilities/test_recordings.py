"""Recorded conversations: libvirt's own give libvirt's own capabilities; broken ones are refused.

`QCAPS_CORPUS` is a directory with libvirt's `.replies` recordings and the `.xml` it made of each.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qcaps.capabilities import cachefile, recording
from qcaps.capabilities.answers import AnswerError
from qcaps.release import R9_0

CORPUS = os.environ.get("QCAPS_CORPUS")
RECORDINGS = sorted(Path(CORPUS).rglob("*.replies")) if CORPUS else []
if CORPUS and not RECORDINGS:
    pytest.fail(f"QCAPS_CORPUS={CORPUS} has no .replies recordings", pytrace=False)


@pytest.mark.skipif(not CORPUS, reason="QCAPS_CORPUS is not set")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_gives_what_libvirt_made_of_it(path: Path) -> None:
    expected = cachefile.read(path.with_suffix(".xml")).capabilities
    found = recording.capabilities(path, R9_0)  # whose own tests they are
    assert found.flags == expected.flags
    assert (found.arch, found.version, found.package) == (expected.arch, expected.version, expected.package)
    assert [one.name for one in found.accelerators] == [one.name for one in expected.accelerators]
    for one, other in zip(found.accelerators, expected.accelerators, strict=True):
        assert one.machines == other.machines
        assert one.cpus == other.cpus
        assert one.host_cpu == other.host_cpu
    assert found.rest == expected.rest


CAPABILITIES = '{"execute": "qmp_capabilities"}\n{"return": {}}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no recording of a probe"),
        ("not JSON", "broken:1: the message that begins here is not JSON"),
        (CAPABILITIES + '\n{"execute": "query-ver', "broken:4: the message that begins here is not JSON"),
        ("[1, 2]", "broken:1: expected an object, got list"),
        ('{"return": {}}', "broken:1: an answer without a command"),
        (CAPABILITIES + '{"execute": 7}\n{"return": {}}', "broken:4: the command answered here is malformed"),
        (CAPABILITIES + '{"execute": "a"}\n{"error": 7}', "broken:4: expected an object as 'error', got int"),
        ("[" * 100_000, "broken:1: the message that begins here is not JSON"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        recording.parse(text, "broken")


def test_a_recording_that_stops_early_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "short.replies"
    path.write_text(CAPABILITIES + '{"execute": "query-target"}\n{"return": {"arch": "x86_64"}}')
    with pytest.raises(
        AnswerError, match=r"short.replies: QEMU was not asked, or did not answer, query-version"
    ):
        recording.capabilities(path)


def test_events_between_a_command_and_its_answer_are_skipped() -> None:
    text = CAPABILITIES + '{"execute": "stop"}\n{"event": "STOP"}\n{"return": {"a": 1}}'
    (session,) = recording.parse(text, "events")
    assert session.mapping("stop") == {"a": 1}
