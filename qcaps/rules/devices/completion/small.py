"""Kinds with a default or two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import PPC64, S390, X86
from qcaps.domain.codec import evolve
from qcaps.domain.devices.chardev import ChardevSource
from qcaps.domain.devices.tpm import TpmBackendDevice
from qcaps.domain.devices.vsock import VsockCid
from qcaps.rules.devices.completion.characters import normal_source
from qcaps.rules.machine import is_arm_virt, is_pseries
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domain.devices import (
        Input,
        Iommu,
        Memballoon,
        Panic,
        Redirdev,
        Redirfilter,
        Rng,
        Smartcard,
        Sound,
        Tpm,
        Vsock,
        Watchdog,
    )
    from qcaps.domain.devices.redirection import RedirfilterUsbdev
    from qcaps.domain.domain import Domain
    from qcaps.rules.shared.state import State

_WITH_CODECS: Final = frozenset({"ich6", "ich9"})
_ALWAYS_TPM_2: Final = frozenset({"tpm-spapr", "tpm-crb"})
_ANY: Final = -1
_VERSION_DIGITS: Final = 2


def parsed_input(domain: Domain, device: Input) -> Input:
    """The bus that such a device sits on."""
    bus = device.bus
    if bus is None:
        if device.type in ("mouse", "keyboard") and domain.arch in X86:
            bus = "ps2"
        elif domain.arch in S390 or device.type == "passthrough":
            bus = "virtio"
        elif device.type != "evdev":
            bus = "usb"
    if bus == "none":
        bus = None
    return evolve(device, bus=bus)


def parsed_iommu(_domain: Domain, iommu: Iommu) -> Iommu:
    """An address width of 0 says nothing."""
    driver = iommu.driver
    if driver is None:
        return iommu
    driver = evolve(driver, aw_bits=driver.aw_bits or None)
    said = any(value is not None for name, value in driver.__dict__.items() if name != "line")
    return evolve(iommu, driver=driver if said else None)


def parsed_sound(_domain: Domain, sound: Sound) -> Sound:
    """Only Intel's HDA has codecs."""
    return evolve(sound, codec=()) if sound.codec and sound.model not in _WITH_CODECS else sound


def parsed_watchdog(_domain: Domain, watchdog: Watchdog) -> Watchdog:
    """It resets, unless told otherwise."""
    return watchdog if watchdog.action is not None else evolve(watchdog, action="reset")


def parsed_memballoon(_domain: Domain, balloon: Memballoon) -> Memballoon:
    """No device, no address."""
    changes: dict[str, Any] = {}
    if balloon.stats is not None and (balloon.stats.period or 0) <= 0:
        changes["stats"] = None
    if balloon.model == "none":
        changes["address"] = None
    return evolve(balloon, **changes) if changes else balloon


def parsed_smartcard(_domain: Domain, card: Smartcard) -> Smartcard:
    """A card that a client hands over comes by a character device."""
    if card.mode != "passthrough" or card.type is None:
        return card
    source, protocol = normal_source(card.type, card.source, card.protocol)
    return evolve(card, source=source, protocol=protocol)


def parsed_redirdev(_domain: Domain, device: Redirdev) -> Redirdev:
    """A USB device that a client hands over."""
    source, protocol = normal_source(device.type, device.source, device.protocol)
    if device.type == "dbus" and (source is None or source.channel is None):
        source = evolve(source or ChardevSource(), channel="org.qemu.usbredir")
    return evolve(device, bus=device.bus, source=source, protocol=protocol)


def parsed_redirfilter(_domain: Domain, rules: Redirfilter) -> Redirfilter:
    """What may be any is left out; versions have two digits behind the dot."""
    return evolve(rules, usbdev=tuple(map(_rule, rules.usbdev)))


def _rule(rule: RedirfilterUsbdev) -> RedirfilterUsbdev:
    open_ = {name: None for name in ("class_", "vendor", "product") if getattr(rule, name) == _ANY}
    return evolve(rule, version=_version(rule), **open_)


def _version(rule: RedirfilterUsbdev) -> str | None:
    if rule.version in (None, "-1"):
        return None
    major, _, minor = rule.version.partition(".")
    if not (major.isdecimal() and minor.isdecimal()) or max(len(major), len(minor)) > _VERSION_DIGITS:
        raise Refused(f"XML error: '{rule.version[:40]}' is no version of a USB device", rule)
    return f"{int(major)}.{int(minor) * (10 if len(minor) == 1 else 1):02d}"


def parsed_rng(_domain: Domain, rng: Rng) -> Rng:
    """A daemon that gives random numbers is a character device."""
    changes: dict[str, Any] = {}
    backend = rng.backend
    if backend.model == "egd" and backend.type is not None:
        source, protocol = normal_source(backend.type, backend.source, backend.protocol)
        changes["backend"] = evolve(backend, source=source, protocol=protocol)
    if rng.rate is not None:
        period = evolve(rng.rate, period=rng.rate.period or None)
        changes["rate"] = period if rng.rate.bytes else None
    return evolve(rng, **changes) if changes else rng


def complete_rng(_state: State, rng: Rng) -> Rng:
    """The host's /dev/random."""
    if rng.backend.model != "random" or (rng.backend.text and rng.backend.text.strip()):
        return rng
    return evolve(rng, backend=evolve(rng.backend, text="/dev/random"))


def parsed_tpm(_domain: Domain, tpm: Tpm) -> Tpm:
    """The host's first TPM is passed through, unless another is named."""
    backend = tpm.backend
    changes: dict[str, Any] = {}
    if backend.type == "passthrough" and (backend.device is None or backend.device.path is None):
        changes["device"] = evolve(backend.device or TpmBackendDevice(), path="/dev/tpm0")
    if backend.type != "emulator" and backend.version is not None:
        changes["version"] = None
    if backend.persistent_state is False:
        changes["persistent_state"] = None
    if backend.type == "external" and backend.source is not None:
        changes["source"] = evolve(backend.source, mode="connect")
    return evolve(tpm, backend=evolve(backend, **changes)) if changes else tpm


def complete_tpm(state: State, tpm: Tpm) -> Tpm:
    """Model and version; versions 1.2 and 2.0 do not go together, so one must be chosen."""
    model = tpm.model or ("tpm-spapr" if state.domain.arch in PPC64 else "tpm-tis")
    backend = tpm.backend
    if backend.type == "emulator" and backend.version is None:
        new = model in _ALWAYS_TPM_2 or is_arm_virt(state.domain)
        backend = evolve(backend, version="2.0" if new else "1.2")
    return evolve(tpm, model=model, backend=backend)


def complete_panic(state: State, panic: Panic) -> Panic:
    """What the machine has."""
    if panic.model not in (None, "default"):
        return panic
    domain = state.domain
    model = "pseries" if is_pseries(domain) else "s390" if domain.arch in S390 else "isa"
    return evolve(panic, model=model)


def complete_vsock(_state: State, vsock: Vsock) -> Vsock:
    """Libvirt chooses the number, unless one is given."""
    cid = vsock.cid or VsockCid()
    auto = cid.address is None if cid.auto is None else cid.auto
    model = "virtio" if vsock.model in (None, "default") else vsock.model
    return evolve(vsock, model=model, cid=evolve(cid, auto=auto))
