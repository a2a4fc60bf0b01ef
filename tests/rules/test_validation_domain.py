"""Each rule about the domain itself: one it accepts, one it refuses."""

# ruff: noqa: E501  # a table has a rule a line

from __future__ import annotations

import pytest

from tests.support.validating import Rule, both_ways

CELLS = (
    "<cpu><numa><cell id='0' cpus='0' memory='524288'/><cell id='1' cpus='1' memory='524288'/>{}</numa></cpu>"
)
TWO_CELLS = CELLS.replace("{}", "")
OS = "<os{}><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/><smm state='on'/></features>"
LOADER = OS.replace("{}", "").replace("</type>", "</type>{}")
EFI = OS.replace("{}", " firmware='efi'").replace("</type>", "</type>{}")
CPU = "<cpu mode='{}'"
TOPOLOGY = "<cpu><topology sockets='{}' cores='1' threads='1'/></cpu>"
HUGE = "<memoryBacking><hugepages>{}</hugepages></memoryBacking>"
BACKING = "<memoryBacking><hugepages/>{}</memoryBacking>"
FWCFG = "<sysinfo type='fwcfg'><entry name='{}'>v</entry></sysinfo>"
HMAT = CELLS.replace("{}", "<interconnects>{}</interconnects>")
LATENCY = "<latency initiator='0' target='{}' type='access' value='5'/>"

EMULATOR = [
    Rule("os type", "", "hvm", "xen", "os type", head="<os><type arch='x86_64' machine='pc-i440fx-7.2'>{}</type></os>"),
    Rule("machine", "", "pc-i440fx-7.2", "pc-i440fx-99", "pc-i440fx-99", head="<os><type arch='x86_64' machine='{}'>hvm</type></os>"),
    Rule("idmap", "", "gid", "uid", "idmap", head="<idmap><uid start='0' target='1' count='2'/><{} start='0' target='1' count='2'/></idmap>"),
    Rule("min_guarantee", "", "hard_limit", "min_guarantee", "min_guarantee", head="<memtune><{}>1</{}></memtune>"),
    Rule("UEFI needs ACPI", "", "<acpi/>", "<apic/>", "UEFI", head="<os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features>{}</features>"),
    Rule("useserial", "{}", "<serial type='pty'/>", "", "serial port", head="<os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>"),
    Rule("rename-restart", "", "restart", "rename-restart", "rename-restart", head="<on_crash>{}</on_crash>"),
    Rule("preserve", "", "destroy", "preserve", "preserve", head="<on_reboot>{}</on_reboot>"),
    Rule("restart and destroy", "", "destroy", "restart", "on_poweroff", head="<on_poweroff>{}</on_poweroff><on_reboot>destroy</on_reboot>"),
    Rule("coredump", "", "destroy", "coredump-destroy", "coredump", head="<on_poweroff>{}</on_poweroff>"),
    Rule("cachetune", "", "", "<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='3' unit='MiB'/></cachetune></cputune>", "kvm", head="{}"),
    Rule("firmware name", "", "opt/a", "a", "opt/", head=FWCFG),
    Rule("reserved name", "", "opt/a", "opt/ovmf/a", "reserved", head=FWCFG),
]  # fmt: skip

PROCESSORS = [
    Rule("passthrough bits", "", "", "bits='40'", "passthrough", head="<cpu><maxphysaddr mode='passthrough' {}/></cpu>"),
    Rule("emulated bits", "", "bits='40'", "", "bits", head="<cpu><maxphysaddr mode='emulate' {}/></cpu>"),
    Rule("emulated cache", "", "3", "2", "level='3'", head="<cpu><cache mode='emulate' level='{}'/></cpu>"),
    Rule("cache's mode", "", "disable", "passthrough", "host-passthrough", head="<cpu mode='host-model'><cache mode='{}'/></cpu>"),
    Rule("cache's level", "", "", "level='3'", "level", head="<cpu><cache mode='disable' {}/></cpu>"),
    Rule("topology", "", "2", "4", "topology", head=TOPOLOGY),
    Rule("most CPUs", "", "255", "256", "255", vcpus="", head="<vcpu>{}</vcpu>"),
    Rule("q35's CPUs", "", "255", "256", "eim", vcpus="", head="<vcpu>{}</vcpu>", machine="q35"),
]  # fmt: skip

