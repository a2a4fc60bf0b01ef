"""Devices that several scenarios are made of, as libvirt's domain XML."""

DATA = "/var/lib/libvirt/images"


def disk_name(prefix: str, index: int) -> str:
    """The name of disk `index`: vda … vdz, vdaa …"""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return prefix + letters


def disk(index: int, bus: str = "virtio", prefix: str = "vd") -> str:
    """A qcow2 image on `bus`."""
    return (
        "<disk type='file' device='disk'>\n"
        "  <driver name='qemu' type='qcow2'/>\n"
        f"  <source file='{DATA}/{prefix}-{index}.qcow2'/>\n"
        f"  <target dev='{disk_name(prefix, index)}' bus='{bus}'/>\n"
        "</disk>"
    )


def cdrom(target: str, bus: str) -> str:
    """An empty CD drive."""
    return f"<disk type='file' device='cdrom'>\n  <target dev='{target}' bus='{bus}'/>\n</disk>"


def nic(index: int, model: str = "virtio") -> str:
    """A user-mode NIC; its MAC is fixed, so that two builds of a domain are the same."""
    mac = f"52:54:00:{index >> 16 & 0xFF:02x}:{index >> 8 & 0xFF:02x}:{index & 0xFF:02x}"
    return f"<interface type='user'>\n  <mac address='{mac}'/>\n  <model type='{model}'/>\n</interface>"


def channel(index: int) -> str:
    """A virtio-serial port with a name of its own."""
    return f"<channel type='unix'>\n  <target type='virtio' name='org.qemu.guest_agent.{index}'/>\n</channel>"


RNG = "<rng model='virtio'>\n  <backend model='random'>/dev/urandom</backend>\n</rng>"
VNC = "<graphics type='vnc' port='-1' autoport='yes'/>"
VIDEO = "<video>\n  <model type='vga'/>\n</video>"
CONSOLE = "<serial type='pty'/>\n<console type='pty'/>"
TABLET = "<input type='tablet' bus='usb'/>"
