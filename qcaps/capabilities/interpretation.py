"""What the answers of a QEMU mean: the capabilities libvirt would conclude from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities import flag_rules as rules
from qcaps.capabilities import schema, targets
from qcaps.capabilities.host_cpu import enlightenments, host_cpu
from qcaps.capabilities.model import Accelerator, Capabilities, CpuModel, Machine
from qcaps.capabilities.platform_features import gic, sev, sgx
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.capabilities.answers import Recording, Session
    from qcaps.release import Release

_USABLE: Final = {True: False, False: True}


def capabilities_from(recording: Recording, release: Release = DEFAULT) -> Capabilities:
    """The capabilities that libvirt of that release sees behind one or two runs of a QEMU.

    Raises AnswerError if an answer is missing or odd.
    """
    first = recording[0]
    arch, version = arch_of(first), version_of(first)
    accelerators = tuple(
        Accelerator(
            name,
            host_cpu(session, arch),
            cpus_from(session, arch),
            machines_from(session, arch),
        )
        for name, session in zip(_accelerators(recording), recording, strict=False)
    )
    return Capabilities(
        arch=arch,
        version=version,
        flags=flags_from(recording, arch, version, release),
        accelerators=accelerators,
        package=first.optional_text(first.mapping("query-version"), "package", "query-version") or "",
        rest=tuple(
            element.encode()
            for element in (*gic(first), sev(first), sgx(first), enlightenments(first, arch, release))
            if element is not None
        ),
    )


def arch_of(session: Session) -> str:
    """The target's name, as libvirt spells it."""
    name = session.text(session.mapping("query-target"), "arch", "query-target")
    return targets.ARCHES.get(name, name)


def version_of(session: Session) -> int:
    """QEMU's version as one number."""
    version = session.as_mapping(session.mapping("query-version").get("qemu"), "query-version")
    major, minor, micro = (
        session.number(version, part, "query-version") for part in ("major", "minor", "micro")
    )
    return major * 1_000_000 + minor * 1_000 + micro


def is_kvm(session: Session) -> bool:
    """Whether this run used KVM."""
    state = session.mapping("query-kvm")
    return state.get("present") is True and state.get("enabled") is True


def canonical_machine(session: Session, name: str) -> str:
    """The machine type behind the alias `name`, or `name` itself."""
    return next(
        (
            session.text(machine, "name", "query-machines")
            for machine in session.mappings("query-machines")
            if machine.get("alias") == name
        ),
        name,
    )


def _accelerators(recording: Recording) -> tuple[str, ...]:
    """The accelerator of each run. Only a first run that was accelerated, if not by KVM, has a second."""
    if is_kvm(recording[0]):
        return ("kvm", "tcg")
    return ("hvf", "tcg") if len(recording) > 1 else ("tcg",)


def flags_from(recording: Recording, arch: str, version: int, release: Release = DEFAULT) -> frozenset[str]:
    """The flags: each table of `flag_rules` applied to its answers, then what follows from those."""
    first, asked = recording[0], rules.of(release)
    flags = set(rules.BY_ARCH.get(arch, ()))
    flags |= {name for name in (_accelerators(recording)[0],) if name != "tcg"}
    if version < rules.FIPS_GONE:
        flags.add("enable-fips")
    entries = schema.indexed(first.mappings("query-qmp-schema"))
    flags |= {flag for path, flag in asked.schema.items() if schema.has(entries, path)}
    flags |= _matching(asked.commands, first.names("query-commands"))
    flags |= _matching(asked.types, first.names("qom-list-types"))
    flags |= _device_flags(first, asked)
    for kind, properties in asked.object_properties.items():
        flags |= _matching(properties, first.names("qom-list-properties", typename=kind))
    for machine, properties in asked.machine_properties.items():
        kind = f"{canonical_machine(first, machine)}-machine"
        flags |= _matching(properties, first.names("qom-list-properties", typename=kind))
    flags |= _matching(rules.TPM_MODELS, dict.fromkeys(map(str, first.values("query-tpm-models"))))
    flags |= _matching(rules.TPM_TYPES, dict.fromkeys(map(str, first.values("query-tpm-types"))))
    flags |= _option_flags(first, asked)
    flags |= _matching(rules.MIGRATION, first.names("query-migrate-capabilities", "capability"))
    if any("max" in session.names("query-cpu-definitions") for session in recording):
        flags.add("cpu-max")
    flags -= {flag for flag, found in (("sev-guest", sev(first)), ("sgx-epc", sgx(first))) if found is None}
    if "sev-guest" not in flags:
        flags.discard("sev-snp-guest")
    if arch in targets.X86 and "query-cpu-model-expansion" in flags:
        flags.add("cpu-cache")
    flags |= {flag for needed, flag in rules.CONSEQUENCES if needed <= flags}
    flags -= {old for old, new in rules.SUPERSEDED.items() if new in flags}
    for since, table in rules.ALL_OF.items():
        if since <= release:
            flags |= {flag for flag, paths in table.items() if all(schema.has(entries, one) for one in paths)}
    flags -= rules.no_longer_set(release)
    return frozenset(flags)


