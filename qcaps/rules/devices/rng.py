"""`<rng>`: sources of random numbers, the host's or a daemon's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Rng
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_count
from qcaps.rules.shared.character_checks import (
    check_qemu_source,
    check_source,
    refuse_read_sources,
    sources,
)
from qcaps.rules.shared.characters import normal_source
from qcaps.rules.shared.common import by_type, only
from qcaps.rules.shared.pci import VIRTIO_WAYS, by_model
from qcaps.rules.shared.refuse import malformed, need
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.backend import chardev
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def refuse_read(rng: d.Rng) -> None:
    """Refuses an entropy daemon without a type, or one that reconnects without a timeout.

    Follows: virDomainRNGDefParseXML
    """
    if rng.backend.model == "egd":
        if rng.backend.type is None:
            raise malformed("an entropy daemon (egd) needs a type", rng)
        refuse_read_sources(rng.backend)


_COUNTED: Final = by_type({"random": {"model", "text"}, "builtin": {"model"}})
"""What a backend may say that is no daemon."""


def read(_domain: Domain, rng: Rng) -> Rng:
    """The source of an entropy daemon by its type; leaves out a rate of 0.

    Follows: virDomainRNGDefParseXML, virDomainRNGDefFormat
    """
    changes: dict[str, Any] = {}
    backend = rng.backend
    if backend.model != "egd":
        changes["backend"] = only(backend, _COUNTED[backend.model])
    elif backend.type is not None:
        source, protocol = normal_source(backend.type, backend.source, backend.protocol)
        changes["backend"] = evolve(backend, source=source, protocol=protocol)
    if rng.rate is not None:
        period = evolve(rng.rate, period=rng.rate.period or None)
        changes["rate"] = period if rng.rate.bytes else None
    return evolve(rng, **changes) if changes else rng


def complete(_state: State, rng: Rng) -> Rng:
    """Random numbers come from /dev/random where no file is named.

    Follows: virDomainRNGDefPostParse
    """
    if rng.backend.model != "random" or (rng.backend.text and rng.backend.text.strip()):
        return rng
    return evolve(rng, backend=evolve(rng.backend, text="/dev/random"))


def refuse(rng: Rng, _guest: Guest) -> None:
    """Refuses an incomplete source of an entropy daemon.

    Follows: virDomainRNGDefValidate
    """
    if rng.backend is not None and rng.backend.model == "egd":
        check_source(rng.backend.type, sources(rng.backend), rng)


_RNG_FLAGS = {"random": "rng-random", "egd": "rng-egd", "builtin": "rng-builtin"}


def refuse_by_qemu(rng: Rng, guest: Guest, caps: Capabilities) -> None:
    """Refuses backends and models that this QEMU lacks.

    Follows: qemuValidateDomainRNGDef
    """
    backend = rng.backend
    if backend is not None:
        need(caps, _RNG_FLAGS[backend.model], f"entropy backend '{backend.model}'", rng)
        if backend.model == "egd":
            check_qemu_source(backend.type, sources(backend), rng, guest, caps)
    need(caps, "virtio-rng", f"an entropy device of model '{rng.model}'", rng)
    if rng.model != "virtio":
        need(caps, "virtio-pci-non-transitional", f"an entropy device of model '{rng.model}'", rng)


_SECOND: Final = 1000
"""Milliseconds; the period of a rate without one."""


def entropy(launch: Launch) -> Iterator[str]:
    """Sources of random numbers.

    Follows: qemuBuildRNGCommandLine, qemuBuildRNGBackendProps, qemuBuildRNGDevProps
    """
    for rng in launch.of(Rng):
        name, backend = launch.alias(rng), rng.backend
        made = {"qom-type": f"rng-{backend.model}", "id": f"obj{name}"}
        if backend.model == "random":
            made["filename"] = backend.text or "/dev/urandom"
        elif backend.model == "egd":
            yield from chardev(launch, _Egd(rng), f"char{name}")
            made["chardev"] = f"char{name}"
        yield from launch.backend(dict(made))
        yield from zpci(launch, rng)
        rate = rng.rate if rng.rate and rng.rate.bytes else None
        yield from launch.device(
            {
                **virtio(launch, rng, "virtio-rng", driver=rng.driver, model=rng.model),
                "rng": f"obj{name}",
                "id": name,
                "max-bytes": rate.bytes if rate else None,
                "period": (rate.period or _SECOND) if rate else None,
                **placed(launch, rng),
            }
        )


class _Egd:
    """The backend of an entropy source, seen as what it is connected to."""

    def __init__(self, rng: Rng) -> None:
        backend = rng.backend
        self.type: str = backend.type or ""
        self.source = backend.source
        self.second_source = backend.second_source
        self.protocol = backend.protocol
        self.log = backend.log


RNG = Kind(
    Rng,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=lambda rng, way: by_model(VIRTIO_WAYS, rng.model, way), wants=lambda _: True),
    on_virtio_bus=lambda _: True,
    alias=by_count("rng"),
)
