"""Each rule about a device: one it accepts, one it refuses."""

# ruff: noqa: E501  # a table has a rule a line

from __future__ import annotations

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.document import parse_device
from qcaps.errors import QcapsError
from qcaps.rules.definition.validation.validate import HostFacts, validate_device
from qcaps.rules.refusal import Refused
from tests.support.validating import Rule, both_ways, define, domain

PCI = "<address type='pci' domain='0' bus='0' slot='0x0a' function='0'/>"
DISK = "<disk type='file' device='disk'>{}</disk>"
FILE = "<source file='/d'/><target dev='vda' bus='virtio'/>"
SCSI = "<source file='/d'/><target dev='sda' bus='scsi'/>"
NETWORK = "<interface type='network'><source network='n'/>{}</interface>"
SPICE = "<graphics type='spice'>{}</graphics>"
VNC = "<graphics type='vnc'>{}</graphics>"
CELL = "<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/></numa></cpu>"
PLUGGABLE = CELL + "<maxMemory slots='2'>4194304</maxMemory>"
SHARED = "<memoryBacking><access mode='shared'/></memoryBacking>"
MEMORY = "<memory model='{}'><target><size>131072</size><node>0</node></target></memory>"
SCSI_HOSTDEV = "<hostdev mode='subsystem' type='scsi'{}><source><adapter name='h'/><address bus='0' target='0' unit='0'/></source></hostdev>"
PCI_HOSTDEV = "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='6' slot='0' function='{}'/></source></hostdev>"
MDEV = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'{}><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"