CLOCKS = [
    Rule("platform", "", "pit", "platform", "platform", head="<clock offset='utc'><timer name='{}'/></clock>"),
    Rule("rtc's track", "", "guest", "boot", "boot", head="<clock offset='utc'><timer name='rtc' track='{}'/></clock>"),
    Rule("rtc's ticks", "", "catchup", "merge", "merge", head="<clock offset='utc'><timer name='rtc' tickpolicy='{}'/></clock>"),
    Rule("pit's ticks", "", "delay", "merge", "merge", head="<clock offset='utc'><timer name='pit' tickpolicy='{}'/></clock>"),
    Rule("armvtimer", "", "tsc", "armvtimer", "armvtimer", head="<clock offset='utc'><timer name='{}' present='no'/></clock>"),
    Rule("start", "", "253402300799", "253402300800", "253402300799", head="<clock offset='absolute' start='{}'/>"),
]  # fmt: skip

FEATURES = [
    Rule("hpt", "", "<pae/>", "<hpt resizing='enabled'/>", "hpt", head="<features>{}</features>"),
    Rule("htm", "", "<pae/>", "<htm state='on'/>", "htm", head="<features>{}</features>"),
    Rule("gic", "", "<pae/>", "<gic version='3'/>", "gic", head="<features>{}</features>"),
    Rule("tb-cache", "", "1024", "1025", "tb-cache", head="<features><tcg><tb-cache>{}</tb-cache></tcg></features>"),
    Rule("ioapic", "", "", "<ioapic driver='qemu'/>", "ioapic", head="<features>{}</features>", machine="virt", arch="aarch64"),
    Rule("vmport", "", "", "<vmport state='off'/>", "vmport", head="<features>{}</features>", machine="virt", arch="aarch64"),
    Rule("pvspinlock", "", "", "<pvspinlock state='off'/>", "pvspinlock", head="<features>{}</features>", machine="s390-ccw-virtio", arch="s390x"),
    Rule("pmu", "", "on", "off", "PMU", head="<features><pmu state='{}'/></features>", machine="pseries", arch="ppc64"),
]  # fmt: skip

FIRMWARE = [
    Rule("secure needs q35", "", "q35", "i440fx", "q35", head="<os><type arch='x86_64' machine='pc-{}-7.2'>hvm</type><loader readonly='yes' secure='yes' type='pflash'>/l</loader></os><features><acpi/><smm state='on'/></features>"),
    Rule("secure needs SMM", "", "on", "off", "smm", head="<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader readonly='yes' secure='yes' type='pflash'>/l</loader></os><features><acpi/><smm state='{}'/></features>"),
    Rule("nvram's type", "", "file' type='file", "x' type='dir", "dir", head=LOADER.replace("{}", "<loader type='pflash'>/l</loader><nvram template='{}'><source file='/n' dir='/n'/></nvram>")),
    Rule("path", "", "<loader>/l</loader>", "<loader/>", "loader", head=LOADER),
    Rule("features", "", "", "<firmware><feature enabled='no' name='secure-boot'/></firmware>", "firmware", head=LOADER),
    Rule("chosen readonly", "", "", "<loader readonly='yes'/>", "readonly", head=EFI),
    Rule("chosen path", "", "<loader secure='yes'/>", "<loader>/l</loader>", "loader", head=EFI),
    Rule("chosen insecure", "", "<loader secure='yes'/>", "<loader secure='no'/>", "secure", head=EFI),
    Rule("chosen template", "", "<nvram>/n</nvram>", "<nvram template='/t'>/n</nvram>", "template", head=EFI),
    Rule("BIOS's variables", "", "", "<nvram>/n</nvram>", "variables", head=EFI.replace("'efi'", "'bios'")),
    Rule("stateless", "", "", "<nvram>/n</nvram>", "stateless", head=LOADER.replace("{}", "<loader type='rom' stateless='yes'>/l</loader>{}")),
    Rule("not stateless", "", "pflash", "rom", "pflash", head=LOADER.replace("{}", "<loader readonly='yes' type='{}' stateless='no'>/l</loader>")),
    Rule("menu", "", "65535", "65536", "65535", head=LOADER.replace("{}", "<bootmenu enable='yes' timeout='{}'/>")),
    Rule("reboot", "", "-1", "-2", "rebootTimeout", head=LOADER.replace("{}", "<bios rebootTimeout='{}'/>")),
]  # fmt: skip

