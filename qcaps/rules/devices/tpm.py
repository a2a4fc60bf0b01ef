"""`<tpm>`: model and version, the host's swtpm, passed-through and external ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import PPC64, X86
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Tpm
from qcaps.domainxml.devices.tpm import TpmBackendDevice
from qcaps.domainxml.syntax import uuid
from qcaps.rules.kind import Kind
from qcaps.rules.machine import is_arm_virt
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.common import by_type, only
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed
from qcaps.rules.start.argument import escaped
from qcaps.rules.start.backend import unix_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def refuse_read(tpm: d.Tpm) -> None:
    """Refuses an external TPM without a source, and a secret that is no UUID.

    Follows: virDomainTPMDefParseXML
    """
    backend = tpm.backend
    if backend.type == "external" and backend.source is None:
        raise malformed("an external TPM needs <source type=…>", tpm)
    if backend.encryption is not None and backend.type == "emulator":
        try:
            uuid(backend.encryption.secret)
        except ValueError as error:
            raise internal(str(error), tpm) from None


_ALWAYS_TPM_2: Final = frozenset({"tpm-spapr", "tpm-crb"})


_COUNTED: Final = by_type(
    {
        "passthrough": {"type", "device"},
        "emulator": {"type", "version", "persistent_state", "encryption", "active_pcr_banks"},
        "external": {"type", "source"},
    }
)
"""What a backend of each type may say."""


def read(_domain: Domain, tpm: Tpm) -> Tpm:
    """The host's first TPM is passed through, unless another is named.

    Follows: virDomainTPMDefParseXML, virDomainTPMDefFormat
    """
    backend = only(tpm.backend, _COUNTED[tpm.backend.type])
    if backend is not tpm.backend:
        tpm = evolve(tpm, backend=backend)
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


def complete(state: State, tpm: Tpm) -> Tpm:
    """Model and version, as the machine has them; version 1.2 where it can be had.

    Follows: qemuDomainTPMDefPostParse
    """
    model = tpm.model or ("tpm-spapr" if state.domain.arch in PPC64 else "tpm-tis")
    backend = tpm.backend
    if backend.type == "emulator" and backend.version is None:
        new = model in _ALWAYS_TPM_2 or is_arm_virt(state.domain)
        backend = evolve(backend, version="2.0" if new else "1.2")
    return evolve(tpm, model=model, backend=backend)


_TPM_MODEL_FLAGS = {
    "tpm-tis": "tpm-tis",
    "tpm-crb": "tpm-crb",
    "tpm-spapr": "tpm-spapr",
    "spapr-tpm-proxy": "spapr-tpm-proxy",
}


def refuse(tpm: Tpm, _guest: Guest) -> None:
    """What holds for a TPM under any hypervisor.

    Follows: virDomainTPMDevValidate
    """
    backend = tpm.backend
    if backend is None:
        return
    if backend.type == "emulator" and backend.active_pcr_banks is not None and backend.version != "2.0":
        raise malformed("active_pcr_banks needs TPM version '2.0'", tpm)
    if backend.type == "external":
        source = backend.source
        if source is None or source.type != "unix":
            raise malformed("an external TPM has a source of type 'unix'", tpm)
        if source.mode == "bind":
            raise malformed("an external TPM is connected to, in mode 'connect'", tpm)
        if source.path is None:
            raise malformed("an external TPM needs <source path=…>", tpm)


def refuse_by_qemu(tpm: Tpm, guest: Guest, caps: Capabilities) -> None:
    """Backend and model against QEMU, the machine, and the host's swtpm.

    Follows: qemuValidateDomainDeviceDefTPM
    """
    backend = tpm.backend
    kind = backend.type if backend is not None else None
    if backend is not None and kind == "emulator":
        if backend.version not in (guest.host.swtpm_versions or ()):
            raise unsupported(f"TPM version '{backend.version}' is not supported (needs swtpm)", tpm)
        if backend.version == "1.2" and (tpm.model in ("tpm-crb", "tpm-spapr") or guest.is_arm_virt):
            raise unsupported(
                f"TPM version '1.2' does not go with model '{tpm.model}' for {guest.where}", tpm
            )
    emulated = "tpm-emulator" in caps.flags and guest.host.swtpm_versions is not None
    if not ("tpm-passthrough" in caps.flags if kind == "passthrough" else emulated):
        raise unsupported(f"TPM backend '{kind}' is not supported by QEMU on this host", tpm)
    if guest.is_ppc64 and tpm.model == "spapr-tpm-proxy" and kind != "passthrough":
        raise unsupported("a TPM proxy needs backend 'passthrough'", tpm)
    need(caps, _TPM_MODEL_FLAGS[tpm.model or "tpm-tis"], f"TPM model '{tpm.model}'", tpm)


def tpms(launch: Launch) -> Iterator[str]:
    """Trusted platform modules.

    Follows: qemuBuildTPMsCommandLine, qemuBuildTPMCommandLine, qemuBuildTPMProxyCommandLine
    """
    for tpm in launch.of(Tpm):
        name, backend = launch.alias(tpm), tpm.backend
        device = (backend.device.path if backend.device else None) or "/dev/tpm0"
        if tpm.model == "spapr-tpm-proxy":
            yield from launch.device({"driver": tpm.model, "id": name, "host-path": device})
            continue
        if backend.type == "passthrough":
            cancel = f"/sys/class/tpm/{device.rpartition('/')[2]}/device/cancel"
            value = f"passthrough,id=tpm-{name},path={escaped(device)},cancel-path={escaped(cancel)}"
        else:
            path = backend.source.path if backend.source else None
            own = f"/run/libvirt/qemu/swtpm/{paths.short_name(launch.domain)}-swtpm.sock"
            yield from ("-chardev", unix_socket("chrtpm", path or own, listens=False))
            value = f"emulator,id=tpm-{name},chardev=chrtpm"
        yield from ("-tpmdev", value)
        model: str = tpm.model or "tpm-tis"
        if model == "tpm-tis" and launch.domain.arch not in X86:
            model = "tpm-tis-device"
        yield from launch.device(
            {"driver": model, "tpmdev": f"tpm-{name}", "id": name, **placed(launch, tpm)}
        )


TPM = Kind(
    Tpm,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    alias=by_place("tpm"),
)
