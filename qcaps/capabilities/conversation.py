"""What to ask a QEMU: the questions libvirt asks.

A conversation only decides what is worth asking; what the answers mean is `interpretation`'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from qcaps.capabilities import flag_rules as rules
from qcaps.capabilities import targets
from qcaps.capabilities.answers import Exchange, Session
from qcaps.capabilities.interpretation import arch_of, canonical_machine
from qcaps.release import DEFAULT, Release

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Exchange]]

_ALWAYS: Final = (
    "query-version",
    "query-target",
    "query-qmp-schema",
    "query-commands",
    "query-kvm",
    "qom-list-types",
    "query-machines",
    "query-command-line-options",
    "query-migrate-capabilities",
)
_EXPAND: Final = "query-cpu-model-expansion"
_GIC_ARCHES: Final = targets.ARM - {"armv7b"}


async def converse(ask: Ask, source: str, release: Release = DEFAULT) -> Session:
    """Ask all that libvirt of that release asks a QEMU in its first run."""
    session, asked = Session(source), rules.of(release)

    async def put(command: str, **arguments: object) -> None:
        session.exchanges.append(await ask(command, arguments))

    for command in _ALWAYS:
        await put(command)
    types = session.names("qom-list-types")
    for command, table in (
        ("device-list-properties", asked.device_properties),
        ("qom-list-properties", asked.object_properties),
    ):
        for kind in table:
            if kind in types:
                await put(command, typename=kind)
    for machine in asked.machine_properties:
        kind = f"{canonical_machine(session, machine)}-machine"
        if kind in types or (machine in rules.NO_MACHINE and arch_of(session) in targets.X86):
            await put("qom-list-properties", typename=kind)
    for command in _worth_asking(session):
        await put(command)
    if _EXPAND in session.names("query-commands"):
        await _expand_host_cpu(session, put, arch_of(session), "host")
    return session


def _worth_asking(session: Session) -> list[str]:
    """The commands that only some QEMUs have, or answer for some targets only."""
    commands, types, arch = session.names("query-commands"), session.names("qom-list-types"), arch_of(session)
    wanted = {
        "query-cpu-definitions": "query-cpu-definitions" in commands,
        "query-tpm-models": "query-tpm-models" in commands,
        "query-tpm-types": "query-tpm-types" in commands,
        "query-gic-capabilities": arch in _GIC_ARCHES,
        "query-sev-capabilities": "sev-guest" in types,
        "query-sgx-capabilities": "sgx-epc" in types,
    }
    return [command for command, worth in wanted.items() if worth]


async def converse_again(ask: Ask, first: Session) -> Session:
    """Ask what may differ with TCG, after a first run that had KVM."""
    session = Session(first.source)

    async def put(command: str, **arguments: object) -> None:
        session.exchanges.append(await ask(command, arguments))

    commands = first.names("query-commands")
    if "query-cpu-definitions" in commands:
        await put("query-cpu-definitions")
    if _EXPAND in commands:
        await _expand_host_cpu(session, put, arch_of(first), "max")
    await put("query-machines")
    return session


async def _expand_host_cpu(
    session: Session, put: Callable[..., Awaitable[None]], arch: str, name: str
) -> None:
    """Ask for the host CPU: as it migrates; on x86 also as it does not; as `host` also its enlightenments.

    The first run asks for `host` even where there is only TCG, which then refuses, so that such a QEMU
    has no host CPU: libvirt settles the accelerator before it has asked whether there is TCG.
    QEMU of at least 4.2, the oldest that libvirt 9.0.0 takes, gives canonical names in one step.
    """
    kind = "full" if arch in targets.ARM else "static"
    await put(_EXPAND, type=kind, model={"name": name})
    answered = session.exchanges[-1].error is None
    if answered and arch in targets.X86:
        await put(_EXPAND, type=kind, model={"name": name, "props": {"migratable": False}})
    if name == "host" and arch in targets.X86 | targets.ARM:
        props = {"migratable": False, "hv-passthrough": True}
        await put(_EXPAND, type="full", model={"name": name, "props": props})
