"""Releases are ordered values; one that is not known is judged by the nearest older one."""

from __future__ import annotations

import pytest

from qcaps.errors import UsageError
from qcaps.release import (
    DEFAULT,
    R3_6,
    R9_0,
    R11_3,
    R12_8,
    Release,
    modelled,
    nearest,
    of_version,
    parse,
    since,
)


@pytest.mark.parametrize(
    ("text", "release"), [("9.0", R9_0), ("12.8.0", R12_8), ("11.3", R11_3), ("10.10", Release(10, 10))]
)
def test_a_release_is_read_and_written(text: str, release: Release) -> None:
    assert parse(text) == release
    assert text.startswith(str(release))


@pytest.mark.parametrize("text", ["", "9", "nine", "9.0.0.0", "v9.0", "9.-1", "99999.0", "9.0 "])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no release of libvirt"):
        parse(text)


def test_releases_are_ordered_by_number() -> None:
    assert R9_0 < Release(9, 10) < Release(10, 0) < R11_3 < R12_8
    assert of_version(10_010_000) == Release(10, 10)


def test_the_nearest_older_release_judges_with_a_warning() -> None:
    assert nearest(R12_8) == (R12_8, "")
    assert nearest(Release(13, 0)) == (R12_8, "libvirt 13.0 is not known: judged by the law of 12.8")
    assert nearest(Release(10, 0)).release == R9_0
    assert nearest(Release(1, 2)) == (R3_6, "")


def test_the_reference_follows_a_release_whose_rules_are_known() -> None:
    assert modelled(DEFAULT) == (R12_8, "")  # the newest
    assert modelled(Release(12, 0)).release == R11_3
    assert "follows the rules of 11.3" in modelled(Release(12, 0)).warning
    with pytest.raises(UsageError, match=r"libvirt 7\.0 is known by its law alone .* 9\.0, 11\.3 or 12\.8"):
        modelled(Release(7, 0))


def test_a_table_says_what_holds_since_when() -> None:
    table = {R9_0: "old", R11_3: "new"}
    assert [since(table, one) for one in (R9_0, Release(11, 2), R11_3, R12_8)] == ["old", "old", "new", "new"]
    with pytest.raises(KeyError):
        since(table, R3_6)
