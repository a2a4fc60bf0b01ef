"""Ranges of `<cputune>`, pools of I/O threads, the fabric's application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.tuning import Defaultiothread, Iothread
    from qcaps.rules.shared.guest import Guest

_PERIOD = (1000, 1_000_000)  # microseconds
_QUOTA = (1000, 17_592_186_044_415)
_CPUTUNE_RANGES = {
    "shares": (2, 262_144),
    "period": _PERIOD,
    "global_period": _PERIOD,
    "emulator_period": _PERIOD,
    "iothread_period": _PERIOD,
    "quota": _QUOTA,
    "global_quota": _QUOTA,
    "emulator_quota": _QUOTA,
    "iothread_quota": _QUOTA,
}
"""What the kernel's CPU cgroup takes; 0 and below mean no limit."""

_LONGEST_APPID = 128


def check_cputune(guest: Guest) -> None:
    """Shares, periods and quotas within what the kernel takes.

    Follows: virDomainDefCputuneValidate
    """
    cputune = guest.domain.cputune
    if cputune is None:
        return
    for name, (lowest, highest) in _CPUTUNE_RANGES.items():
        value = getattr(cputune, name) or 0
        if value > 0 and not lowest <= value <= highest:
            raise unsupported(f"cputune {name} {value} is not between {lowest} and {highest}", cputune)


def _pools(guest: Guest) -> list[Iothread | Defaultiothread]:
    domain = guest.domain
    pools: list[Iothread | Defaultiothread] = []
    if domain.iothreadids is not None:
        pools.extend(domain.iothreadids.iothread)
    if domain.defaultiothread is not None:
        pools.append(domain.defaultiothread)
    return [one for one in pools if one.thread_pool_min is not None or one.thread_pool_max is not None]


def check_thread_pools(guest: Guest, caps: Capabilities) -> None:
    """Whether QEMU can bound the pool of an I/O thread.

    Follows: qemuValidateDomainDefIOThreads
    """
    for pool in _pools(guest):
        need(caps, "iothread.thread-pool-max", "thread_pool_min or thread_pool_max", pool)


def check_pool_sizes(guest: Guest) -> None:
    """Refuses a pool whose maximum is 0, or missing beside a minimum, or below it.

    Follows: virDomainDefValidateIOThreads, virDomainDefValidateIOThreadsThreadPool
    """
    for pool in _pools(guest):
        most = -1 if pool.thread_pool_max is None else pool.thread_pool_max
        if most == 0:
            raise unsupported("thread_pool_max is 0", pool)
        if (pool.thread_pool_min if pool.thread_pool_min is not None else -1) > most:
            raise unsupported("thread_pool_min is above thread_pool_max", pool)


def check_resource(guest: Guest) -> None:
    """The application's name: printable and of a length the kernel takes.

    Follows: virDomainDefResourceValidate
    """
    resource = guest.domain.resource
    if resource is None or resource.fibrechannel is None or resource.fibrechannel.appid is None:
        return
    appid = resource.fibrechannel.appid
    if not all(" " <= character <= "~" for character in appid):
        raise malformed("appid is not printable", resource)
    if not 1 <= len(appid) <= _LONGEST_APPID:
        raise Refused(f"appid is not 1 to {_LONGEST_APPID} characters long", resource)
