"""Pins and schedulers, one element for each virtual CPU or I/O thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.syntax import cpuset, each, scaled
from qcaps.domainxml.tuning import Scheduled
from qcaps.rules.definition.completion import vcpus
from qcaps.rules.shared.sets import canonical
from qcaps.rules.shared.sizes import pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.tuning import (
        Blkiotune,
        CachetuneCache,
        Cputune,
        Iothreadpin,
        Iothreadsched,
        Vcpupin,
        Vcpusched,
    )

_S = TypeVar("_S", bound=Scheduled)

_RATES = ("weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec")


def parsed(domain: Domain) -> dict[str, Any]:
    """Sets in libvirt's spelling and order; pins of virtual CPUs that can never be there go.

    Follows: virDomainDefTunablesParse, virDomainDefaultIOThreadDefParse
    """
    changed_limits: dict[str, Any] = (
        {} if domain.blkiotune is None else {"blkiotune": limits_of_disks(domain.blkiotune)}
    )
    helpers = domain.defaultiothread
    if helpers is not None and helpers.thread_pool_min is None and helpers.thread_pool_max is None:
        changed_limits["defaultiothread"] = None
    tune = domain.cputune
    if tune is None:
        return changed_limits
    changes: dict[str, Any] = {
        name: value or None
        for name, value in tune.__dict__.items()
        if name != "shares" and name.endswith(("period", "quota"))
    }
    place = _thread_places(domain)
    changes["vcpupin"] = _vcpu_pins(tune.vcpupin, vcpus.maximum(domain))
    changes["iothreadpin"] = _iothread_pins(tune.iothreadpin, place)
    if tune.emulatorpin is not None:
        changes["emulatorpin"] = evolve(tune.emulatorpin, cpuset=canonical(tune.emulatorpin.cpuset))
    if tune.emulatorsched is not None:
        changes["emulatorsched"] = _scheduled(tune.emulatorsched)
    changes["vcpusched"] = _vcpu_schedulers(tune)
    changes["iothreadsched"] = _iothread_schedulers(tune, place)
    changes["cachetune"] = tuple(
        evolve(one, vcpus=canonical(one.vcpus), cache=tuple(map(_share, one.cache)), monitor=_monitors(one))
        for one in tune.cachetune
        if one.cache or one.monitor
    )
    changes["memorytune"] = tuple(
        evolve(one, vcpus=canonical(one.vcpus), monitor=_monitors(one))
        for one in tune.memorytune
        if one.node or one.monitor
    )
    changed = evolve(tune, **changes)
    empty = not any(value or name == "shares" for name, value in changed.__dict__.items() if name != "line")
    return {**changed_limits, "cputune": None if empty else changed}


# Follows: virDomainDefTunablesParse, virDomainBlkioDeviceParseXML
def limits_of_disks(blkio: Blkiotune) -> Blkiotune | None:
    """Limits of 0 are none, and a device without limits is none."""
    devices = (
        evolve(one, **{name: value or None for name, value in one.__dict__.items() if name in _RATES})
        for one in blkio.device
    )
    kept = tuple(one for one in devices if any(one.__dict__.get(name) for name in _RATES))
    changed = evolve(blkio, weight=blkio.weight or None, device=kept)
    return changed if changed.weight or kept else None


# Follows: virDomainCachetuneDefParseCache, virResctrlAllocFormat
def _share(cache: CachetuneCache) -> CachetuneCache:
    value, unit = pretty(scaled(cache.size, cache.unit))
    return evolve(cache, size=value, unit=unit)


def _monitors(tune: Any) -> tuple[Any, ...]:  # noqa: ANN401  # of caches or of bandwidth
    return tuple(evolve(one, vcpus=canonical(one.vcpus)) for one in tune.monitor)


def _thread_places(domain: Domain) -> Callable[[int], int]:
    """Tells the place of an I/O thread by its number: where it is listed, else its number."""
    if domain.iothreadids is None:
        return lambda number: number
    places = {one.id: place for place, one in enumerate(domain.iothreadids.iothread)}
    return lambda number: places.get(number, 0)


# Follows: virDomainVcpuPinDefParseXML
def _vcpu_pins(pins: Iterable[Vcpupin], most: int) -> tuple[Vcpupin, ...]:
    kept = sorted((one for one in pins if one.vcpu < most), key=lambda one: one.vcpu)
    return tuple(evolve(one, cpuset=canonical(one.cpuset)) for one in kept)


# Follows: virDomainIOThreadPinDefParseXML
def _iothread_pins(pins: Iterable[Iothreadpin], place: Callable[[int], int]) -> tuple[Iothreadpin, ...]:
    kept = sorted(pins, key=lambda one: place(one.iothread))
    return tuple(evolve(one, cpuset=canonical(one.cpuset)) for one in kept)


# Follows: virDomainSchedulerParseCommonAttrs
def _scheduled(sched: _S) -> _S:
    """Only the real-time ones have a priority."""
    return sched if sched.scheduler in ("fifo", "rr") else evolve(sched, priority=None)


# Follows: virDomainVcpuThreadSchedParse
def _vcpu_schedulers(tune: Cputune) -> tuple[Vcpusched, ...]:
    single = ((number, one) for one in tune.vcpusched for number in each(cpuset(one.vcpus)))
    return tuple(
        evolve(_scheduled(one), vcpus=str(number)) for number, one in sorted(single, key=lambda pair: pair[0])
    )


# Follows: virDomainIOThreadSchedParse
def _iothread_schedulers(tune: Cputune, place: Callable[[int], int]) -> tuple[Iothreadsched, ...]:
    single = [(number, one) for one in tune.iothreadsched for number in each(cpuset(one.iothreads))]
    single.sort(key=lambda pair: place(pair[0]))
    return tuple(evolve(_scheduled(one), iothreads=str(number)) for number, one in single)
