"""The capabilities that ship with the package."""

from __future__ import annotations

import pytest

from qcaps.capabilities import flags
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.errors import QcapsError


def test_the_snapshots_are_named() -> None:
    assert {"aarch64", "s390x", "x86_64"} <= set(names())


@pytest.mark.parametrize("arch", names())
def test_a_snapshot_is_what_its_name_says(arch: str) -> None:
    entry = snapshot(arch)
    assert entry.capabilities.arch == arch
    assert entry.stamps.binary == f"/usr/bin/qemu-system-{'arm' if arch == 'armv7l' else arch}"
    assert entry.capabilities.flags <= set(flags.NAMES)
    assert "tcg" in entry.capabilities
    assert snapshot(arch) is entry


def test_the_x86_snapshot_knows_both_accelerators() -> None:
    capabilities = snapshot("x86_64").capabilities
    assert capabilities.kvm
    for virt_type in ("kvm", "qemu"):
        accelerator = capabilities.accelerator(virt_type)
        assert accelerator is not None
        assert {"pc", "q35"} <= accelerator.machines_by_name.keys()
        assert any(cpu.usable for cpu in accelerator.cpus)
        assert accelerator.host_cpu is not None


def test_an_architecture_without_a_snapshot_is_refused() -> None:
    with pytest.raises(
        QcapsError, match="no recorded capabilities for architecture 'vax'; there are aarch64"
    ):
        snapshot("vax")
