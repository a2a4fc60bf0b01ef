"""Each kind stands wherever it has something to do; what is left out is named with its list."""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qcaps.domainxml import devices as declared
from qcaps.rules import devices, orders
from qcaps.rules.devices.audio import AUDIO
from qcaps.rules.devices.rng import RNG
from qcaps.rules.devices.tpm import TPM
from qcaps.rules.devices.vsock import VSOCK
from qcaps.rules.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.kind import AnyKind


def faults() -> Iterator[str]:
    """A line for each kind that is missing from a list, or stands there for nothing."""
    records = {kind.device: kind for kind in orders.WRITTEN}
    for device in declared.KINDS:
        if device not in records:
            yield f"{device.__name__}: not in orders.WRITTEN"
    if tuple(records) != tuple(device for device in declared.KINDS if device in records):
        yield "orders.WRITTEN: not in the order of AnyDevice"
    for kind in orders.WRITTEN:
        name = kind.device.__name__
        if (kind in orders.VISITED) == (name == "Redirfilter"):
            yield f"{name}: orders.VISITED has every kind but Redirfilter"
        for order, has in (
            ("PCI", kind.pci is not None),
            ("VIRTIO_CCW", kind.on_virtio_bus is not None),
            ("NAMED", kind.alias is not None),
        ):
            listed = kind in getattr(orders, order)
            if listed != has:
                yield f"{name}: {'in' if listed else 'not in'} orders.{order}, and its record says otherwise"


def test_every_kind_stands_in_every_order_it_has_something_for() -> None:
    assert list(faults()) == []


@pytest.mark.parametrize(
    ("order", "kind", "said"),
    [
        ("WRITTEN", VSOCK, "Vsock: not in orders.WRITTEN"),
        ("VISITED", VSOCK, "Vsock: orders.VISITED has every kind but Redirfilter"),
        ("PCI", VSOCK, "Vsock: not in orders.PCI"),
        ("VIRTIO_CCW", RNG, "Rng: not in orders.VIRTIO_CCW"),
        ("NAMED", TPM, "Tpm: not in orders.NAMED"),
    ],
)
def test_a_kind_left_out_is_named(
    monkeypatch: pytest.MonkeyPatch, order: str, kind: AnyKind, said: str
) -> None:
    listed = getattr(orders, order)
    monkeypatch.setattr(orders, order, tuple(one for one in listed if one is not kind))
    assert any(line.startswith(said) for line in faults())


def test_a_kind_in_an_order_for_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "NAMED", (*orders.NAMED, replace(AUDIO)))
    assert "Audio: in orders.NAMED, and its record says otherwise" in list(faults())


def test_every_module_of_a_kind_has_a_record_in_the_written_order() -> None:
    for module in pkgutil.iter_modules(devices.__path__):
        found = getattr(orders, module.name.upper(), None)
        assert isinstance(found, Kind), f"rules/devices/{module.name}: no {module.name.upper()} in orders"
        assert found in orders.WRITTEN


def test_a_kind_is_two_files_named_as_its_element() -> None:
    for kind in orders.WRITTEN:
        name = kind.device.TAG
        home = kind.device.__module__
        assert home == f"{declared.__name__}.{name}", f"<{name}> is declared in {home}"
        assert getattr(orders, name.upper(), None) is kind, f"rules/devices/{name}: no record of <{name}>"
