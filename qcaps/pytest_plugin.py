"""A pytest plugin: the fixture `qcaps_driver`, a reference driver of the test's own::

    @pytest.mark.qcaps_driver(policy="once", validity="watch")
    def test_our_guest_is_looked_up_once(qcaps_driver):
        assert qcaps_driver.define("guest.xml").lookups == 1

The marker takes what `qcaps.Driver` takes; without it the driver is `qcaps.Driver()`. pytest finds the plugin
by its entry point: there is nothing to configure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps import Driver

_MARKER = "qcaps_driver"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(policy='naive', **options): what qcaps.Driver takes, for the fixture {_MARKER}"
    )


@pytest.fixture
def qcaps_driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A reference driver (`qcaps.Driver`) with a temporary folder, as the marker of the same name asks."""
    from qcaps import Driver  # tests that do not ask for it need not pay for the pipeline

    marker = request.node.get_closest_marker(_MARKER)
    positional, options = (marker.args, marker.kwargs) if marker else ((), {})
    with Driver(*positional, **options) as driver:
        yield driver
