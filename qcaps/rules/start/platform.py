"""Name, UUID, clock, power management, and the devices that are options of the domain itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qcaps.domain.address import SpaprVioAddress
from qcaps.domain.devices import Controller, Nvram
from qcaps.domain.memory import kib
from qcaps.domain.syntax import uuid as normal_uuid
from qcaps.rules.machine import is_q35
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.argument import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domain.clock import Clock, Timer
    from qcaps.rules.start.guest import Guest

_TIME = "%Y-%m-%dT%H:%M:%S"
_TRACKS = {"guest": "vm", "wall": "host", "realtime": "rt"}
_PIT = "kvm-pit-lost-tick-policy"


def name(guest: Guest) -> Iterator[str]:
    """`-name`."""
    yield from ("-name", f"guest={escaped(guest.domain.name)},debug-threads=on")


def uuid(guest: Guest) -> Iterator[str]:
    """`-uuid`."""
    if guest.domain.uuid:
        yield from ("-uuid", normal_uuid(guest.domain.uuid))


def generation(guest: Guest) -> Iterator[str]:
    """The generation id, by which a guest knows that it was cloned or set back."""
    if guest.domain.genid:
        properties = {"driver": "vmgenid", "guid": normal_uuid(guest.domain.genid), "id": "vmgenid0"}
        yield from guest.device(dict(properties))


def clock(guest: Guest) -> Iterator[str]:
    """`-rtc`, and what the PIT and the HPET do."""
    given = guest.domain.clock
    timers = given.timer if given else ()
    words = [f"base={_base(given)}"]
    for timer in timers:
        if timer.name == "rtc":
            words += _rtc(timer)
            break  # there is one
    yield from ("-rtc", ",".join(words))
    for timer in timers:
        if timer.name == "pit":
            if timer.tickpolicy == "merge":
                raise Refused("QEMU's PIT cannot merge ticks", timer)
            if timer.tickpolicy != "catchup" and _PIT in guest.capabilities:
                yield from ("-global", f"kvm-pit.lost_tick_policy={timer.tickpolicy or 'delay'}")
        elif timer.name == "hpet" and timer.present is False and "no-hpet" in guest.capabilities:
            yield "-no-hpet"
        elif timer.name == "platform":
            raise Refused("QEMU has no timer 'platform'", timer)


def power(guest: Guest) -> Iterator[str]:
    """What a shutdown, ACPI and the sleep states do."""
    domain = guest.domain
    restarts = {domain.on_reboot, domain.on_poweroff, domain.on_crash} != {"destroy"}
    yield "-no-shutdown" if "set-action" in guest.capabilities or restarts else "-no-reboot"
    if "no-acpi" in guest.capabilities and not (domain.features and domain.features.acpi):
        yield "-no-acpi"
    pm = domain.pm
    for state, given in (("s3", pm and pm.suspend_to_mem), ("s4", pm and pm.suspend_to_disk)):
        if given and given.enabled is not None:
            new = is_q35(domain) and f"ich9-disable-{state}" in guest.capabilities
            yield from (
                "-global",
                f"{'ICH9-LPC' if new else 'PIIX4_PM'}.disable_{state}={int(not given.enabled)}",
            )


def pci_hole(guest: Guest) -> Iterator[str]:
    """How much room the root has for 64-bit PCI devices."""
    hosts = {"pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost"}
    for controller in guest.of(Controller):
        if controller.type == "pci" and controller.pcihole64 is not None:
            if controller.model not in hosts:
                raise Refused("only a root has a <pcihole64>", controller)
            yield from ("-global", f"{hosts[controller.model]}.pci-hole64-size={kib(controller.pcihole64)}K")


def nvram(guest: Guest) -> Iterator[str]:
    """Where a pSeries keeps its settings."""
    for device in guest.of(Nvram):
        register = device.address.reg if isinstance(device.address, SpaprVioAddress) else None
        yield from ("-global", f"spapr-nvram.reg=0x{register or 0:x}")


def core_info(guest: Guest) -> Iterator[str]:
    """The device by which a dump finds its way."""
    features = guest.domain.features
    if features and features.vmcoreinfo and features.vmcoreinfo.state is not False:
        yield from guest.device({"driver": "vmcoreinfo"})


def secure_launch(guest: Guest) -> Iterator[str]:
    """What makes the guest a confidential one."""
    given = guest.domain.launch_security
    if given is None:
        return
    if given.type == "s390-pv":
        yield from guest.backend({"qom-type": "s390-pv-guest", "id": "lsec0"})
        return
    yield from guest.backend(
        {
            "qom-type": "sev-guest",
            "id": "lsec0",
            "cbitpos": given.cbitpos or 0,
            "reduced-phys-bits": given.reduced_phys_bits or 0,
            "policy": given.policy or 0,
            "dh-cert-file": paths.own(guest.domain, "dh_cert.base64") if given.dh_cert else None,
            "session-file": paths.own(guest.domain, "session.base64") if given.session else None,
            "kernel-hashes": given.kernel_hashes,
        }
    )


def _base(given: Clock | None) -> str:
    offset = (given.offset if given else None) or "utc"
    if given is None or offset == "utc":
        return "utc"
    if offset == "absolute":
        return datetime.fromtimestamp(given.start or 0, UTC).strftime(_TIME)
    if offset != "variable":
        return "localtime"
    seconds = int(given.adjustment) if given.adjustment and given.adjustment != "reset" else 0
    now = datetime.now(UTC)
    if given.basis == "localtime":
        seconds += int((now.astimezone().utcoffset() or timedelta()).total_seconds())
    return (now + timedelta(seconds=seconds)).strftime(_TIME)


def _rtc(timer: Timer) -> Iterator[str]:
    if timer.track == "boot":
        raise Refused("QEMU's clock cannot track the time since boot", timer)
    if timer.tickpolicy in ("merge", "discard"):
        raise Refused(f"QEMU's clock cannot {timer.tickpolicy} ticks", timer)
    if timer.track in _TRACKS:
        yield f"clock={_TRACKS[timer.track]}"
    if timer.tickpolicy == "catchup":
        yield "driftfix=slew"
