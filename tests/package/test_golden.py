"""The reference answers as when tests/golden was recorded; what is meant to differ is recorded anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qcaps.scenario import scenario
from tests.golden import make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN = 10


def same(path: Path, cases: Iterator[make.Case], capabilities: Path | None = None) -> None:
    found = list(make.differences(path, *make.record(cases, capabilities)))
    if found:
        lines = [*found[:SHOWN], f"{len(found)} differ; if that is meant: python tests/golden/make.py"]
        pytest.fail("\n".join(lines), pytrace=False)


def test_own_domains_become_what_was_recorded() -> None:
    same(make.SCENARIOS, make.own_cases())


def test_a_corpus_becomes_what_was_recorded(corpus: Path) -> None:
    same(make.CORPUS, make.corpus_cases(corpus), make.corpus_capabilities(corpus))


def test_each_difference_is_one_line(tmp_path: Path) -> None:
    def domain(name: str, disks: int) -> make.Case:
        return make.Case(name, scenario("disks").xml(disks).encode())

    path = tmp_path / "golden.json"
    cases = [domain("same", 1), domain("larger", 1), domain("refused", 1), domain("gone", 1)]
    make.write(path, *make.record(iter(cases)))
    bad = make.Case("refused", cases[2].data.replace(b"bus='virtio'", b"bus='none-such'"))
    found = list(
        make.differences(path, *make.record(iter([cases[0], domain("larger", 2), bad, domain("new", 1)])))
    )
    fields = ("xml", "define", "start", "arguments", "createXML")
    assert [line.partition(": was ")[0] for line in found] == [
        *(f"larger: {field}" for field in fields),
        *(f"refused: {field}" for field in (*fields, "refused")),
        "gone: recorded, and not there now",
        "new: not recorded",
    ]
    assert "validate device 12" in found[1]
    assert "validate device 14" in found[1]
    assert "was absent; is" in found[10]
    assert "none-such" in found[10]
