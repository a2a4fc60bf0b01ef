"""How libvirt reads what nobody means to write: elements that are there twice, or empty; numbers that wrap.

A table has a rule a line: what is refused, and what becomes of what is accepted.
"""

# ruff: noqa: E501  # a table has a rule a line

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from qcaps.domainxml.document import parse
from qcaps.domainxml.writing import write
from qcaps.errors import QcapsError
from qcaps.release import R9_0
from tests.support.validating import Rule, both_ways, define, domain

DISK = "<disk type='file'><source file='/a'/>{}<target dev='vda' bus='virtio'/></disk>"
NETWORK_DISK = "<disk type='network'><source protocol='https' name='x'><host name='h' {}/></source><target dev='vda'/></disk>"
SERIAL = "<serial type='tcp'><source mode='bind' host='h' service='1'/>{}</serial>"
NIC = "<interface type='{}'><mac address='52:54:00:00:00:01'/>{}</interface>"
USER = NIC.replace("{}", "user", 1)
NET = NIC.replace("{}", "network", 1).replace("{}", "<source network='n'/>{}")
DIRECT = NIC.replace("{}", "direct", 1).replace(
    "{}", "<source dev='e'/><virtualport type='802.1Qbg'><parameters {}/></virtualport>"
)
QBG = "managerid='{}' typeid='{}' typeidversion='{}'"
USB = "<hostdev mode='subsystem' type='usb'><source>{}</source></hostdev>"
IDS, PLACE = "<vendor id='0x1'/><product id='0x2'/>", "<address bus='1' device='1'/>"
PFLASH = "<os><type arch='x86_64' machine='q35'>hvm</type><loader type='pflash' readonly='yes'>/x</loader>{}</os><features><acpi/></features>"
LUKS = "<disk type='file'><driver type='qcow2'/><source file='/a'><encryption format='luks'><secret type='passphrase'{}/></encryption></source><target dev='vda'/></disk>"