DISKS = [
    Rule("target", "<disk type='file'><source file='/d'/>{}</disk>", "<target dev='vda'/>", "", "target dev"),
    Rule("sgio", "<disk type='block' device='lun'{}><source dev='/d'/><target dev='sda' bus='scsi'/></disk>", " sgio='filtered'", " sgio='unfiltered'", "unfiltered"),
    Rule("lun of a file", "<disk type='{}' device='lun'><source dev='/d' file='/d'/><target dev='sda' bus='scsi'/></disk>", "block", "file", "block device"),
    Rule("lun's format", "<disk type='block' device='lun'><driver type='{}'/><source dev='/d'/><target dev='sda' bus='scsi'/></disk>", "raw", "qcow2", "format 'raw'"),
    Rule("lun's bus", "<disk type='block' device='lun'><source dev='/d'/><target dev='{}'/></disk>", "sda' bus='scsi", "hda' bus='ide", "bus 'ide'"),
    Rule("rawio", "<disk type='file'{}>" + FILE + "</disk>", "", " rawio='yes'", "rawio"),
    Rule("total and read", DISK, FILE + "<iotune><total_bytes_sec>1</total_bytes_sec></iotune>", FILE + "<iotune><total_bytes_sec>1</total_bytes_sec><read_bytes_sec>1</read_bytes_sec></iotune>", "total_bytes_sec"),
    Rule("throttle", DISK, FILE + "<iotune><read_iops_sec>1000000000000000</read_iops_sec></iotune>", FILE + "<iotune><read_iops_sec>1000000000000001</read_iops_sec></iotune>", "read_iops_sec"),
    Rule("group alone", DISK, FILE + "<iotune><read_iops_sec>1</read_iops_sec><group_name>g</group_name></iotune>", FILE + "<iotune><group_name>g</group_name></iotune>", "group_name"),
    Rule("group's limits", "<disk><source file='/a'/><target dev='vda'/><iotune><read_iops_sec>1</read_iops_sec><group_name>g</group_name></iotune></disk><disk><source file='/b'/><target dev='vdb'/><iotune><read_iops_sec>{}</read_iops_sec><group_name>g</group_name></iotune></disk>", "1", "2", "different limits"),
    Rule("IDE address", DISK, "<source file='/d'/><target dev='hda' bus='ide'/>", "<source file='/d'/><target dev='hda' bus='ide'/>" + PCI, "takes no address"),
    Rule("USB address", DISK, "<source file='/d'/><target dev='sda' bus='usb'/>", "<source file='/d'/><target dev='sda' bus='usb'/>" + PCI, "bus 'usb'"),
    Rule("virtio model", "<disk{}><source file='/d'/><target dev='sda' bus='scsi'/></disk>", "", " model='virtio-transitional'", "virtio-transitional"),
    Rule("queues", DISK, "<driver queues='4'/>" + FILE, "<driver queues='4'/>" + SCSI, "queues"),
    Rule("virtio options", DISK, "<driver packed='on'/>" + FILE, "<driver packed='on'/>" + SCSI, "packed"),
    Rule("tray", "<disk device='{}'><source file='/d'/><target dev='sda' bus='scsi' tray='open'/></disk>", "cdrom", "disk", "tray"),
    Rule("vendor", DISK, SCSI + "<vendor>ABCDEFGH</vendor>", SCSI + "<vendor>ABCDEFGHI</vendor>", "vendor"),
    Rule("vendor's bus", DISK, SCSI + "<vendor>A</vendor>", FILE + "<vendor>A</vendor>", "bus 'scsi'"),
    Rule("floppy's bus", "<disk device='floppy'><source file='/d'/><target dev='fda' bus='{}'/></disk>", "fdc", "ide", "floppy"),
    Rule("removable", "<disk><source file='/d'/><target dev='sda' bus='{}' removable='on'/></disk>", "usb", "scsi", "removable"),
    Rule("startupPolicy", "<disk device='{}'><source file='/d' startupPolicy='requisite'/><target dev='sda' bus='scsi'/></disk>", "cdrom", "disk", "requisite"),
    Rule("WWN", DISK, SCSI + "<wwn>5000c50015ea71ad</wwn>", SCSI + "<wwn>5000c50015ea71a</wwn>", "WWN"),
    Rule("name", "<disk><source file='/d'/><target dev='{}' bus='virtio'/></disk>", "vda", "hello", "hello"),
    Rule("partition", "<disk><source file='/d'/><target dev='{}' bus='virtio'/></disk>", "vda", "vda1", "partition"),
    Rule("empty", "<disk device='{}'><target dev='sda' bus='scsi'/></disk>", "cdrom", "disk", "no source"),
    Rule("ejectable", "<disk device='cdrom'><target {}/></disk>", "dev='sda' bus='scsi'", "dev='vda' bus='virtio'", "cdrom"),
    Rule("copy_on_read", DISK, "<driver copy_on_read='on'/>" + FILE, "<driver copy_on_read='on'/>" + FILE + "<readonly/>", "copy_on_read"),
    Rule("rotation_rate", "<disk><source file='/d'/><target {} rotation_rate='7200'/></disk>", "dev='sda' bus='scsi'", "dev='vda' bus='virtio'", "rotation_rate"),
    Rule("read-only IDE", DISK, SCSI + "<readonly/>", "<source file='/d'/><target dev='hda' bus='ide'/><readonly/>", "read-only"),
    Rule("native", DISK, "<driver io='native' cache='none'/>" + FILE, "<driver io='native'/>" + FILE, "native"),
    Rule("serial", DISK, FILE + "<serial>a b</serial>", FILE + "<serial>a,b</serial>", "a,b"),
    Rule("iothread", DISK, "<driver iothread='1'/>" + FILE, "<driver iothread='2'/>" + FILE, "iothread 2", head="<iothreads>1</iothreads>"),
    Rule("iothread's bus", DISK, "<driver iothread='1'/>" + FILE, "<driver iothread='1'/>" + SCSI, "bus 'scsi'", head="<iothreads>1</iothreads>"),
    Rule("transient", DISK, FILE + "<transient/>", "<source file='/d'/><target dev='vda'/><readonly/><transient/>", "transient"),
    Rule("shared", DISK, "<driver type='raw'/>" + FILE + "<shareable/>", "<driver type='qcow2'/>" + FILE + "<shareable/>", "shared"),
    Rule("driver", DISK, "<driver name='qemu'/>" + FILE, "<driver name='tap'/>" + FILE, "tap"),
    Rule("format", DISK, "<driver type='vmdk'/>" + FILE, "<driver type='iso'/>" + FILE, "iso"),
    Rule("directory", "<disk type='dir'><driver type='fat'/><source dir='/d'/><target dev='vda'/>{}</disk>", "<readonly/>", "", "readonly"),
    Rule("NFS", "<disk type='network'><source protocol='nfs' name='/n'>{}</source><target dev='vda'/></disk>", "<host name='h'/>", "<host name='h'/><host name='i'/>", "nfs"),
    Rule("tftp", "<disk type='network'><source protocol='{}' name='/n'><host name='h'/></source><target dev='vda'/></disk>", "ftp", "tftp", "tftp"),
    Rule("encryption", "<disk><driver type='{}'/>" + FILE + "<encryption format='luks'><secret type='passphrase' usage='u'/></encryption></disk>", "qcow2", "vmdk", "encryption"),
    Rule("old encryption", "<disk><driver type='qcow2'/>" + FILE + "<encryption format='{}'><secret type='passphrase' usage='u'/></encryption></disk>", "luks", "qcow", "old encryption"),
    Rule("login", "<disk type='network'><auth username='u'><secret type='{}' usage='s'/></auth><source protocol='iscsi' name='i/1'><host name='h'/></source><target dev='vda'/></disk>", "iscsi", "ceph", "secret"),
    Rule("metadata_cache", "<disk><driver type='{}'><metadata_cache><max_size>1</max_size></metadata_cache></driver>" + FILE + "</disk>", "qcow2", "raw", "metadata_cache"),
    Rule("vhostuser", "<disk type='vhostuser' device='disk'{}><source type='unix' path='/s'/><target dev='vda' bus='virtio'/></disk>", "", " snapshot='internal'", "snapshot", head=SHARED),
    Rule("vhostuser's memory", "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda' bus='virtio'/></disk>", SHARED, "<memoryBacking/>", "shared memory", head="{}"),
    Rule("label", "<disk><source file='/d'><seclabel model='selinux' relabel='no'/></source><target dev='vda'/></disk>", "<seclabel model='selinux' type='dynamic'/>", "<seclabel model='selinux' type='none'/>", "relabel", head="{}"),
    Rule("targets", "<disk><source file='/a'/><target dev='vda'/></disk><disk><source file='/b'/><target dev='{}'/></disk>", "vdb", "vda", "two disks"),
    Rule("drive addresses", "<disk><source file='/a'/><target dev='sda' bus='scsi'/><address type='drive' unit='1'/></disk><disk><source file='/b'/><target dev='sdb' bus='scsi'/><address type='drive' unit='{}'/></disk>", "2", "1", "used twice"),
]  # fmt: skip

