"""Each rule of the parser: one it accepts, one it refuses; and the whole corpus, where there is one."""

# ruff: noqa: E501  # a table has a rule a line

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from qcaps.capabilities import cachefile
from qcaps.domainxml import document
from qcaps.errors import QcapsError
from qcaps.lookups.lookup import Lookup
from qcaps.release import R9_0
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.definition.completion.post_parse import post_parse
from qcaps.rules.definition.validation.validate import check_parsed, validate
from qcaps.rules.draft import Draft
from tests.support.validating import EMULATOR, Rule, both_ways

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "<cpu><numa><cell id='0' cpus='0' memory='524288'/><cell id='1' cpus='1' memory='524288'/></numa></cpu>"
)
NIC = "<interface type='{}'>{}</interface>"
BRIDGE = NIC.replace("{}", "bridge", 1)
QEMU = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
TARGET = "<target dev='vda' bus='virtio'/>"
MEMNODE = CELLS + "<numatune>{}</numatune>"

DOMAIN = [
    Rule("CPU at first", "", "2", "3", "more than its maximum", vcpus="", head="<vcpu current='{}'>2</vcpu>"),
    Rule("no CPU", "", "1", "0", "at least one", vcpus="", head="<vcpu>{}</vcpu>"),
    Rule("CPU state", "", "1", "2", "CPU 2", head="<vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='{}' enabled='yes' hotpluggable='no'/></vcpus>"),
    Rule("iothread twice", "", "2", "1", "twice", head="<iothreadids><iothread id='1'/><iothread id='{}'/></iothreadids>"),
    Rule("iothreadpin", "", "2", "3", "no iothread 3", head="<iothreads>2</iothreads><cputune><iothreadpin iothread='{}' cpuset='0'/></cputune>"),
    Rule("vcpupin twice", "", "1", "0", "vcpupin", head="<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='{}' cpuset='0'/></cputune>"),
    Rule("vcpusched", "", "1", "2", "no CPU 2", head="<cputune><vcpusched vcpus='{}' scheduler='batch'/></cputune>"),
    Rule("sched twice", "", "1", "0", "two schedulers", head="<cputune><vcpusched vcpus='0' scheduler='batch'/><vcpusched vcpus='{}' scheduler='idle'/></cputune>"),
    Rule("huge page of nothing", "", "2048", "0", "above 0", head="<memoryBacking><hugepages><page size='{}'/></hugepages></memoryBacking>"),
    Rule("title", "", "a", "a\nb", "title", head="<title>{}</title>"),
    Rule("labels", "", "b", "a", "model 'a'", head="<seclabel model='a' type='none'/><seclabel model='{}' type='none'/>"),
    Rule("static label", "", "model='a'", "", "model", head="<seclabel {} type='static'><label>l</label></seclabel>"),
    Rule("NUMA's CPUs", "", "0-1", "0-2", "CPU", head="<cpu><numa><cell id='0' cpus='{}' memory='1048576'/></numa></cpu>"),
    Rule("sibling", "", "1", "2", "sibling 2", head="<cpu><numa><cell id='0' cpus='0' memory='524288'><distances><sibling id='{}' value='21'/></distances></cell><cell id='1' cpus='1' memory='524288'/></numa></cpu>"),
    Rule("distance", "", "21", "9", "distance", head="<cpu><numa><cell id='0' cpus='0' memory='524288'><distances><sibling id='1' value='{}'/></distances></cell><cell id='1' cpus='1' memory='524288'/></numa></cpu>"),
    Rule("nodeset", "", " nodeset='0'", "", "nodeset", head="<numatune><memory mode='strict' placement='static'{}/></numatune>"),
    Rule("memnode", "", "1", "2", "cellid 2", head=MEMNODE.replace("{}", "<memnode cellid='{}' nodeset='0'/>")),
    Rule("memnode twice", "", "1", "0", "twice", head=MEMNODE.replace("{}", "<memnode cellid='0' nodeset='0'/><memnode cellid='{}' nodeset='0'/>")),
    Rule("restrictive", "", "restrictive", "strict", "restrictive", head=MEMNODE.replace("{}", "<memory mode='restrictive' nodeset='0'/><memnode cellid='0' mode='{}' nodeset='0'/>")),
    Rule("memnode and auto", "", "static", "auto", "automatic", head=MEMNODE.replace("{}", "<memory placement='{}' nodeset='0'/><memnode cellid='0' nodeset='0'/>")),
    Rule("event twice", "", "mbmt", "cmt", "twice", head="<perf><event name='cmt' enabled='yes'/><event name='{}' enabled='yes'/></perf>"),
    Rule("BIOS date", "", "04/01/2014", "13/01/2014", "13/01/2014", head="<sysinfo type='smbios'><bios><entry name='date'>{}</entry></bios></sysinfo>"),
    Rule("UUIDs", "", "362d1fc1-df7d-193e-5c18-49a71bd1da66", "362d1fc1-df7d-193e-5c18-49a71bd1da67", "UUID", head="<uuid>362d1fc1-df7d-193e-5c18-49a71bd1da66</uuid><sysinfo type='smbios'><system><entry name='uuid'>{}</entry></system></sysinfo>"),
    Rule("firmware entry", "", "v", "", "neither", head="<sysinfo type='fwcfg'><entry name='opt/a'>{}</entry></sysinfo>"),
    Rule("qemu:env", "", "A_1", "1A", "1A", head="<qemu:commandline" + QEMU + "><qemu:env name='{}' value='v'/></qemu:commandline>"),
    Rule("qemu:arg", "", " value='v'", "", "qemu:arg", head="<qemu:commandline" + QEMU + "><qemu:arg{}/></qemu:commandline>"),
    Rule("qemu:property", "", "true", "yes", "yes", head="<qemu:override" + QEMU + "><qemu:device alias='a'><qemu:frontend><qemu:property name='p' type='bool' value='{}'/></qemu:frontend></qemu:device></qemu:override>"),
]  # fmt: skip