REFUSED = [
    # elements that are counted
    Rule("controller's model", "<controller type='pci' index='0' model='pci-root'/><controller type='pci' index='1' model='pci-bridge'><model name='pci-bridge'/>{}</controller>", "", "<model/>", "too often"),
    Rule("controller's target", "<controller type='pci' index='0' model='pci-root'/><controller type='pci' index='1' model='pci-bridge'><target chassisNr='1'/>{}</controller>", "", "<target/>", "too often"),
    Rule("protocol", SERIAL, "<protocol type='raw'/>", "<protocol type='raw'/><protocol type='raw'/>", "too often"),
    Rule("log", SERIAL, "<log file='/l'/>", "<log file='/l'/><log file='/l'/>", "too often"),
    Rule("source", SERIAL, "", "<source mode='connect' host='h' service='1'/>", "one <source>"),
    Rule("rng's backend", "<rng model='virtio'><backend model='random'/>{}</rng>", "", "<backend model='random'/>", "too often"),
    Rule("egd's source", "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='h' service='1'/>{}</backend></rng>", "", "<source mode='connect' host='h' service='1'/>", "one <source>"),
    Rule("card's source", "<smartcard mode='passthrough' type='tcp'><source mode='bind' host='h' service='1'/>{}</smartcard>", "", "<source mode='bind' host='h' service='1'/>", "one <source>"),
    Rule("tpm's backend", "<tpm><backend type='passthrough'/>{}</tpm>", "", "<backend type='passthrough'/>", "too often"),
    Rule("emulatorpin", "", "", "<emulatorpin cpuset='1'/>", "too often", head="<cputune><emulatorpin cpuset='0'/></cputune><cputune>{}</cputune>"),
    Rule("resource", "", "", "<resource><partition>/b</partition></resource>", "too often", head="<resource><partition>/a</partition></resource>{}"),
    Rule("inbound", NET, "<bandwidth><inbound average='1'/></bandwidth>", "<bandwidth><inbound average='1'/><inbound average='2'/></bandwidth>", "too often"),
    Rule("cookie", "<disk type='network'><source protocol='http' name='x'><host name='h'/><cookies><cookie name='a'>1</cookie><cookie name='{}'>2</cookie></cookies></source><target dev='vda'/></disk>", "b", "a", "two cookies"),
    # values that were not read
    Rule("managerid", DIRECT, QBG.format("0xff", 1, 1), QBG.format("256", 1, 1), "managerid 256"),
    Rule("typeid", DIRECT, QBG.format(1, "0xffffff", 1), QBG.format(1, "x", 1), "typeid: 'x'"),
    Rule("typeidversion", DIRECT, QBG.format(1, 1, "010"), QBG.format(1, 1, "-2"), "typeidversion 4294967294"),
    Rule("instanceid", DIRECT, QBG.format(1, 1, 1), QBG.format(1, 1, 1) + " instanceid='zz'", "instanceid"),
    Rule("profileid", NET, f"<virtualport type='802.1Qbh'><parameters profileid='{'a' * 39}'/></virtualport>", f"<virtualport type='802.1Qbh'><parameters profileid='{'a' * 40}'/></virtualport>", "39 characters"),
    Rule("virtualport of any type", NET, "<virtualport><parameters managerid='1'/></virtualport>", "<virtualport><parameters managerid='x'/></virtualport>", "managerid"),
    Rule("port", NETWORK_DISK, "port='65535'", "port='65536'", "above 65535"),
    Rule("gl", "<graphics type='spice'><gl {}/></graphics>", "enable='no'", "", "enable", head="<os><type arch='x86_64' machine='pc'>hvm</type></os>"),
    Rule("CPUs", "", "<vcpu>2</vcpu>", "<vcpu/>", "missing", head="{}", vcpus=""),
    Rule("root of a container", "", "0", "5", "user and group 0", head="<idmap><uid start='{}' target='1' count='1'/><gid start='0' target='1' count='1'/></idmap>"),
    Rule("host device by its ids", USB.replace("{}", IDS) + USB, PLACE, IDS + PLACE, "twice"),
    Rule("secret", LUKS, " usage='u'", "", "uuid or by its usage"),
    Rule("loadparm", "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/><boot order='1' loadparm='{}'/></disk>", "a.b 1", "a?b", "loadparm"),
    Rule("variables without a source", "", "<nvram type='file'><source file='/v'/></nvram>", "<nvram type='file'/>", "<source>", head=PFLASH),
    Rule("variables on the network", "", "protocol='nbd' ", "", "protocol", head=PFLASH.replace("{}", "<nvram type='network'><source {}name='x'/></nvram>")),
    Rule("label of an image", DISK.replace("<source file='/a'/>", "<source file='/a'><seclabel model='{}'/></source>").replace(">{}<target", "><target"), "selinux", "dac", "relabel", head="<seclabel type='static' model='dac' relabel='no'><label>l</label></seclabel>"),
    Rule("directory", "<disk type='dir' device='cdrom'>{}<target dev='sda' bus='sata'/></disk>", "", "<driver type='raw'/><source/>", "'fat'"),
    Rule("partition", "", "<partition>/a</partition>", "<partition/>", "neither", head="<resource>{}</resource>"),
    Rule("protocol of TCP", SERIAL, "<protocol type='tls'/>", "<protocol type='zzz'/>", "zzz"),
    Rule("labels of a port", "<serial type='file'><source path='/a'><seclabel model='a' relabel='no'/><seclabel model='{}' relabel='no'/></source></serial>", "b", "a", "one model"),
    Rule("family", USER.replace("{}", "<ip address='{}' family='ipv4'/>"), "10.0.0.1", "2001:db8::1", "family 'ipv4'"),
    Rule("a weight twice", "", "b", "a", "twice", head="<blkiotune><device><path>/a</path></device><device><path>/{}</path></device></blkiotune>"),
    Rule("a made-up socket that reconnects", "<channel type='unix'><source>{}</source><target type='virtio'/></channel>", "", "<reconnect enabled='yes' timeout='1'/>", "can reconnect"),
    Rule("function of the host", "<hostdev mode='subsystem' type='pci'><source protocol='iscsi'><address bus='9' function='{}'/></source></hostdev>", "7", "8", "function"),
    Rule("variables alone", "", "<loader>/x</loader><nvram/>", "<nvram/>", "no path of a loader", head="<os><type arch='x86_64' machine='pc'>hvm</type>{}</os>"),
    Rule("dspPolicy", "<audio id='1' type='oss' dspPolicy='{}'/>", "0", "-1", "below 0"),
]  # fmt: skip