CONTROLLERS = [
    Rule("SCSI model", "<controller type='scsi' model='{}'/>", "lsilogic", "buslogic", "buslogic"),
    Rule("virtio-scsi options", "<controller type='scsi' model='{}'><driver queues='4'/></controller>", "virtio-scsi", "lsilogic", "queues"),
    Rule("iothread", "<controller type='scsi' model='virtio-scsi'><driver iothread='{}'/></controller>", "1", "3", "iothread 3", head="<iothreads>2</iothreads>"),
    Rule("IDE on q35", "<controller type='{}'/>", "sata", "ide", "no IDE controller", machine="q35"),
    Rule("second IDE", "<controller type='ide' index='{}'/>", "0", "1", "single IDE"),
    Rule("ncr53c90", "<controller type='scsi' model='{}'/>", "am53c974", "ncr53c90", "no ncr53c90"),
    Rule("PCI index", "<controller type='pci' model='pci-bridge' index='{}'/>", "1", "256", "256"),
    Rule("bridge at 0", "<controller type='pci' model='pcie-root-port' index='1'><target {}/></controller>", "chassis='1' port='8'", "chassis='256' port='8'", "chassis", machine="q35"),
    Rule("device of a model", "<controller type='pci' model='pci-bridge' index='1'><model name='{}'/></controller>", "pci-bridge", "pxb", "pxb"),
    Rule("hole", "<controller type='pci' index='0' model='pci{}'><pcihole64>1048576</pcihole64></controller>", "-root", "e-root", "pcie-root"),
    Rule("misplaced option", "<controller type='pci' model='pcie-root-port' index='1'><target {}/></controller>", "chassis='1'", "busNr='5'", "busNr", machine="q35"),
    Rule("hotplug", "<controller type='pci' model='pci-bridge' index='1'><target chassisNr='1'{}/></controller>", "", " hotplug='off'", "hotplug"),
    Rule("NUMA node", "<controller type='pci' model='pci-{}'><target busNr='100'/></controller>", "expander-bus' index='1", "bridge' index='1", "busNr"),
]  # fmt: skip