DEVICES = [
    Rule("PCI slot", NIC.format("user", "<address type='pci' slot='{}'/>"), "0x1f", "0x20", "0x20"),
    Rule("PCI bus", NIC.format("user", "<address type='pci' bus='{}' slot='4'/>"), "0", "0x100", "0x100"),
    Rule("PCI function", NIC.format("user", "<address type='pci' slot='4' function='{}'/>"), "7", "8", "0x8"),
    Rule("USB port", "<input type='tablet' bus='usb'><address type='usb' bus='0' port='{}'/></input>", "1", "1.1.1.1.1", "1.1.1.1.1"),
    Rule("dimm", "<memory model='dimm'><target><size>131072</size><node>0</node></target><address type='dimm' {}/></memory>", "slot='0'", "base='0x0'", "slot", head="<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/></numa></cpu><maxMemory slots='2'>4194304</maxMemory>"),
    Rule("companions", "<controller type='usb' model='ich9-ehci1'/>{}", "", "<controller type='usb' model='none' index='1'/>", "switched off"),
    Rule("no master", "<controller type='usb' model='{}'/>", "ich9-ehci1", "ich9-uhci1", "master"),
    Rule("USB off", "<controller type='usb' model='none'/><input type='{}'/>", "mouse", "tablet", "switched off"),
    Rule("hub without USB", "<controller type='usb' model='{}'/><hub type='usb'/>", "piix3-uhci", "none", "switched off"),
    Rule("network name", "<disk type='network'><source protocol='{}'><host name='h'/></source>" + TARGET + "</disk>", "nbd", "http", "name"),
    Rule("pool/image", "<disk type='network'><source protocol='rbd' name='{}'/>" + TARGET + "</disk>", "p/i", "i", "pool/image"),
    Rule("socket", "<disk type='network'><source protocol='nbd'><host transport='unix'{}/></source>" + TARGET + "</disk>", " socket='/s'", "", "socket"),
    Rule("volume", "<disk type='volume'><source pool='p'{}/>" + TARGET + "</disk>", " volume='v'", "", "volume"),
    Rule("NVMe", "<disk type='nvme'><source type='pci' managed='yes' namespace='1'>{}</source>" + TARGET + "</disk>", "<address domain='0' bus='1' slot='0' function='0'/>", "", "address"),
    Rule("vhostuser", "<disk type='vhostuser' snapshot='no'><source type='unix'{}/>" + TARGET + "</disk>", " path='/s'", "", "path", head="<memoryBacking><access mode='shared'/></memoryBacking>"),
    Rule("reservations", "<disk type='block' device='lun'><source dev='/d'><reservations managed='{}'/></source><target dev='sda' bus='scsi'/></disk>", "yes", "no", "reservations"),
    Rule("rerror_policy", "<disk><driver rerror_policy='{}'/><source file='/d'/>" + TARGET + "</disk>", "stop", "enospace", "enospace"),
    Rule("secret", "<disk type='network'><auth username='u'><secret type='ceph'{}/></auth><source protocol='rbd' name='p/i'/>" + TARGET + "</disk>", " usage='s'", "", "secret"),
    Rule("backing format", "<disk><driver type='qcow2'/><source file='/d'/><backingStore type='file'>{}<source file='/b'/></backingStore>" + TARGET + "</disk>", "<format type='raw'/>", "", "format"),
    Rule("cookie", "<disk type='network'><source protocol='http' name='n'><host name='h'/><cookies><cookie name='c'>{}</cookie></cookies></source>" + TARGET + "</disk>", "v", "a;b", "cookie"),
    Rule("interface's source", "<interface type='bridge'>{}</interface>", "<source bridge='b'/>", "", "source"),
    Rule("NIC's model", "<interface type='user'><model type='{}'/></interface>", "rtl_8139-x", "foo!", "foo!"),
    Rule("one source", "<serial type='{}'><source mode='connect' host='h' service='1'/><source mode='bind' host='h' service='2'/></serial>", "udp", "tcp", "one <source>"),
    Rule("virtualport", "<interface type='{}'><source bridge='b'/><virtualport type='openvswitch'/></interface>", "bridge", "ethernet", "virtualport"),
    Rule("virtualport's needs", BRIDGE.replace("{}", "<source bridge='b'/><virtualport type='802.1Qbh'><parameters {}/></virtualport>"), "profileid='p'", "", "profileid"),
    Rule("virtualport's extras", BRIDGE.replace("{}", "<source bridge='b'/><virtualport type='openvswitch'><parameters {}/></virtualport>"), "profileid='p'", "typeid='1'", "typeid"),
    Rule("bandwidth", BRIDGE.replace("{}", "<source bridge='b'/><bandwidth><inbound {}/></bandwidth>"), "average='1'", "peak='1'", "average"),
    Rule("VLAN", BRIDGE.replace("{}", "<source bridge='b'/><virtualport type='openvswitch'/><vlan><tag id='{}'/></vlan>"), "4095", "4096", "4096"),
    Rule("trunk", BRIDGE.replace("{}", "<source bridge='b'/><virtualport type='openvswitch'/><vlan trunk='{}'><tag id='1'/><tag id='2'/></vlan>"), "yes", "no", "trunk"),
    Rule("IP", NIC.format("user", "<ip address='{}'/>"), "10.0.2.15", "10.0.2.256", "10.0.2.256"),
    Rule("spicevmc", "<graphics type='spice'/><{} type='spicevmc'><target type='virtio'/></{}>", "channel", "console", "spicevmc"),
    Rule("channel's target", "<channel type='pty'>{}</channel>", "<target type='virtio'/>", "", "target type"),
    Rule("guestfwd", "<channel type='pty'><target type='guestfwd' address='{}' port='4600'/></channel>", "10.0.2.1", "fe80::", "fe80::"),
    Rule("certificates", "<smartcard mode='host-certificates'><certificate>a</certificate><certificate>b</certificate>{}</smartcard>", "<certificate>c</certificate>", "", "certificates"),
    Rule("egd's type", "<rng model='virtio'><backend model='egd' {}><source path='/s'/></backend></rng>", "type='unix'", "", "type"),
    Rule("msi", "<shmem name='s'><model type='ivshmem-doorbell'/>{}<msi/></shmem>", "<server path='/s'/>", "", "server"),
    Rule("acceleration", "<video><model type='virtio'><acceleration {}/></model></video>", "accel3d='no'", "", "acceleration"),
    Rule("listen", "<graphics type='vnc' listen='{}'><listen type='address' address='1.2.3.4'/></graphics>", "1.2.3.4", "1.2.3.5", "1.2.3.5"),
    Rule("listen's socket", "<graphics type='vnc'><listen type='{}' socket='/s'/></graphics>", "socket", "address", "socket"),
    Rule("connected", "<graphics type='vnc' passwd='p' connected='{}'/>", "keep", "fail", "connected"),
    Rule("USB hostdev", "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/>{}</source></hostdev>", "<product id='2'/>", "", "product"),
    Rule("SCSI hostdev", "<hostdev mode='subsystem' type='scsi'><source>{}<address bus='0' target='0' unit='0'/></source></hostdev>", "<adapter name='h'/>", "", "adapter"),
    Rule("WWPN", "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='{}'/></hostdev>", "naa.5123456789abcde0", "5123456789abcde0", "wwpn"),
    Rule("mdev's UUID", "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{}'/></source></hostdev>", "53764d0e-85a0-42b4-af5c-2046b460b1dc", "x", "UUID"),
    Rule("evdev", "<input type='passthrough' bus='virtio'><source {}/></input>", "evdev='/e'", "", "path"),
    Rule("lease", "<lease><lockspace>l</lockspace>{}<target path='/p'/></lease>", "<key>k</key>", "", "key"),
    Rule("filesystem's source", "<filesystem>{}<target dir='t'/></filesystem>", "<source dir='/d'/>", "", "source"),
    Rule("fmode", "<filesystem accessmode='mapped' fmode='{}'><source dir='/d'/><target dir='t'/></filesystem>", "0777", "01000", "fmode"),
    Rule("audio", "<audio id='1' type='alsa'><input {} fixedSettings='yes'/></audio>", "mixingEngine='yes'", "", "mixingEngine"),
]  # fmt: skip