@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: rule.name)
def test_what_is_refused(rule: Rule) -> None:
    both_ways(rule)


class Became(NamedTuple):
    """What becomes of elements of a domain: what is in its XML then, and what is not."""

    name: str
    devices: str = ""
    head: str = ""
    has: tuple[str, ...] = ()
    has_not: tuple[str, ...] = ()


SYSINFO = "<sysinfo type='smbios'>{}</sysinfo>"
CELL = "<cpu><numa><cell id='0' cpus='0-1' memory='1' unit='GiB'>{}</cell>{}</numa></cpu>"

BECAME = [
    # containers that are there twice
    Became("os", head="<os/>", has=("<boot dev='cdrom'/>", "<bootmenu enable='yes'/>"), devices="</devices><os><boot dev='cdrom'/></os><os><bootmenu enable='yes'/></os><devices>"),
    Became("features", head="<features><pmu state='off'/><hyperv><relaxed state='on'/></hyperv></features><features><acpi/><pmu/><hyperv><vapic state='on'/></hyperv></features>", has=("<acpi/>", "<pmu state='on'/>", "<relaxed state='on'/>", "<vapic state='on'/>")),
    Became("one kvm of two", head="<features><kvm><hidden state='on'/></kvm><kvm><pv-ipi state='on'/></kvm></features>", has=("pv-ipi",), has_not=("hidden",)),
    Became("devices", "</devices><devices><sound model='ich6'/></devices><devices>", has=("<sound model='ich6'>",)),
    Became("cpu", head="<cpu mode='maximum'/><cpu mode='custom'><numa><cell id='0' cpus='0-1' memory='1' unit='GiB'/></numa></cpu>", has=("mode='maximum'", "<cell id='0'")),
    Became("nodes of two", head=CELL.format("", "") + CELL.format("", "").replace("id='0' cpus='0-1'", "id='1' cpus='2'"), has=("<cell id='0'", "<cell id='1'")),
    Became("memoryBacking", head="<memoryBacking><hugepages/></memoryBacking><memoryBacking><locked/><source type='memfd'/></memoryBacking>", has=("<hugepages/>", "<locked/>", "type='memfd'")),
    Became("memtune", head="<memtune><hard_limit>9</hard_limit></memtune><memtune><hard_limit>8</hard_limit><soft_limit>5</soft_limit></memtune>", has=("<hard_limit unit='KiB'>9<", "<soft_limit unit='KiB'>5<")),
    Became("clock", head="<clock/><clock offset='localtime'><timer name='rtc'/></clock>", has=("offset='localtime'", "<timer name='rtc'/>")),
    Became("attributes of two", "<video><model type='qxl'/><model type='vga' ram='131072'/></video>", has=("type='qxl' ram='131072'",)),
    Became("the first, though it is empty", head="<title/><title>b</title>", has_not=("title",)),
    Became("what one needs, in the next", "<filesystem type='mount'><source dir='/a'/><target/><target dir='x'/></filesystem>", has=("<target dir='x'/>",)),
    Became("udp", "<serial type='udp'><source mode='connect' host='h' service='1'/><source mode='connect' host='h' service='2'/></serial>", has=("service='1'",), has_not=("service='2'",)),
    Became("QEMU's own of two", head="<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-a' other='x'>text</qemu:arg></qemu:commandline><qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-b'/><qemu:env name='A'/><qemu:other/></qemu:commandline>", has=("<qemu:arg value='-a'/><qemu:arg value='-b'/><qemu:env name='A'/></qemu:commandline>".replace("'", '"'),), has_not=("text", "other")),
    Became("QEMU's own, and nothing in it", head="<qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'/><qemu:deprecation xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' behavior=''/>", has_not=("qemu:override", "qemu:deprecation")),
    Became("cache of the second cpu", head="<cpu mode='host-passthrough'><cache mode='passthrough'/></cpu><cpu><cache/></cpu>", has=("<cache mode='passthrough'/>",)),
    Became("address of the host, whatever the protocol", "<hostdev mode='subsystem' type='pci' managed='maybe'><source protocol='iscsi'><address bus='9'/></source></hostdev>", has=("managed='no'", "<address domain='0x0000' bus='0x09'")),
    Became("a loader that is empty", head="<os firmware='efi'><type arch='x86_64' machine='pc'>hvm</type><loader/><nvram/></os><features><acpi/></features>", has_not=("loader", "nvram")),
    Became("a model that is blank", head="<cpu><model> </model><feature name='aes'/></cpu>", has=("<model fallback='allow'> </model>",)),
    Became("master of no controller", "<controller type='usb' model='none'><master startport='2'/></controller>", has_not=("master",)),
    # words that are empty
    Became("heads", "<video><model type='vga' heads='' vram=''/></video>", has=("vram='16384' heads='1'",)),
    Became("vgamem", "<video><model type='qxl' vgamem='' ram=''/></video>", has=("vgamem='16384'",)),
    Became("link, tune, port, teaming", USER.replace("{}", "<link/><tune/><port/><teaming/><script path=''/><rom/><mtu size=''/>"), has_not=("<link", "<tune", "<port", "<teaming", "<script", "<rom", "<mtu")),
    Became("a ROM that is off", USER.replace("{}", "<model type='e1000'/><rom bar='off'/>"), has=("<rom bar='off'/>",)),
    Became("volume", "<disk type='volume'><source/><target dev='vda'/></disk>", has=("<disk type='volume'",), has_not=("<source",)),
    Became("drivers", "<input type='mouse' bus='virtio'><driver/></input>", has_not=("<driver",)),
    Became("usb source", USB.replace("{}", ""), has=("<hostdev mode='subsystem' type='usb' managed='no'>",), has_not=("<source",)),
    Became("pci source", "<hostdev mode='subsystem' type='pci'><source/></hostdev>", has=("<address domain='0x0000' bus='0x00' slot='0x00' function='0x0'/>",)),
    Became("an address that is not read", "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='i/1'><host name='h'/><address bus='9'/></source></hostdev>", has_not=("bus='9'",)),
    Became("sysinfo", head=SYSINFO.format("<bios><entry name='date'/></bios><system><entry name='product'>a</entry><entry name='product'>b</entry><entry name='odd'>c</entry></system><baseBoard/><chassis/><oemStrings/>"), has=("<entry name='product'>a</entry>",), has_not=("<bios", "<baseBoard", "<chassis", "<oemStrings", ">b<", "name='odd'")),
    Became("no sysinfo at all", head=SYSINFO.format("<bios/><system/>"), has=("<sysinfo type='smbios'/>",)),
    Became("oemStrings", head=SYSINFO.format("<oemStrings><entry name='x'>a</entry></oemStrings>"), has=("<entry>a</entry>",)),
    # numbers as C reads them
    Became("next port", "<serial type='pty'><target port='-1'/></serial>", has=("<target type='isa-serial' port='0'>",)),
    Became("next port, from the other end", "<serial type='pty'><target port='4294967295'/></serial>", has=("<target type='isa-serial' port='0'>",)),
    Became("unit", "<disk type='file'><source file='/a'/><target dev='sda' bus='sata'/><address type='drive' unit='4294967295'/></disk>", has=("unit='-1'",)),
    Became("ram beyond 32 bits", "<video><model type='qxl' ram='4294967295'/></video>", has=("ram='65536'",)),
    Became("weight", head="<blkiotune><weight>-5</weight><device><path>/a</path><weight>-4294967195</weight></device><device><path>/b</path></device></blkiotune>", has=("<weight>101</weight>",), has_not=("<weight>-5", "<path>/b")),
    Became("CPUs of a share", head="<cputune><shares>0</shares><vcpupin vcpu='0' cpuset='01'/><memorytune vcpus='01'><node id='0' bandwidth='60'/></memorytune></cputune>", has=("<shares>0</shares>", "cpuset='1'", "vcpus='1'")),
    # what is dropped
    Became("nothing to balloon", "<memballoon model='none'><alias name='ua-x'/></memballoon>", has=("<memballoon model='none'/>",)),
    Became("label of a dynamic one", head="<seclabel type='dynamic' model='selinux' relabel='yes'><label>l</label></seclabel>", has=("<seclabel type='dynamic' model='selinux' relabel='yes'/>",)),
    Became("label of no type", head="<seclabel model='apparmor'><label>l</label></seclabel>", has_not=("seclabel",)),
    Became("terms without a password", "<graphics type='vnc' passwdValidTo='1970-01-01T00:00:01' connected='zzz'/>", has_not=("passwdValidTo", "connected")),
    Became("limits of 0", NET.replace("{}", "<bandwidth><inbound average='0'/></bandwidth>"), has=("<bandwidth/>",)),
    Became("no limits", NET.replace("{}", "<bandwidth/>"), has_not=("bandwidth",)),
    Became("one queue", USER.replace("{}", "<model type='virtio'/><driver queues='1'/>"), has_not=("queues",)),
    Became("vhost of others", USER.replace("{}", "<model type='e1000'/><backend tap='/t' vhost='/v'/>"), has=("<backend tap='/t'/>",)),
    Became("parameters no filter has", NET.replace("{}", "<filterref filter='f'><parameter name='I P' value='1'/><parameter name='IP'/><parameter name='B' value='1'/><parameter name='A' value='10.0.0.1'/><parameter name='C' value='1/8'/></filterref>"), has=("<parameter name='A' value='10.0.0.1'/> <parameter name='B' value='1'/>",), has_not=("I P", "'IP'", "1/8")),
    Became("memory-side caches", head=CELL.format("<cache level='1' associativity='none' policy='none'><size value='10'/><line value='0'/></cache>", "<interconnects><latency initiator='0' target='0' cache='0' type='access' value='5'/></interconnects>"), has=("<cache level='1'>", "<latency initiator='0' target='0' type='access' value='5'/>"), has_not=("<line",)),
    Became("a controller of another type", "<controller type='usb' index='0' model='piix3-uhci' vectors='4'><target chassis='3'/></controller>", has_not=("vectors", "chassis='3'")),
    Became("graphics of another type", "<graphics type='vnc' defaultMode='secure' xauth='x'><zlib compression='auto'/><rom bar='on'/></graphics>", has_not=("defaultMode", "xauth", "zlib", "<rom")),
    Became("audio of another type", "<audio id='1' type='none' path='x'><input mixingEngine='no' dev='/d'/><output bufferCount='5'/></audio>", has=("<input mixingEngine='no'/>",), has_not=("path=", "dev='/d'", "output")),
    Became("a directory of another type", "<filesystem type='mount'><driver queue='5'/><source dir='/a' file='/b'/><target dir='x'/></filesystem>", has=("<source dir='/a'/>",), has_not=("queue", "file='/b'")),
    Became("a backend of another type", "<tpm><backend type='passthrough'><source type='unix' path='/s'/><device path='/d'/></backend></tpm><rng model='virtio'><backend model='random'><source host='h'/></backend></rng>", has=("<device path='/d'/>",), has_not=("/s", "host='h'")),
    Became("a source of another type", "<input type='mouse' bus='virtio'><source evdev='/d'/></input>" + USB.replace("<source>", "<source protocol='vhost'>").replace("{}", IDS + "<adapter name='scsi_host2'/>"), has_not=("evdev=", "vhost", "adapter")),
    Became("words that are not read", "<disk type='file'><source file='/a' type='zzz'/><target dev='vda'/></disk><serial type='pty'><protocol type='zzz'/></serial>", has_not=("zzz",)),
    Became("slices", "<disk type='file'><source file='/a'><slices><slice type='other' offset='0' size='5'/><slice type='storage' offset='1' size='7'/><slice type='storage' offset='2' size='8'/></slices></source><target dev='vda'/></disk>", has=("<slice type='storage' offset='1' size='7'/> </slices>",)),
    Became("settings", "<audio id='1' type='none'><input mixingEngine='yes' fixedSettings='yes'/></audio>", has=("<settings/>",)),
    Became("priority", head="<cputune><vcpusched vcpus='0' scheduler='batch' priority='1'/><vcpusched vcpus='1' scheduler='fifo' priority='1'/></cputune>", has=("<vcpusched vcpus='0' scheduler='batch'/>", "scheduler='fifo' priority='1'")),
    Became("a sleep state without a word", head="<pm><suspend-to-mem enabled='no'/><suspend-to-disk/></pm>", has=("suspend-to-mem",), has_not=("suspend-to-disk",)),
    Became("capabilities", head="<features><acpi/><capabilities policy='default'/></features>", has_not=("capabilities",)),
    Became("images behind", "<disk type='file'><driver type='qcow2'/><source file='/a'/><backingStore type='file'><format type='qcow2'><metadata_cache><max_size unit='KiB'>1</max_size></metadata_cache></format><source file='/b'><encryption format='luks'><secret type='passphrase' usage='u'/></encryption></source></backingStore><target dev='vda'/></disk>", has=("<max_size unit='bytes'>1024</max_size>", "<encryption format='luks' engine='qemu'>")),
    Became("variables on the network", head=PFLASH.replace("{}", "<nvram type='network'><source protocol='nbd' name='x'><host name='h'/></source></nvram>"), has=("<host name='h' port='10809'/>",)),
    # what is for other types is not read, whatever it says
    Became("for other types of source", "<disk type='file'><source file='/a' protocol='x' tls='x' namespace='x' managed='x'><host port='x'/><reconnect enabled='x'/><readahead size='x'/></source><target dev='vda'/></disk>", has=("<source file='/a'/>",)),
    Became("for other protocols", "<disk type='network'><source protocol='nbd' name='n' query='q' mode='x'><host name='h'/><cookies><cookie/></cookies><ssl verify='x'/><timeout seconds='x'/></source><target dev='vda'/></disk>", has=("<host name='h' port='10809'/> </source>",), has_not=("query", "cookie", "ssl", "timeout")),
    Became("below the end of a chain", "<disk type='file'><source file='/a'/><backingStore><format type='x'/><source protocol='x' startupPolicy='x'/></backingStore><target dev='vda'/></disk><disk type='file'><source file='/b'/><backingStore type='file'><format type='raw'/><source file='/c' startupPolicy='x'/></backingStore><target dev='vdb'/></disk>", has=("<backingStore/>", "<source file='/c'/>")),
    Became("for virtio NICs", USER.replace("{}", "<model type='e1000'/><driver name='x' queues='x'><host csum='x'/></driver>"), has_not=("queues", "csum")),
    Became("for other graphics", "<graphics type='vnc' tlsPort='x' fullscreen='x' autoport='x'><image compression='x'/></graphics><graphics type='egl-headless' port='x'><gl enable='x'/><listen type='x'/></graphics>", has=("<graphics type='vnc' port='-1' autoport='yes'>", "<graphics type='egl-headless'/>"), has_not=("tlsPort", "image", "'x'")),
    Became("for other channels", "<channel type='pty'><target type='virtio' port='x' address='y' name='n'/></channel><channel type='pty'><target type='guestfwd' address='10.0.2.1' port='4600' name='n'/></channel>", has=("<target type='virtio' name='n'/>", "<target type='guestfwd' address='10.0.2.1' port='4600'/>")),
    Became("a path that is empty", "<console type='pipe'><source path=''/><target type='virtio'/></console>", has=("<source path=''/>",)),
    Became("enlightenments that are off", head="<features><hyperv><spinlocks state='off' retries='x'/></hyperv></features>", has=("<spinlocks state='off'/>",)),
    Became("retries in base 8", head="<features><hyperv><spinlocks state='on' retries='010000'/></hyperv></features>", has=("retries='4096'",)),
    Became("addresses in short", "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><source><ip address='10.1' peer='167772162'/><ip address='0:0::1'/></source></interface>", has=("<ip address='10.0.0.1' family='ipv4' peer='10.0.0.2'/>", "<ip address='::1' family='ipv6'/>")),
    Became("a machine that the second os names", head="<os><type>hvm</type></os><os><type machine='q35' arch='x86_64'>xen</type></os>", has=(">hvm</type>", "machine='pc-q35-")),
    # what only a running guest has, and what a kind does not have
    Became("of a running guest", "<disk type='file'><source file='/a' index='x'><seclabel model='dac' relabel='no' labelskip='x'/></source><backingStore type='file' index='x'><format type='raw'/><source file='/b'/></backingStore><mirror type='x' ready='x' job='x'><format type='x'/></mirror><target dev='vda'/></disk><channel type='unix'><target type='virtio' name='n' state='x'/></channel>", has=("<source file='/b'/>", "<target type='virtio' name='n'/>"), has_not=("mirror", "index='x'", "labelskip", "state=")),
    Became("boot of what does not boot", "<sound model='ich6'><boot order='x'/><rom bar='x'/></sound><rng model='virtio'><backend model='random'/><boot order='1'/></rng>", head="<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>", has=("<boot dev='hd'/>",), has_not=("order=", "<rom")),
    Became("address of what has none", "<graphics type='vnc'><address type='pci' slot='0x77'/><alias name='ua-g'/></graphics><audio id='1' type='none'><address type='x'/></audio><redirfilter><usbdev allow='yes'/><address type='usb' bus='0' port='x'/></redirfilter>", has=("<usbdev allow='yes'/>",), has_not=("0x77", "ua-g", "type='usb' bus")),
    Became("limits, firmware features and helpers that say nothing", head="<memtune><hard_limit/><soft_limit>5</soft_limit></memtune><defaultiothread/><os><type arch='x86_64' machine='pc'>hvm</type><firmware/></os>", has=("<memtune> <soft_limit unit='KiB'>5<",), has_not=("hard_limit", "defaultiothread", "firmware")),
    Became("slices that are not read", "<disk type='file'><source file='/a'><slices><slice type='other' offset='x'/></slices><slices><slice type='storage' offset='1' size='7'/><slice type='storage'/></slices></source><target dev='vda'/></disk>", has=("<slices> <slice type='storage' offset='1' size='7'/> </slices>",), has_not=("other",)),
]  # fmt: skip