CHARDEVS = [
    Rule("path", "<serial type='file'>{}</serial>", "<source path='/f'/>", "", "path"),
    Rule("host", "<serial type='tcp'><source {}/></serial>", "host='h' service='1'", "service='1'", "host"),
    Rule("service", "<serial type='udp'><source mode='{}' host='h' service='1'/></serial>", "connect", "bind", "service"),
    Rule("nmdm", "<serial type='nmdm'><source master='/a'{}/></serial>", " slave='/b'", "", "slave"),
    Rule("reconnect", "<serial type='tcp'><source mode='{}' host='h' service='1'><reconnect enabled='yes' timeout='1'/></source></serial>", "connect", "bind", "reconnect"),
    Rule("made-up path", "<channel type='unix'><source mode='connect' path='{}'><reconnect enabled='yes' timeout='1'/></source><target type='virtio' name='n'/></channel>", "/s", "/x/domain-a/n", "reconnect"),
    Rule("reconnect's timeout", "<serial type='tcp'><source host='h' service='1'><reconnect enabled='yes' timeout='{}'/></source></serial>", "1", "0", "timeout"),
    Rule("spice channel", "<channel type='{}'><target type='virtio'/></channel>", "pty", "spicevmc", "spice graphics"),
    Rule("channel's name", "<serial type='spiceport'><source channel='{}'/></serial><graphics type='spice'/>", "org.a", "a b", "a b"),
    Rule("serial's address", "<serial type='pty'><target type='pci-serial'/>{}</serial>", PCI, "<address type='isa' iobase='0x3f8'/>", "pci-serial"),
    Rule("serial's model", "<serial type='pty'><target type='isa-serial'><model name='{}'/></target></serial>", "isa-serial", "pci-serial", "pci-serial"),
    Rule("serial's machine", "<serial type='pty'><target type='{}'/></serial>", "isa-serial", "sclp-serial", "sclp-serial"),
    Rule("s390's parallel", "<{} type='pty'/>", "serial", "parallel", "parallel port", machine="s390-ccw-virtio", arch="s390x"),
    Rule("redirdev without USB", "<controller type='usb' model='{}'/><redirdev bus='usb' type='tcp'><source host='h' service='1'/></redirdev>", "ich9-ehci1", "none", "USB"),
    Rule("smartcards", "<smartcard mode='host'/>{}", "", "<smartcard mode='host'/>", "one smartcard"),
    Rule("egd", "<rng model='virtio'><backend model='egd' type='unix'>{}</backend></rng>", "<source path='/s'/>", "", "path"),
    Rule("console", "<console type='pty'><target type='{}'/></console>", "virtio", "xen", "xen"),
]  # fmt: skip