ALL = [*DOMAIN, *DEVICES]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_rule_accepts_the_one_and_refuses_the_other(rule: Rule) -> None:
    both_ways(rule)


def test_a_third_tpm_is_refused() -> None:
    tpm = "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>"
    draft = Draft(
        document.parse(
            f"<domain type='qemu'><name>a</name><os><type>hvm</type></os><devices>{tpm * 3}</devices></domain>".encode(),
            "x",
        )
    )
    with pytest.raises(QcapsError, match="2 <tpm>"):
        check_parsed(draft)


def test_the_corpus_is_accepted_and_refused_as_libvirt_does(corpus: Path) -> None:
    capabilities = cachefile.read(corpus / "capabilities/qemu-7.2.22-debian12.cache.xml").capabilities
    emulator = EMULATOR.format("x86_64")
    rows = json.loads((corpus / "index.json").read_text())
    wrongly_refused, agreed = [], 0
    for row in rows:
        xml = (corpus / "in" / row["file"]).read_bytes()
        xml = re.sub(rb"<emulator>.*?</emulator>", f"<emulator>{emulator}</emulator>".encode(), xml)
        xml = xml.replace(b"arch='i686'", b"arch='x86_64'").replace(b'arch="i686"', b'arch="x86_64"')
        why = ""
        try:
            draft = Draft(document.parse(xml, row["file"], release=R9_0), R9_0)
            check_parsed(draft)
            draft.emulator = emulator
            lookup = Lookup.given(capabilities)
            post_parse(draft, lookup)
            assign_addresses(draft, capabilities)
            validate(draft, lookup)
        except QcapsError as error:
            why = str(error)
        agreed += row["accepted"] == (not why)
        if row["accepted"] and why:
            wrongly_refused.append(f"{row['file']}: {why}")
    assert wrongly_refused == []
    assert agreed >= 0.98 * len(rows)