@pytest.mark.parametrize("case", BECAME, ids=lambda case: case.name)
def test_what_becomes_of(case: Became) -> None:
    head = "" if case.head == "<os/>" else case.head
    machine = "q35" if "sata" in case.devices else "pc"
    text = domain(case.devices, head=head, machine=machine, vcpus="<vcpu>4</vcpu>")
    xml = re.sub(r"\n\s*", " ", write(define(text).freeze()))
    for part in case.has:
        assert part in xml
    for part in case.has_not:
        assert part not in xml


def test_an_attribute_that_is_there_twice_is_read_of_the_first() -> None:
    read = parse(domain(head="<clock offset='utc'/><clock offset='no such'/>").encode())
    assert read.clock is not None
    assert read.clock.offset == "utc"


def test_a_bad_word_in_what_is_added_is_named_where_it_stands() -> None:
    with pytest.raises(QcapsError, match=r"/domain/devices\[2\]/disk: attribute device"):
        parse(domain("</devices><devices><disk device='tape'><target dev='a'/></disk>").encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<disk type='newer'/>", r"is not one of .* \(libvirt 9\.0\.0\)"),
        ("<controller type='usb' model='newer'/>", r"known: .* \(libvirt 9\.0\.0\)"),
    ],
)
def test_a_word_that_may_be_newer_is_refused_for_a_release_of_libvirt(text: str, why: str) -> None:
    with pytest.raises(QcapsError, match=why):
        parse(domain(text).encode(), release=R9_0)


def test_what_a_qemu_lacks_is_refused_for_its_release() -> None:
    with pytest.raises(QcapsError, match=r"this QEMU, \d+\.\d+\.\d+ \(virtio-rng is missing\)"):
        define(domain("<rng model='virtio'><backend model='random'/></rng>"), without="virtio-rng")
    with pytest.raises(QcapsError, match=r"no machine type 'pc-99' in this QEMU, \d+\."):
        define(domain(machine="pc-99"))