NETWORKS = [
    Rule("host's addresses", "<interface type='{}'><source network='n' bridge='b'><ip address='1.2.3.4'/></source></interface>", "ethernet", "bridge", "host's side"),
    Rule("managed", "<interface type='{}'><source bridge='b'/><target dev='t' managed='no'/></interface>", "ethernet", "bridge", "managed"),
    Rule("teaming", NETWORK, "<model type='virtio'/><teaming type='persistent'/>", "<model type='virtio'/><teaming type='persistent' persistent='ua-a'/>", "teaming"),
    Rule("teaming's model", NETWORK, "<model type='virtio'/><teaming type='persistent'/>", "<model type='e1000'/><teaming type='persistent'/>", "virtio"),
    Rule("isolated", "<interface type='{}'><source network='n' dev='eth0'/><port isolated='yes'/></interface>", "network", "direct", "isolated"),
    Rule("virtio options", NETWORK, "<model type='virtio'/><driver packed='on'/>", "<model type='e1000'/><driver packed='on'/>", "packed"),
    Rule("vhostuser", "<interface type='vhostuser'><source type='unix' path='/s' mode='client'/><model type='{}'/></interface>", "virtio", "e1000", "virtio"),
    Rule("guest's addresses", "<interface type='{}'><source network='n'/><ip family='ipv4' address='172.17.2.0' prefix='24'/></interface>", "user", "network", "guest"),
    Rule("prefix", "<interface type='user'><ip family='ipv4' address='172.17.2.0' prefix='{}'/></interface>", "24", "28", "28"),
    Rule("IPv6 prefix", "<interface type='user'><ip family='ipv6' address='fe80::' prefix='{}'/></interface>", "64", "63", "63"),
    Rule("one IPv4", "<interface type='user'><ip address='1.2.3.4'/>{}</interface>", "<ip address='fe80::'/>", "<ip address='1.2.3.5'/>", "one IPv4"),
    Rule("queue size", NETWORK, "<model type='virtio'/><driver rx_queue_size='512'/>", "<model type='virtio'/><driver rx_queue_size='511'/>", "power of two"),
    Rule("MTU", "<interface type='{}'><source network='n' dev='e'/><mtu size='1500'/></interface>", "network", "direct", "MTU"),
    Rule("coalesce", "<interface type='{}'><source network='n'/><coalesce><rx><frames max='5'/></rx></coalesce></interface>", "network", "user", "coalesce"),
    Rule("ROM", NETWORK, "<rom bar='on'/>", "<rom enabled='no' bar='on'/>", "rom"),
]  # fmt: skip

