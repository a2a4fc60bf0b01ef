"""Rules that decide what an answer means, one by one, on answers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from qcaps.capabilities import flag_rules
from qcaps.capabilities.answers import AnswerError, Exchange, Session
from qcaps.capabilities.interpretation import capabilities_from
from qcaps.release import R9_0, R11_3, R12_8

ANSWERS: dict[str, Any] = {
    "query-version": {"qemu": {"major": 7, "minor": 2, "micro": 1}, "package": "p"},
    "query-target": {"arch": "x86_64"},
    "query-qmp-schema": [],
    "query-commands": [],
    "query-kvm": {"present": True, "enabled": False},
    "qom-list-types": [{"name": "tcg-accel"}],
    "query-machines": [],
    "query-command-line-options": [],
    "query-migrate-capabilities": [],
}


def session(*more: Exchange, **answers: Any) -> Session:
    given = ANSWERS | {name.replace("_", "-"): answer for name, answer in answers.items()}
    return Session("test", [Exchange(name, {}, answer) for name, answer in given.items()] + list(more))


def flags(*more: Exchange, **answers: Any) -> frozenset[str]:
    return capabilities_from((session(*more, **answers),), R9_0).flags


def refusal(command: str, error: str) -> Exchange:
    return Exchange(command, {}, "no", error)


def named(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def test_the_least_an_x86_qemu_can_do() -> None:
    assert flags() == {"no-acpi", "no-hpet", "tcg"}


def test_the_hpet_option_of_the_machine_supersedes_the_older_one() -> None:
    options = [{"option": "machine", "parameters": [{"name": "hpet"}]}]
    found = flags(query_command_line_options=options)
    assert "machine-hpet" in found
    assert "no-hpet" not in found


def test_fips_went_away_with_5_2() -> None:
    assert "enable-fips" in flags(query_version={"qemu": {"major": 5, "minor": 1, "micro": 99}})
    assert "enable-fips" not in flags(query_version={"qemu": {"major": 5, "minor": 2, "micro": 0}})


def test_sev_counts_only_if_the_host_has_it() -> None:
    types = named("sev-guest")
    there = Exchange(
        "query-sev-capabilities",
        {},
        {"cbitpos": 47, "reduced-phys-bits": 1, "pdh": "a<b", "cert-chain": "c"},
    )
    assert "sev-guest" in flags(there, qom_list_types=types)
    assert "sev-guest" not in flags(refusal("query-sev-capabilities", "GenericError"), qom_list_types=types)
    rest = capabilities_from((session(there, qom_list_types=types),)).rest
    assert rest == (
        (
            b"<sev>\n    <cbitpos>47</cbitpos>\n    <reducedPhysBits>1</reducedPhysBits>\n"
            b"    <pdh>a&lt;b</pdh>\n    <certChain>c</certChain>\n  </sev>"
        ),
    )


def test_sgx_of_qemu_before_7_has_no_sections_and_does_not_count() -> None:
    types = named("sgx-epc")
    before = Exchange("query-sgx-capabilities", {}, {"flc": True, "sgx1": True, "sgx2": True})
    since = Exchange(
        "query-sgx-capabilities",
        {},
        {"flc": True, "sgx1": True, "sgx2": False, "sections": [{"node": 1, "size": 2048}]},
    )
    assert "sgx-epc" not in flags(before, qom_list_types=types)
    assert "sgx-epc" in flags(since, qom_list_types=types)
    (element,) = capabilities_from((session(since, qom_list_types=types),)).rest
    assert b"<section_size unit='KiB'>2</section_size>" in element
    assert b"<section node='1' size='2' unit='KiB'/>" in element


def test_scsi_passthrough_is_off_by_default_only_if_qemu_says_so() -> None:
    def blk(**more: object) -> Exchange:
        arguments = {"typename": "virtio-blk-pci"}
        return Exchange("device-list-properties", arguments, [{"name": "scsi", **more}])

    off = "virtio-blk-pci.scsi.default.disabled"
    assert off in flags(blk(**{"default-value": False}))
    assert off not in flags(blk(**{"default-value": True}))
    assert off not in flags(blk())
    assert "virtio-blk-pci.scsi" in flags(blk())


MACHINES = [
    {"name": "none", "cpu-max": 1},
    {"name": "pc-q35-7.2", "alias": "q35", "cpu-max": 288, "is-default": True},
    {"name": "pc-i440fx-7.1", "cpu-max": 255},
    {"name": "pc-i440fx-7.2", "alias": "pc", "cpu-max": 255, "numa-mem-supported": False},
]


@pytest.mark.parametrize(
    ("arch", "first"), [("x86_64", "pc-i440fx-7.2"), ("i386", "pc-i440fx-7.2"), ("loongarch64", "pc-q35-7.2")]
)
def test_the_preferred_machine_comes_first_else_the_default(arch: str, first: str) -> None:
    capabilities = capabilities_from((session(query_target={"arch": arch}, query_machines=MACHINES),))
    (tcg,) = capabilities.accelerators
    assert tcg.machines[0].name == first
    assert len(tcg.machines) == 3
    assert capabilities.machine("pc", "qemu") is not None
    assert [machine.numa_mem_supported for machine in tcg.machines].count(False) == 1


def test_power_cpus_get_back_their_capitals() -> None:
    answers = {"query_target": {"arch": "ppc64"}, "query_cpu_definitions": named("power9", "g4", "max")}
    capabilities = capabilities_from((session(**answers),))
    assert [cpu.name for cpu in capabilities.accelerators[0].cpus] == ["POWER9", "g4", "max"]
    assert "cpu-max" in capabilities


def test_a_target_without_cpu_models_is_no_error() -> None:
    capabilities = capabilities_from((session(refusal("query-cpu-definitions", "GenericError")),))
    assert capabilities.accelerators[0].cpus == ()


def test_any_other_error_is_an_error() -> None:
    with pytest.raises(AnswerError, match="test: query-cpu-definitions: CommandNotFound: no"):
        capabilities_from((session(refusal("query-cpu-definitions", "CommandNotFound")),))


def expansion(model: str, props: dict[str, object], **asked: object) -> Exchange:
    arguments = {"type": "static", "model": {"name": model} | ({"props": asked} if asked else {})}
    return Exchange("query-cpu-model-expansion", arguments, {"model": {"name": "base", "props": props}})


def test_the_host_cpu_tells_what_migrates_and_the_enlightenments_have_libvirts_names() -> None:
    first = session(
        expansion(
            "host", {"cmov": True, "invtsc": False, "svm": False, "level": 13, "odd": None, "big": 1 << 64}
        ),
        expansion("host", {"cmov": True, "invtsc": True, "svm": False}, migratable=False),
        expansion(
            "host",
            {
                "hv-vendor-id": "x",
                "hv-relaxed": True,
                "hv-vapic": False,
                "hv-spinlocks": 8191,
                "hv-new": True,
            },
            migratable=False,
            **{"hv-passthrough": True},
        ),
        query_kvm={"present": True, "enabled": True},
    )
    second = Session("test", [Exchange("query-machines", {}, []), expansion("max", {"cmov": True})])
    capabilities = capabilities_from((first, second), R9_0)
    kvm, tcg = capabilities.accelerators
    assert (kvm.name, tcg.name) == ("kvm", "tcg")
    assert kvm.host_cpu is not None
    assert [(one.name, one.value, one.migratable) for one in kvm.host_cpu.properties] == [
        ("cmov", "true", True),
        ("invtsc", "true", False),
        ("svm", "false", None),
        ("level", "13", None),
    ]
    assert tcg.host_cpu is not None
    assert (kvm.host_cpu.migratability, tcg.host_cpu.migratability) == (True, False)
    assert capabilities.rest == (
        (
            b"<hypervCapabilities supported='yes'>\n    <cap name='relaxed'/>\n    <cap name='spinlocks'/>\n"
            b"    <cap name='vendor_id'/>\n  </hypervCapabilities>"
        ),
    )


def test_a_second_run_without_kvm_means_another_accelerator_in_the_first() -> None:
    second = Session("test", [Exchange("query-machines", {}, [])])
    capabilities = capabilities_from((session(), second))
    assert [one.name for one in capabilities.accelerators] == ["hvf", "tcg"]
    assert "hvf" in capabilities


def test_a_release_has_flags_of_its_own_and_drops_others() -> None:
    types = [{"name": name} for name in ("nvme", "isa-fdc", "usb-mtp", "iothread", "ivshmem", "e1000")]
    answers = {
        "qom_list_types": types,
        "query_commands": [{"name": "set-action"}, {"name": "display-reload"}],
    }
    known = {"e1000", "nvme", "bus-floppy", "usb-mtp", "iothread", "ivshmem", "set-action", "display-reload"}
    seen = {
        release: capabilities_from((session(**answers),), release).flags & known
        for release in (R9_0, R11_3, R12_8)
    }
    assert seen[R9_0] == {"e1000", "iothread", "ivshmem", "set-action"}
    assert seen[R11_3] == {"e1000", "usb-mtp", "display-reload", "set-action"}
    assert seen[R12_8] == {"e1000", "usb-mtp", "display-reload", "nvme", "bus-floppy"}


def test_a_later_release_adds_to_the_tables_of_the_one_before() -> None:
    assert flag_rules.of(R9_0).types == flag_rules.TYPES
    blob = flag_rules.of(R12_8).device_properties["virtio-gpu-pci"]
    assert blob == {"acpi-index": "acpi-index", "virgl": "virtio-gpu.virgl", "blob": "virtio-gpu.blob"}
