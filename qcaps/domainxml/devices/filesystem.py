"""Directories of the host that the guest mounts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import FLAG, LAST, ON_OFF, Element
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.disksource import FileFormat
from qcaps.domainxml.devices.virtio import VirtioDriver, VirtioModel
from qcaps.domainxml.memory import Size
from qcaps.domainxml.numbers import MODE
from qcaps.domainxml.syntax import I31, WRAPPED_U64


class FilesystemDriver(VirtioDriver):
    """What serves the directory."""

    type: Literal["default", "path", "handle", "loop", "nbd", "ploop", "virtiofs"] | None = None
    format: FileFormat | None = None
    wrpolicy: Literal["default", "immediate"] | None = None
    queue: WRAPPED_U64 | None = None


class FilesystemBinaryCache(Element):
    """How much virtiofsd caches."""

    TAG: ClassVar[str] = "cache"
    mode: Literal["none", "always"] | None = None


class FilesystemBinarySandbox(Element):
    """How virtiofsd shuts itself in."""

    TAG: ClassVar[str] = "sandbox"
    mode: Literal["namespace", "chroot"] | None = None


class FilesystemBinaryLock(Element):
    """Which locks virtiofsd passes on."""

    TAG: ClassVar[str] = "lock"
    posix: Annotated[bool, ON_OFF] | None = None
    flock: Annotated[bool, ON_OFF] | None = None


class FilesystemBinaryThreadPool(Element):
    """How many threads virtiofsd has."""

    TAG: ClassVar[str] = "thread_pool"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    size: I31 | None = None


class FilesystemBinary(Element):
    """The virtiofsd to be run, and how."""

    TAG: ClassVar[str] = "binary"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    path: str | None = None
    xattr: Annotated[bool, ON_OFF] | None = None
    cache: FilesystemBinaryCache | None = None
    sandbox: FilesystemBinarySandbox | None = None
    lock: FilesystemBinaryLock | None = None
    thread_pool: FilesystemBinaryThreadPool | None = None


class FilesystemSource(Element):
    """What the host offers; which attributes count depends on the type."""

    TAG: ClassVar[str] = "source"
    dir: str | None = None
    dev: str | None = None
    file: str | None = None
    name: str | None = None
    usage: WRAPPED_U64 | None = None
    units: str | None = None
    pool: str | None = None
    volume: str | None = None
    socket: str | None = None


class FilesystemTarget(Element):
    """The tag (QEMU) or the directory (containers) under which the guest finds it."""

    TAG: ClassVar[str] = "target"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    dir: str


class Filesystem(Device):
    """A directory of the host that the guest mounts."""

    TAG: ClassVar[str] = "filesystem"
    UNREAD: ClassVar[frozenset[str]] = frozenset({"rom"})
    type: Literal["mount", "block", "file", "template", "ram", "bind", "volume"] = "mount"
    accessmode: Literal["passthrough", "mapped", "squash"] | None = None
    model: VirtioModel | None = None
    multidevs: Literal["default", "remap", "forbid", "warn"] | None = None
    fmode: MODE | None = None
    dmode: MODE | None = None
    driver: FilesystemDriver | None = None
    binary: FilesystemBinary | None = None
    source: FilesystemSource | None = None
    target: FilesystemTarget | None = None
    readonly: Annotated[bool, FLAG] = False
    space_hard_limit: Annotated[Size, LAST] | None = None
    space_soft_limit: Annotated[Size, LAST] | None = None