DISPLAYS = [
    Rule("TLS", "<graphics type='spice' {}/>", "port='5900'", "port='5900' tlsPort='5901'", "tlsPort"),
    Rule("two OpenGL", "<graphics type='egl-headless'/>" + SPICE, "", "<gl enable='yes'/>", "OpenGL"),
    Rule("egl-headless", "<graphics type='egl-headless'/><graphics type='{}'/>", "vnc", "sdl", "egl-headless"),
    Rule("password", "<graphics type='vnc' passwd='{}'/>", "12345678", "123456789", "password"),
    Rule("type", "<graphics type='{}'/>", "sdl", "desktop", "desktop"),
    Rule("audio", "<audio id='1' type='none'/>" + VNC, "<audio id='1'/>", "<audio id='2'/>", "id 2"),
    Rule("network", VNC, "<listen type='network' network='n'/>", "<listen type='network'/>", "network"),
    Rule("dbus", "<graphics type='dbus' {}/>", "p2p='yes'", "p2p='yes' address='unix:path=/s'", "peer-to-peer"),
    Rule("none alone", "<video><model type='none'/></video>{}", "", "<video><model type='virtio'/></video>", "none"),
    Rule("vhostuser", "<video><driver name='vhostuser'/><model type='{}'/></video>", "virtio", "qxl", "vhostuser", head=SHARED),
    Rule("rendernode", "<video><driver name='{}'/><model type='virtio'><acceleration rendernode='/r'/></model></video>", "vhostuser", "qemu", "rendernode"),
    Rule("qxl's memory", "<video><model type='{}' ram='65536'/></video>", "qxl", "vga", "ram"),
    Rule("resolution", "<video><model type='{}'><resolution x='640' y='480'/></model></video>", "vga", "cirrus", "resolution"),
    Rule("no resolution", "<video><model type='vga'><resolution x='640' y='{}'/></model></video>", "480", "0", "above 0"),
    Rule("ramfb", "<video><model type='ramfb'/>{}</video>", "", PCI, "no address"),
    Rule("secondary", "<video><model type='qxl'/></video><video><model type='{}'/></video>", "virtio", "cirrus", "primary"),
    Rule("heads", "<video><model type='{}' heads='2'/></video>", "virtio", "vga", "one head"),
    Rule("vgamem", "<video><model type='qxl' vgamem='{}'/></video>", "16384", "16385", "vgamem"),
    Rule("vram", "<video><model type='vga' vram='{}'/></video>", "1024", "512", "vram"),
    Rule("accel2d", "<video><model type='virtio'><acceleration accel2d='{}'/></model></video>", "no", "yes", "accel2d"),
    Rule("accel3d", "<video><model type='{}'><acceleration accel3d='yes'/></model></video>", "virtio", "qxl", "accel3d"),
    Rule("two primary", "<video><model type='virtio' primary='yes'/></video><video><model type='virtio' {}/></video>", "heads='1'", "primary='yes'", "primary"),
]  # fmt: skip

HOSTDEVS = [
    Rule("twice", PCI_HOSTDEV.format(0) + PCI_HOSTDEV, "1", "0", "twice"),
    Rule("SCSI's address", "<hostdev mode='subsystem' type='scsi'><source><adapter name='h'/><address bus='0' target='0' unit='0'/></source>{}</hostdev>", "", PCI, "type 'scsi'"),
    Rule("sgio", SCSI_HOSTDEV, " sgio='filtered'", " sgio='unfiltered'", "unfiltered"),
    Rule("vhost boot", "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/>{}</hostdev>", "", "<boot order='1'/>", "booted"),
    Rule("display", MDEV, " display='off'", " display='on'", "graphics"),
    Rule("capabilities", "<hostdev mode='{}' managed='no'><source><vendor id='1'/><product id='1'/><block>/b</block></source></hostdev>", "subsystem' type='usb", "capabilities' type='storage", "capabilities"),
    Rule("teaming", "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='6' slot='0' function='0'/></source><teaming type='{}/></hostdev>", "transient' persistent='ua-a'", "persistent'", "transient"),
    Rule("writeFiltering", "<hostdev mode='subsystem' type='pci'><source{}><address domain='0' bus='6' slot='0' function='0'/></source></hostdev>", "", " writeFiltering='yes'", "writeFiltering"),
    Rule("where a disk is", "<disk><source file='/a'/><target dev='sda' bus='scsi'/><address type='drive' unit='1'/></disk><hostdev mode='subsystem' type='scsi'><source><adapter name='h'/><address bus='0' target='0' unit='0'/></source><address type='drive' unit='{}'/></hostdev>", "2", "1", "disk"),
]  # fmt: skip

