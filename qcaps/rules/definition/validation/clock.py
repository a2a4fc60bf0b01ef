"""Timers, the clock, and the sleep states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.refuse import need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.clock import Timer
    from qcaps.rules.shared.guest import Guest

LATEST_START = 253402300799
"""The last second of the year 9999."""


def check_clock(guest: Guest, caps: Capabilities) -> None:
    """Each timer against the architecture and QEMU; the start of an absolute clock.

    Follows: qemuValidateDomainDefClockTimers
    """
    clock = guest.domain.clock
    if clock is None:
        return
    for timer in clock.timer:
        _TIMERS[timer.name](timer, guest, caps)
    if clock.offset == "absolute" and (clock.start or 0) > LATEST_START:
        raise unsupported(f"the clock's start is above {LATEST_START}", clock)


def _refuse_platform(timer: Timer, _guest: Guest, _caps: Capabilities) -> None:
    raise unsupported(f"QEMU has no timer '{timer.name}'", timer)


def _check_x86_timer(timer: Timer, guest: Guest, _caps: Capabilities) -> None:
    if timer.present and not guest.is_x86:
        raise unsupported(f"timer '{timer.name}' is not there for {guest.where}", timer)


def _check_rtc(timer: Timer, _guest: Guest, _caps: Capabilities) -> None:
    if timer.track == "boot":
        raise unsupported("timer 'rtc' has no track 'boot'", timer)
    if timer.tickpolicy in ("merge", "discard"):
        raise unsupported(f"timer 'rtc' has no tickpolicy '{timer.tickpolicy}'", timer)


def _check_pit(timer: Timer, _guest: Guest, caps: Capabilities) -> None:
    if timer.tickpolicy == "catchup":
        need(caps, "kvm-pit-lost-tick-policy", "tickpolicy 'catchup' of timer 'pit'", timer)
    if timer.tickpolicy == "merge":
        raise unsupported("timer 'pit' has no tickpolicy 'merge'", timer)


def _check_hpet(timer: Timer, _guest: Guest, caps: Capabilities) -> None:
    if timer.present:
        need(caps, "no-hpet", "timer 'hpet'", timer)


def _check_armvtimer(timer: Timer, guest: Guest, caps: Capabilities) -> None:
    if guest.domain.type != "kvm" or not guest.is_arm_virt:
        raise unsupported(
            f"timer 'armvtimer' is not there for type '{guest.domain.type}', {guest.where}", timer
        )
    if timer.present is False:
        raise unsupported("timer 'armvtimer' cannot be switched off", timer)
    need(caps, "cpu.kvm-no-adjvtime", "timer 'armvtimer'", timer)
    if timer.tickpolicy in ("catchup", "merge"):
        raise unsupported(f"timer 'armvtimer' has no tickpolicy '{timer.tickpolicy}'", timer)


_TIMERS: dict[str, Callable[[Timer, Guest, Capabilities], None]] = {
    "platform": _refuse_platform,
    "tsc": _check_x86_timer,
    "kvmclock": _check_x86_timer,
    "hypervclock": _check_x86_timer,
    "rtc": _check_rtc,
    "pit": _check_pit,
    "hpet": _check_hpet,
    "armvtimer": _check_armvtimer,
}


def check_pm(guest: Guest, caps: Capabilities) -> None:
    """Whether QEMU can switch the ACPI sleep states.

    Follows: qemuValidateDomainDefPM
    """
    pm = guest.domain.pm
    if pm is None:
        return
    for state, name, element in (("s3", "S3", pm.suspend_to_mem), ("s4", "S4", pm.suspend_to_disk)):
        if element is None or element.enabled is None or f"disable-{state}" in caps.flags:
            continue
        if not guest.is_q35 or f"ich9-disable-{state}" not in caps.flags:
            raise unsupported(f"this QEMU cannot switch the ACPI state {name}", pm)