def _matching(table: Mapping[str, str], names: Mapping[str, Any]) -> set[str]:
    return {flag for name, flag in table.items() if name in names}


def _device_flags(session: Session, asked: rules.Questions) -> set[str]:
    flags = set()
    for device, table in asked.device_properties.items():
        properties = session.names("device-list-properties", typename=device)
        flags |= _matching(table, properties)
        flags |= {
            "virtio-blk-pci.scsi.default.disabled"
            for name, description in properties.items()
            if (device, name) in rules.OFF_BY_DEFAULT and description.get("default-value") is False
        }
    return flags


def _option_flags(session: Session, asked: rules.Questions) -> set[str]:
    command = "query-command-line-options"
    parameters = {
        option: {
            session.text(parameter, "name", command)
            for parameter in session.as_mappings(described.get("parameters", []), command)
        }
        for option, described in session.names(command, "option").items()
    }
    return {
        flag
        for (option, parameter), flag in asked.options.items()
        if option in parameters and (parameter is None or parameter in parameters[option])
    }


def machines_from(session: Session, arch: str) -> tuple[Machine, ...]:
    """The machine types but `none`; libvirt's preferred one first, else QEMU's default."""
    machines = [
        _machine(session, machine)
        for machine in session.mappings("query-machines")
        if machine.get("name") != "none"
    ]
    preferred = targets.PREFERRED_MACHINES.get(arch)
    first = [machine for machine in machines if preferred and preferred in (machine.name, machine.alias)]
    first = first or [machine for machine in machines if machine.default]
    return tuple(first[-1:] + [machine for machine in machines if machine not in first[-1:]])


def _machine(session: Session, machine: Mapping[str, Any]) -> Machine:
    command = "query-machines"
    return Machine(
        name=session.text(machine, "name", command),
        alias=session.optional_text(machine, "alias", command),
        max_cpus=session.number(machine, "cpu-max", command) if "cpu-max" in machine else 0,
        hotplug_cpus=machine.get("hotpluggable-cpus") is True,
        default=machine.get("is-default") is True,
        default_cpu=session.optional_text(machine, "default-cpu-type", command),
        default_ram_id=session.optional_text(machine, "default-ram-id", command),
        numa_mem_supported=machine.get("numa-mem-supported", True) is True,
        deprecated=machine.get("deprecated") is True,
    )


def cpus_from(session: Session, arch: str) -> tuple[CpuModel, ...]:
    """The CPU models, in QEMU's order."""
    command = "query-cpu-definitions"
    return tuple(_cpu(session, definition, arch) for definition in session.mappings(command))


def _cpu(session: Session, definition: Mapping[str, Any], arch: str) -> CpuModel:
    name = session.text(definition, "name", "query-cpu-definitions")
    missing = definition.get("unavailable-features")
    blockers = tuple(str(feature) for feature in missing) if isinstance(missing, list) else ()
    return CpuModel(
        name=targets.PPC64_CPUS.get(name.lower(), name) if arch in targets.PPC64 else name,
        typename=session.optional_text(definition, "typename", "query-cpu-definitions") or None,
        usable=_USABLE[bool(blockers)] if isinstance(missing, list) else None,
        blockers=tuple(targets.X86_FEATURES.get(one, one) for one in blockers)
        if arch in targets.X86
        else blockers,
        deprecated=definition.get("deprecated") is True,
    )
