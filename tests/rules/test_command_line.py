"""QEMU's command line: facts of libvirt 9.0.0's builder, one or more a device kind."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml import document
from qcaps.errors import QcapsError
from qcaps.release import R9_0
from qcaps.rules.draft import Draft
from qcaps.rules.refusal import Refused
from qcaps.rules.start.command_line import command_line

X86 = snapshot("x86_64").capabilities
S390X = snapshot("s390x").capabilities
CORPUS = os.environ.get("QCAPS_CORPUS")

ROOT = "<controller type='pci' index='0' model='pci-root'/>"
SERIAL = (
    "<controller type='virtio-serial' index='0'>"
    "<address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/></controller>"
)
SCSI = (
    "<controller type='scsi' index='0' model='{}'>"
    "<address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/></controller>"
)
AUDIO = "<audio id='1' type='none'/>"


def _at(slot: int, function: int = 0) -> str:
    return f"<address type='pci' domain='0x0000' bus='0x00' slot='0x{slot:02x}' function='0x{function:x}'/>"


def _document(devices: str, before: str = "", arch: str = "x86_64", machine: str = "pc-i440fx-7.2") -> bytes:
    return (
        "<domain type='qemu'><name>a,b</name><uuid>399bae50-2396-4854-8b92-07de04930a7b</uuid>"
        "<memory unit='KiB'>262145</memory><vcpu>2</vcpu>"
        f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os>{before}"
        f"<devices><emulator>/usr/bin/qemu-system-{arch}</emulator>{devices}</devices></domain>"
    ).encode()


def _line(devices: str = "", before: str = "", without: tuple[str, ...] = ()) -> tuple[str, ...]:
    given = dataclasses.replace(X86, flags=X86.flags - set(without))
    return command_line(Draft(document.parse(_document(ROOT + devices, before)), R9_0), given)


def _values(line: tuple[str, ...], option: str) -> list[str]:
    return [line[place + 1] for place, word in enumerate(line) if word == option]


DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/>"
    "<source file='/i/a.qcow2'/><target dev='vda' bus='virtio'/>" + _at(3) + "</disk>"
)

DEVICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "disk": (
        DISK,
        (
            ('{"driver":"file","filename":"/i/a.qcow2","node-name":"libvirt-1-storage",'
            '"cache":{"direct":true,"no-flush":false},"auto-read-only":true,"discard":"unmap"}'),
            ('{"node-name":"libvirt-1-format","read-only":false,"discard":"unmap",'
            '"cache":{"direct":true,"no-flush":false},"driver":"qcow2","file":"libvirt-1-storage"}'),
            ('{"driver":"virtio-blk-pci","bus":"pci.0","addr":"0x3","drive":"libvirt-1-format",'
            '"id":"virtio-disk0","write-cache":"on"}'),
        ),
    ),
    "backing chain": (
        ("<disk type='file' device='disk'><driver type='qcow2'/><source file='/i/a'/>"
        "<backingStore type='file'><format type='raw'/><source file='/i/b'/><backingStore/></backingStore>"
        "<target dev='hdb' bus='ide'/>"
        "<address type='drive' controller='0' bus='0' target='0' unit='1'/></disk>"),
        (
            '{"node-name":"libvirt-2-format","read-only":true,"driver":"raw","file":"libvirt-2-storage"}',
            ('{"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2","file":"libvirt-1-storage",'
            '"backing":"libvirt-2-format"}'),
            '{"driver":"ide-hd","bus":"ide.0","unit":1,"drive":"libvirt-1-format","id":"ide0-0-1"}',
        ),
    ),
    "scsi disk": (
        SCSI.format("virtio-scsi")
        + "<disk type='network' device='disk'><driver type='raw'/>"
        "<source protocol='nbd' name='x'><host name='h'/></source><target dev='sda' bus='scsi'/>"
        "<serial>a b</serial><address type='drive' controller='0' bus='0' target='2' unit='1'/></disk>",
        (
            '{"driver":"virtio-scsi-pci","id":"scsi0","bus":"pci.0","addr":"0x8"}',
            ('{"driver":"nbd","server":{"type":"inet","host":"h","port":"10809"},"export":"x",'
            '"node-name":"libvirt-1-storage","auto-read-only":true,"discard":"unmap"}'),
            ('{"driver":"scsi-hd","bus":"scsi0.0","channel":0,"scsi-id":2,"lun":1,"device_id":"a b",'
            '"drive":"libvirt-1-format","id":"scsi0-0-2-1","serial":"a\\\\ b"}'),
        ),
    ),
    "empty cd": (
        ("<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/>"
        "<address type='drive' controller='0' bus='1' target='0' unit='0'/></disk>"),
        ('{"driver":"ide-cd","bus":"ide.1","unit":0,"id":"ide0-1-0"}',),
    ),
    "sd card": (
        ("<disk type='file' device='disk'><driver type='raw'/><source file='/c'/>"
        "<target dev='sdb' bus='sd'/></disk>"),
        ("file=/c,format=raw,if=sd,index=1",),
    ),
    "interface": (
        "<interface type='user'><mac address='52:54:00:AA:00:01'/><model type='virtio-non-transitional'/>"
        "<driver queues='4'/>" + _at(4, 1) + "</interface>",
        (
            '{"type":"user","id":"hostnet0"}',
            ('{"driver":"virtio-net-pci-non-transitional","mq":true,"vectors":10,"netdev":"hostnet0","id":"net0",'
            '"mac":"52:54:00:aa:00:01","bus":"pci.0","addr":"0x4.0x1"}'),
        ),
    ),
    "tap": (
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
        "<target dev='tap7'/>"
        "<model type='e1000'/>" + _at(4) + "</interface>",
        ('{"type":"tap","ifname":"tap7","script":"no","downscript":"no","id":"hostnet0"}',),
    ),
    "serial": (
        ("<serial type='tcp'><source mode='bind' host='h' service='1'/><protocol type='telnet'/>"
        "<target type='isa-serial' port='1'><model name='isa-serial'/></target></serial>"),
        (
            "socket,id=charserial0,host=h,port=1,telnet=on,server=on,wait=off",
            '{"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":1}',
        ),
    ),
    "parallel": (
        "<parallel type='file'><source path='/p,q'/></parallel>",
        (
            "file,id=charparallel0,path=/p,,q",
            '{"driver":"isa-parallel","chardev":"charparallel0","id":"parallel0"}',
        ),
    ),
    "channel": (
        SERIAL + "<channel type='unix'><target type='virtio' name='n'/>"
        "<address type='virtio-serial' controller='0' bus='0' port='1'/></channel>",
        (
            "socket,id=charchannel0,path=/var/lib/libvirt/qemu/channel/target/domain--1-ab/n,server=on,wait=off",
            ('{"driver":"virtserialport","bus":"virtio-serial0.0","nr":1,"chardev":"charchannel0",'
            '"id":"channel0","name":"n"}'),
        ),
    ),
    "console": (
        SERIAL + "<console type='pty'><target type='virtio'/>"
        "<address type='virtio-serial' controller='0' bus='0' port='0'/></console>",
        ('{"driver":"virtconsole","bus":"virtio-serial0.0","nr":0,"chardev":"charconsole0","id":"console0"}',),
    ),
    "graphics": (
        AUDIO + "<graphics type='vnc' port='5903' autoport='no' sharePolicy='ignore'/>",
        ("127.0.0.1:3,share=ignore,audiodev=audio1",),
    ),
    "spice": (
        AUDIO + "<graphics type='spice'><listen type='none'/><image compression='off'/></graphics>",
        ("port=0,disable-ticketing=on,image-compression=off,seamless-migration=on",),
    ),
    "video": (
        "<video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' primary='yes'/>" + _at(2)
        + "</video>",
        (
            ('{"driver":"qxl-vga","id":"video0","max_outputs":1,"ram_size":67108864,"vram_size":67108864,'
            '"vram64_size_mb":0,"vgamem_mb":16,"bus":"pci.0","addr":"0x2"}'),
        ),
    ),
    "sound": (
        AUDIO + "<sound model='ich6'><codec type='micro'/>" + _at(5) + "</sound>",
        (
            '{"driver":"intel-hda","id":"sound0","bus":"pci.0","addr":"0x5"}',
            '{"driver":"hda-micro","id":"sound0-codec0","bus":"sound0.0","cad":0,"audiodev":"audio1"}',
        ),
    ),
    "input": (
        "<controller type='usb' index='0' model='qemu-xhci' ports='15'>" + _at(6) + "</controller>"
        "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1.2'/></input>",
        (
            '{"driver":"qemu-xhci","p2":15,"p3":15,"id":"usb","bus":"pci.0","addr":"0x6"}',
            '{"driver":"usb-tablet","id":"input0","bus":"usb.0","port":"1.2"}',
        ),
    ),
    "usb companions": (
        "<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/>"
        "<address type='pci' bus='0x00' slot='0x05' function='0x0' multifunction='on'/></controller>"
        "<controller type='usb' index='0' model='ich9-ehci1'>" + _at(5, 7) + "</controller>",
        (
            ('{"driver":"ich9-usb-uhci1","masterbus":"usb.0","firstport":0,"bus":"pci.0","multifunction":true,'
            '"addr":"0x5"}'),
        ),
    ),
    "hub, redirection": (
        "<controller type='usb' index='0' model='qemu-xhci'>" + _at(6) + "</controller>"
        "<hub type='usb'><address type='usb' bus='0' port='1'/></hub>"
        "<redirdev bus='usb' type='spicevmc'><address type='usb' bus='0' port='2'/></redirdev>"
        "<redirfilter><usbdev class='0x08' vendor='0x1234' version='1.10' allow='yes'/>"
        "<usbdev allow='no'/></redirfilter>",
        (
            '{"driver":"usb-hub","id":"hub0","bus":"usb.0","port":"1"}',
            "spicevmc,id=charredir0,name=usbredir",
            ('{"driver":"usb-redir","chardev":"charredir0","id":"redir0",'
            '"filter":"0x08:0x1234:-1:0x0110:1|-1:-1:-1:-1:0","bus":"usb.0","port":"2"}'),
        ),
    ),
    "smartcard": (
        "<controller type='ccid' index='0'><address type='usb' bus='0' port='1'/></controller>"
        "<controller type='usb' index='0' model='qemu-xhci'>" + _at(6) + "</controller>"
        "<smartcard mode='host'><address type='ccid' controller='0' slot='0'/></smartcard>",
        (
            '{"driver":"usb-ccid","id":"ccid0","bus":"usb.0","port":"1"}',
            '{"driver":"ccid-card-emulated","backend":"nss-emulated","id":"smartcard0","bus":"ccid0.0"}',
        ),
    ),
    "filesystem": (
        "<filesystem type='mount' accessmode='mapped' fmode='0644'>"
        "<source dir='/d'/><target dir='t'/>" + _at(9) + "</filesystem>",
        (
            "local,security_model=mapped,fmode=0644,id=fsdev-fs0,path=/d",
            '{"driver":"virtio-9p-pci","id":"fs0","fsdev":"fsdev-fs0","mount_tag":"t","bus":"pci.0","addr":"0x9"}',
        ),
    ),
    "watchdog": (
        "<watchdog model='i6300esb' action='dump'>" + _at(10) + "</watchdog>",
        ('{"driver":"i6300esb","id":"watchdog0","bus":"pci.0","addr":"0xa"}', "pause"),
    ),
    "memballoon": (
        "<memballoon model='virtio' autodeflate='on'>" + _at(11) + "</memballoon>",
        ('{"driver":"virtio-balloon-pci","id":"balloon0","deflate-on-oom":true,"bus":"pci.0","addr":"0xb"}',),
    ),
    "rng": (
        "<rng model='virtio'><rate bytes='12'/><backend model='egd' type='unix'>"
        "<source mode='connect' path='/e'/>"
        "</backend>" + _at(12) + "</rng>",
        (
            "socket,id=charrng0,path=/e",
            '{"qom-type":"rng-egd","id":"objrng0","chardev":"charrng0"}',
            ('{"driver":"virtio-rng-pci","rng":"objrng0","id":"rng0","max-bytes":12,"period":1000,'
            '"bus":"pci.0","addr":"0xc"}'),
        ),
    ),
    "tpm": (
        ("<tpm model='tpm-crb'><backend type='external'>"
        "<source type='unix' mode='connect' path='/t'/></backend></tpm>"),
        (
            "socket,id=chrtpm,path=/t",
            "emulator,id=tpm-tpm0,chardev=chrtpm",
            '{"driver":"tpm-crb","tpmdev":"tpm-tpm0","id":"tpm0"}',
        ),
    ),
    "panic": (
        "<panic model='isa'><address type='isa' iobase='0x505'/></panic>",
        ('{"driver":"pvpanic","ioport":1285}',),
    ),
    "shmem": (
        "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size>" + _at(13) + "</shmem>",
        (
            ('{"qom-type":"memory-backend-file","id":"shmmem-shmem0","mem-path":"/dev/shm/s","size":4194304,'
            '"share":true}'),
            '{"driver":"ivshmem-plain","id":"shmem0","memdev":"shmmem-shmem0","bus":"pci.0","addr":"0xd"}',
        ),
    ),
    "vsock": (
        "<vsock model='virtio'><cid auto='no' address='7'/>" + _at(14) + "</vsock>",
        ('{"driver":"vhost-vsock-pci","id":"vsock0","guest-cid":7,"bus":"pci.0","addr":"0xe"}',),
    ),
    "hostdev": (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source>"
        "<rom bar='off'/>" + _at(15) + "</hostdev>",
        ('{"driver":"vfio-pci","host":"0000:06:12.5","id":"hostdev0","bus":"pci.0","addr":"0xf","rombar":0}',),
    ),
    "alias": (DISK.replace("<target", "<alias name='ua-x'/><target"), ('"id":"ua-x"',)),
}  # fmt: skip


@pytest.mark.parametrize("kind", DEVICES)
def test_devices_are_written_as_libvirt_writes_them(kind: str) -> None:
    devices, wanted = DEVICES[kind]
    line = _line(devices)
    for words in wanted:
        assert any(words == word or (kind == "alias" and words in word) for word in line), "\n".join(line)


def test_the_domain_itself() -> None:
    line = _line()
    assert line[:4] == ("/usr/bin/qemu-system-x86_64", "-name", "guest=a,,b,debug-threads=on", "-S")
    assert _values(line, "-machine") == ["pc-i440fx-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram"]
    assert _values(line, "-m") == ["257"], "memory is rounded up to a MiB"
    assert _values(line, "-object") == ['{"qom-type":"memory-backend-ram","id":"pc.ram","size":269484032}']
    assert _values(line, "-smp") == ["2,sockets=2,cores=1,threads=1"]
    assert _values(line, "-uuid") == ["399bae50-2396-4854-8b92-07de04930a7b"]
    assert _values(line, "-display") == ["none"]
    assert {"-nodefaults", "-no-user-config", "-usb", "-no-acpi"} <= set(line)


def test_an_old_qemu_is_told_in_options() -> None:
    line = _line(DISK, without=("device.json+hotplug", "object.qapified", "netdev.json"))
    assert "virtio-blk-pci,bus=pci.0,addr=0x3,drive=libvirt-1-format,id=virtio-disk0,write-cache=on" in line
    assert "memory-backend-ram,id=pc.ram,size=269484032" in line


def test_names_depend_on_flags() -> None:
    video = "<video><model type='virtio' heads='1' primary='yes'/>" + _at(2) + "</video>"
    assert any('"driver":"virtio-vga"' in word for word in _line(video))
    assert any('"driver":"virtio-gpu-pci"' in word for word in _line(video, without=("virtio-vga",)))
    nic = "<interface type='user'><model type='virtio-transitional'/>" + _at(4) + "</interface>"
    plain = _line(nic, without=("virtio-pci-non-transitional",))
    assert any('"driver":"virtio-net-pci"' in word for word in plain)


CPUS = {
    "<cpu mode='host-passthrough' migratable='off'/>": "host,migratable=off",
    "<cpu mode='custom' match='exact'><model>Nehalem</model><feature policy='require' name='lahf_lm'/>"
    "<feature policy='forbid' name='vmx'/></cpu>": "Nehalem,lahf-lm=on,vmx=off",
    "<features><hyperv mode='custom'><spinlocks state='on' retries='8191'/><stimer state='on'>"
    "<direct state='on'/></stimer></hyperv></features>": "qemu64,hv-spinlocks=0x1fff,hv-stimer=on,"
    "hv-stimer-direct=on",
}


@pytest.mark.parametrize("before", CPUS)
def test_cpus(before: str) -> None:
    assert _values(_line(before=before), "-cpu") == [CPUS[before]]


def test_nodes_have_memory_of_their_own() -> None:
    line = _line(
        before="<cpu><numa><cell id='0' cpus='0' memory='131072' unit='KiB'>"
        "<distances><sibling id='1' value='21'/></distances></cell>"
        "<cell id='1' cpus='1' memory='131072' unit='KiB' memAccess='shared'/></numa></cpu>"
    )
    assert _values(line, "-numa") == [
        "node,nodeid=0,cpus=0,memdev=ram-node0",
        "node,nodeid=1,cpus=1,memdev=ram-node1",
        "dist,src=0,dst=0,val=10",
        "dist,src=0,dst=1,val=21",
        "dist,src=1,dst=0,val=21",
        "dist,src=1,dst=1,val=10",
    ]
    assert (
        '"mem-path":"/var/lib/libvirt/qemu/ram/-1-ab/ram-node1","share":true' in line[line.index("-numa") + 3]
    )


def test_the_first_device_of_a_kind_boots() -> None:
    second = DISK.replace("vda", "vdb").replace("slot='0x03'", "slot='0x0f'")
    text = _document(ROOT + DISK + second).replace(b"</os>", b"<boot dev='hd'/></os>")
    line = command_line(Draft(document.parse(text), R9_0), X86)
    assert [word for word in line if '"bootindex":1' in word and "virtio-disk0" in word]
    assert not [word for word in line if "bootindex" in word and "virtio-disk1" in word]


def test_s390x_has_channel_addresses() -> None:
    disk = DISK.replace(_at(3), "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x001a'/>")
    text = _document(disk, arch="s390x", machine="s390-ccw-virtio-7.2")
    line = command_line(Draft(document.parse(text), R9_0), S390X)
    assert any('"driver":"virtio-blk-ccw","devno":"fe.0.001a"' in word for word in line)
    assert "-usb" not in line


REFUSED = {
    "two displays of a type": (
        AUDIO + "<graphics type='vnc'/><graphics type='vnc'/>",
        "one display of type 'vnc'",
    ),
    "port out of range": (AUDIO + "<graphics type='vnc' port='80' autoport='no'/>", "port from 5900"),
    "no PCI bus": (DISK.replace("bus='0x00'", "bus='0x05'"), "no pci controller 5"),
    "no USB model": (
        "<controller type='usb' index='0' model='nec-xhci'/>",
        "no USB controller 'nec-xhci'",
    ),
    "rom without PCI": (
        "<interface type='user'><model type='e1000'/><rom bar='on'/></interface>",
        "only a PCI device",
    ),
    "sound without a backend": ("<sound model='ac97'>" + _at(5) + "</sound>", "no <audio id='1'>"),
    "Xen's": ("<console type='pty'><target type='xen'/></console>", "no console of type 'xen'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_libvirt_refuses_is_refused(case: str) -> None:
    devices, why = REFUSED[case]
    with pytest.raises(Refused, match=why):
        _line(devices, without=("nec-usb-xhci",))


def test_a_thousand_devices_take_no_longer_each_than_a_hundred() -> None:
    def seconds(count: int) -> float:
        disks = "".join(
            DISK.replace("vda", f"vd{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}")
            for number in range(count)
        )
        draft = Draft(document.parse(_document(ROOT + disks)), R9_0)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            command_line(draft, X86)
            times.append(time.perf_counter() - started)
        return min(times)

    assert seconds(1000) < 30 * seconds(100)


@pytest.mark.skipif(CORPUS is None, reason="QCAPS_CORPUS is not set")
def test_complete_definitions_have_a_command_line() -> None:
    files = sorted((Path(CORPUS or "") / "defined").glob("*.xml"))
    refused = []
    for file in files:
        try:
            line = command_line(Draft(document.load(file), R9_0), X86)
        except QcapsError as error:
            refused.append(f"{file.name}: {error}")
        else:
            assert all(isinstance(word, str) for word in line)
    assert len(refused) <= len(files) // 50, refused