MACHINE_DEVICES = [
    Rule("modules need space", MEMORY.format("dimm") + "{}", "", "<memory model='dimm'><target><size>8388608</size><node>0</node></target></memory>", "memory", head=PLUGGABLE),
    Rule("slots", MEMORY.format("dimm") + "{}", "", MEMORY.format("dimm") * 2, "slots", head=PLUGGABLE),
    Rule("node", "<memory model='dimm'><target><size>131072</size><node>{}</node></target></memory>", "0", "1", "node 1", head=PLUGGABLE),
    Rule("maxMemory", MEMORY.format("dimm"), "<maxMemory slots='2'>4194304</maxMemory>", "", "maxMemory", head=CELL + "{}"),
    Rule("NVDIMM's path", "<memory model='nvdimm'>{}<target><size>524288</size><node>0</node></target></memory>", "<source><path>/p</path></source>", "", "path", head=PLUGGABLE),
    Rule("pmem's access", "<memory model='virtio-pmem' {}><source><path>/p</path></source><target><size>524288</size></target></memory>", "access='shared'", "access='private'", "shared", head=PLUGGABLE),
    Rule("virtio-mem's block", "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block>{}</block><requested>0</requested></target></memory>", "2048", "1024", "1024", head=PLUGGABLE),
    Rule("virtio-mem's request", "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block>2048</block><requested>{}</requested></target></memory>", "65536", "1024", "multiple", head=PLUGGABLE),
    Rule("intel's machine", "<iommu model='intel'/>", "pc-q35-7.2", "pc-i440fx-7.2", "intel", head="<os><type arch='x86_64' machine='{}'>hvm</type></os>"),
    Rule("virtio's ACPI", "<iommu model='virtio'/>", "<features><acpi/></features>", "<features/>", "acpi", head="{}", machine="q35"),
    Rule("virtio's options", "<iommu model='{}'><driver iotlb='on'/></iommu>", "intel", "virtio", "no options", head="<features><acpi/></features>", machine="q35"),
    Rule("intremap", "<iommu model='intel'><driver intremap='on'/></iommu>", "<ioapic driver='qemu'/>", "", "ioapic", head="<features>{}</features>", machine="q35"),
    Rule("eim", "<iommu model='intel'><driver {} eim='on'/></iommu>", "intremap='on'", "", "eim", head="<features><ioapic driver='qemu'/></features>", machine="q35"),
    Rule("TPMs", "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>{}", "", "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>", "only one TPM"),
    Rule("swtpm", "<tpm model='tpm-tis'><backend type='{}'/></tpm>", "passthrough", "emulator", "version"),
    Rule("external TPM", "<tpm model='tpm-tis'><backend type='{}'><source type='unix' path='/s' mode='connect'/></backend></tpm>", "passthrough", "external", "external"),
]  # fmt: skip