MEMORY = [
    Rule("on demand", "", "immediate", "ondemand", "on demand", head=BACKING.replace("{}", "<allocation mode='{}'/>")),
    Rule("anonymous", "", "file", "anonymous", "anonymous", head=BACKING.replace("{}", "<source type='{}'/>")),
    Rule("two masters", "", "", "<page size='1' unit='GiB'/>", "nodeset", head=HUGE.replace("{}", "<page size='2048'/>{}")),
    Rule("two sizes of a node", "", "1", "0", "two sizes", head=TWO_CELLS + HUGE.replace("{}", "<page size='2048' nodeset='0'/><page size='1048576' nodeset='{}'/>")),
    Rule("absent node", "", "1", "2", "node 2", head=TWO_CELLS + HUGE.replace("{}", "<page size='2048' nodeset='{}'/>")),
    Rule("shares", "", "2", "1", "shares", head="<cputune><shares>{}</shares></cputune>"),
    Rule("period", "", "1000", "999", "period", head="<cputune><period>{}</period></cputune>"),
    Rule("quota", "", "-1", "999", "quota", head="<cputune><quota>{}</quota></cputune>"),
    Rule("pool's most", "", "1", "0", "thread_pool_max", head="<iothreadids><iothread id='1' thread_pool_max='{}'/></iothreadids>"),
    Rule("pool's least", "", "1", "3", "thread_pool_min", head="<iothreadids><iothread id='1' thread_pool_min='{}' thread_pool_max='2'/></iothreadids>"),
    Rule("blkiotune", "", "/b", "/a", "twice", head="<blkiotune><device><path>/a</path><weight>100</weight></device><device><path>{}</path><weight>100</weight></device></blkiotune>"),
    Rule("appid", "", "a", "a" * 129, "128", head="<resource><fibrechannel appid='{}'/></resource>"),
    Rule("cache level", "", "3", "4", "level 4", head="<cpu><numa><cell id='0' cpus='0-1' memory='1048576'><cache level='{}' associativity='direct' policy='writeback'><size value='8'/><line value='8'/></cache></cell></numa></cpu>"),
    Rule("link's target", "", LATENCY.format(1), LATENCY.format(2), "target 2", head=HMAT),
    Rule("link twice", "", LATENCY.format(0), LATENCY.format(1), "twice", head=HMAT.replace("{}", LATENCY.format(1) + "{}")),
    Rule("link both ways", "", "<latency initiator='1' target='1' type='access' value='5'/>", "<latency initiator='1' target='0' type='access' value='5'/>", "both ways", head=HMAT.replace("{}", LATENCY.format(1) + "{}")),
]  # fmt: skip

ALL = [*EMULATOR, *PROCESSORS, *CLOCKS, *FEATURES, *FIRMWARE, *MEMORY]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_rule_accepts_the_one_and_refuses_the_other(rule: Rule) -> None:
    both_ways(rule)
