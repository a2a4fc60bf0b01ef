"""Name, UUID, clock, power management, and the devices that are options of the domain itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Controller
from qcaps.domainxml.memory import kib
from qcaps.domainxml.syntax import uuid as normal_uuid
from qcaps.rules.machine import is_q35
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.argument import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.clock import Clock, Timer
    from qcaps.rules.start.launch import Launch


_TIME = "%Y-%m-%dT%H:%M:%S"


_TRACKS = {"guest": "vm", "wall": "host", "realtime": "rt"}


_PIT = "kvm-pit-lost-tick-policy"


def name(launch: Launch) -> Iterator[str]:
    """`-name`.

    Follows: qemuBuildNameCommandLine
    """
    yield from ("-name", f"guest={escaped(launch.domain.name)},debug-threads=on")


def uuid(launch: Launch) -> Iterator[str]:
    """`-uuid`.

    Follows: qemuBuildCommandLine
    """
    if launch.domain.uuid:
        yield from ("-uuid", normal_uuid(launch.domain.uuid))


def generation(launch: Launch) -> Iterator[str]:
    """The generation id, by which a guest knows that it was cloned or set back.

    Follows: qemuBuildVMGenIDCommandLine
    """
    if launch.domain.genid:
        properties = {"driver": "vmgenid", "guid": normal_uuid(launch.domain.genid), "id": "vmgenid0"}
        yield from launch.device(dict(properties))


def clock(launch: Launch) -> Iterator[str]:
    """`-rtc`, and what the PIT and the HPET do.

    Follows: qemuBuildClockCommandLine
    """
    given = launch.domain.clock
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
            if timer.tickpolicy != "catchup" and _PIT in launch.capabilities:
                yield from ("-global", f"kvm-pit.lost_tick_policy={timer.tickpolicy or 'delay'}")
        elif timer.name == "hpet" and timer.present is False and "no-hpet" in launch.capabilities:
            yield "-no-hpet"
        elif timer.name == "platform":
            raise Refused("QEMU has no timer 'platform'", timer)


def power(launch: Launch) -> Iterator[str]:
    """What a shutdown, ACPI and the sleep states do.

    Follows: qemuBuildPMCommandLine
    """
    domain = launch.domain
    restarts = {domain.on_reboot, domain.on_poweroff, domain.on_crash} != {"destroy"}
    yield "-no-shutdown" if "set-action" in launch.capabilities or restarts else "-no-reboot"
    if "no-acpi" in launch.capabilities and not (domain.features and domain.features.acpi):
        yield "-no-acpi"
    pm = domain.pm
    for state, given in (("s3", pm and pm.suspend_to_mem), ("s4", pm and pm.suspend_to_disk)):
        if given and given.enabled is not None:
            new = is_q35(domain) and f"ich9-disable-{state}" in launch.capabilities
            yield from (
                "-global",
                f"{'ICH9-LPC' if new else 'PIIX4_PM'}.disable_{state}={int(not given.enabled)}",
            )


def pci_hole(launch: Launch) -> Iterator[str]:
    """How much room the root has for 64-bit PCI devices.

    Follows: qemuBuildGlobalControllerCommandLine
    """
    hosts = {"pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost"}
    for controller in launch.of(Controller):
        if controller.type == "pci" and controller.pcihole64 is not None:
            if controller.model not in hosts:
                raise Refused("only a root has a <pcihole64>", controller)
            yield from ("-global", f"{hosts[controller.model]}.pci-hole64-size={kib(controller.pcihole64)}K")


def core_info(launch: Launch) -> Iterator[str]:
    """The device by which a dump finds its way.

    Follows: qemuBuildVMCoreInfoCommandLine
    """
    features = launch.domain.features
    if features and features.vmcoreinfo and features.vmcoreinfo.state is not False:
        yield from launch.device({"driver": "vmcoreinfo"})


def secure_launch(launch: Launch) -> Iterator[str]:
    """What makes the guest a confidential one.

    Follows: qemuBuildSecCommandLine, qemuBuildSEVCommandLine, qemuBuildPVCommandLine
    """
    given = launch.domain.launch_security
    if given is None:
        return
    if given.type == "s390-pv":
        yield from launch.backend({"qom-type": "s390-pv-guest", "id": "lsec0"})
        return
    yield from launch.backend(
        {
            "qom-type": "sev-guest",
            "id": "lsec0",
            "cbitpos": given.cbitpos or 0,
            "reduced-phys-bits": given.reduced_phys_bits or 0,
            "policy": given.policy or 0,
            "dh-cert-file": paths.own(launch.domain, "dh_cert.base64") if given.dh_cert else None,
            "session-file": paths.own(launch.domain, "session.base64") if given.session else None,
            "kernel-hashes": given.kernel_hashes,
        }
    )


# Follows: qemuBuildClockArgStr
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
    try:
        return (now + timedelta(seconds=seconds)).strftime(_TIME)
    except OverflowError:  # as libvirt: QEMU gets no time at all, and does not start
        raise Refused(f"{seconds} seconds lead to no date between the years 1 and 9999", given) from None


def _rtc(timer: Timer) -> Iterator[str]:
    if timer.track == "boot":
        raise Refused("QEMU's clock cannot track the time since boot", timer)
    if timer.tickpolicy in ("merge", "discard"):
        raise Refused(f"QEMU's clock cannot {timer.tickpolicy} ticks", timer)
    if timer.track in _TRACKS:
        yield f"clock={_TRACKS[timer.track]}"
    if timer.tickpolicy == "catchup":
        yield "driftfix=slew"