SMALL = [
    Rule("watchdog's address", "<watchdog model='ib700'>{}</watchdog>", "", PCI, "no address"),
    Rule("watchdog's bus", "<watchdog model='i6300esb'>{}</watchdog>", PCI, "<address type='isa' iobase='0x1'/>", "PCI"),
    Rule("watchdog's arch", "<watchdog model='{}'/>", "ib700", "diag288", "s390"),
    Rule("sound's audio", "<audio id='1' type='none'/><sound model='ac97'><audio id='{}'/></sound>", "1", "3", "id 3"),
    Rule("audio ids", "<audio id='1' type='none'/><audio id='{}' type='none'/>", "2", "1", "used twice"),
    Rule("spice audio", "<audio id='1' type='spice'/><graphics type='{}'/>", "spice", "vnc", "spice"),
    Rule("nvram", "{}", "", "<nvram><address type='spapr-vio' reg='0x3000'/></nvram>", "pSeries"),
    Rule("shmem's name", "<shmem name='{}'><model type='ivshmem-plain'/></shmem>", "a", "a/b", "a/b"),
    Rule("CID", "<vsock model='virtio'><cid auto='no' address='{}'/></vsock>", "3", "2", "at least 3"),
    Rule("ps2", "<input type='{}' bus='ps2'/>", "mouse", "tablet", "ps2"),
    Rule("passthrough", "<input type='passthrough' bus='{}'><source evdev='/e'/></input>", "virtio", "usb", "passthrough"),
    Rule("input's model", "<input type='mouse' bus='virtio' model='{}'/>", "virtio", "virtio-transitional", "virtio-transitional"),
    Rule("panic", "<panic model='{}'/>", "isa", "s390", "s390"),
    Rule("panic's address", "<panic model='{}'><address type='isa' iobase='0x505'/></panic>", "isa", "hyperv", "hyperv"),
    Rule("filesystem", "<filesystem type='{}'><source dir='/d' file='/d'/><target dir='t'/></filesystem>", "mount", "file", "file"),
    Rule("fmode", "<filesystem accessmode='{}' fmode='0644'><source dir='/d'/><target dir='t'/></filesystem>", "mapped", "passthrough", "fmode"),
    Rule("read-only virtiofs", "<filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='t'/>{}</filesystem>", "", "<readonly/>", "read-only", head=SHARED),
    Rule("virtiofs twice", "<filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='t'/></filesystem><filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='{}'/></filesystem>", "u", "t", "twice", head=SHARED),
    Rule("9p boot", "<filesystem><driver type='path'/><source dir='/d'/><target dir='t'/>{}</filesystem>", "", "<boot order='1'/>", "boot"),
    Rule("aliases", "<disk><source file='/a'/><target dev='vda'/><alias name='ua-a'/></disk><disk><source file='/b'/><target dev='vdb'/><alias name='{}'/></disk>", "ua-b", "ua-a", "ua-a"),
    Rule("unassigned", "<rng model='virtio'><backend model='builtin'/>{}</rng>", "", "<address type='unassigned'/>", "unassigned"),
    Rule("CCW", "<rng model='virtio'><backend model='builtin'/>{}</rng>", "", "<address type='ccw' cssid='0xfe' ssid='0' devno='1'/>", "CCW"),
]  # fmt: skip

ALL = [*DISKS, *CONTROLLERS, *CHARDEVS, *NETWORKS, *DISPLAYS, *HOSTDEVS, *MACHINE_DEVICES, *SMALL]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_rule_accepts_the_one_and_refuses_the_other(rule: Rule) -> None:
    both_ways(rule)


FACTS = [
    ("tpm", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>", HostFacts(swtpm_versions=frozenset({"2.0"}))),
    ("tls", "<graphics type='spice' port='5900' tlsPort='5901'/>", HostFacts(spice_tls=True)),
    ("passt", "<interface type='user'><backend type='passt'/></interface>", HostFacts(passt=True)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "devices", "host"), FACTS, ids=[fact[0] for fact in FACTS])
def test_a_host_that_can_accepts_what_a_plain_one_refuses(name: str, devices: str, host: HostFacts) -> None:
    del name
    define(domain(devices), host=host)
    with pytest.raises(QcapsError):
        define(domain(devices))


def test_a_session_has_no_virtiofs() -> None:
    xml = domain(
        "<filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='t'/></filesystem>", head=SHARED
    )
    define(xml)
    with pytest.raises(QcapsError, match="root"):
        define(xml, host=HostFacts(privileged=False))


@pytest.mark.parametrize(
    "device",
    [
        "<sound model='ich7'/>",
        "<memballoon model='xen'/>",
        "<disk><source file='/d'/><target dev='vda'/><alias name='ua-a'/></disk>",
    ],
)
def test_a_device_is_refused_before_it_is_added(device: str) -> None:
    draft = define(domain("<disk><source file='/e'/><target dev='vdb'/><alias name='ua-a'/></disk>"))
    with pytest.raises(Refused):
        validate_device(draft, parse_device(device.encode()), snapshot("x86_64").capabilities)


def test_a_device_that_can_be_added_is_not_refused() -> None:
    draft = define(domain())
    validate_device(draft, parse_device(b"<watchdog model='ib700'/>"), snapshot("x86_64").capabilities)


def test_a_refusal_names_its_line() -> None:
    with pytest.raises(QcapsError, match=r"line 3: <watchdog>"):
        define(domain("\n\n<watchdog model='diag288'/>"))
