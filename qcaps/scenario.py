"""Families of domains that grow in n: what a scenario module offers, and how one is found and built.

A module in `scenarios/` declares

    SUMMARY = "virtio disks"                     one line
    LARGEST = {"q35": 237, "pc": 478}            the largest n by machine type; the first is the default
    def devices(n, machine, random) -> Iterator[str]     the devices as XML, the same ones for the same seed

and may set ARCH (x86_64 else), STEPS (the n worth measuring), HEADER (XML before `<devices>`).
`disks@pc` names a scenario on another machine type than its first.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders, call, declared
from qcaps.errors import QcapsError, UsageError, unknown

if TYPE_CHECKING:
    from types import ModuleType

Devices = Callable[[int, str, random.Random], Iterator[str]]
STEPS = (1, 4, 16, 64, 128, 256)


@dataclass(frozen=True)
class Scenario:
    """One family on one machine type. `name` is as the user writes it."""

    name: str
    summary: str
    machine: str
    largest: int
    arch: str
    steps: tuple[int, ...]
    header: str
    devices: Devices
    module: ModuleType

    def xml(self, n: int, seed: int = 0) -> str:
        """The domain with n devices of this kind, as XML. Raises UsageError where n is out of range."""
        if not 0 <= n <= self.largest:
            raise UsageError(f"{self.name} takes 0 to {self.largest} devices, not {n}")
        family = self.name.partition("@")[0]
        draw = random.Random(f"{family} {seed}")
        devices = call(self.module, lambda: tuple(self.devices(n, self.machine, draw)))
        if not all(isinstance(device, str) for device in devices):
            raise QcapsError(f"{self.module.__file__}: devices() yields text, one device at a time")
        inner = "".join(f"    {line}\n" for device in devices for line in device.splitlines())
        return _DOMAIN.format(
            name=f"{family}-{self.machine}-{n}",
            uuid=_uuid(f"{self.name} {n} {seed}"),
            arch=self.arch,
            machine=self.machine,
            header=self.header,
            devices=inner,
        )


_DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>262144</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='{arch}' machine='{machine}'>hvm</type>
  </os>
{header}  <devices>
    <emulator>/usr/bin/qemu-system-{arch}</emulator>
{devices}  </devices>
</domain>
"""


def _uuid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    # version 4, variant 1: libvirt refuses what is all one digit, and tools expect the marks
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def names(content: ContentFolders = SHIPPED) -> tuple[str, ...]:
    """The families there are, shipped and the user's own."""
    return tuple(content.files("scenarios"))


def scenario(name: str, content: ContentFolders = SHIPPED) -> Scenario:
    """The scenario called `name`, as in `disks` or `disks@pc`. Raises UsageError."""
    family, _, machine = name.partition("@")
    module = content.load("scenarios", family)
    largest = _largest(module)
    machine = machine or next(iter(largest))
    if machine not in largest:
        raise unknown(f"machine type of {family}", machine, largest)
    most = largest[machine]
    return Scenario(
        name=name,
        summary=declared(module, "SUMMARY", str),
        machine=machine,
        largest=most,
        arch=declared(module, "ARCH", str, "x86_64"),
        steps=tuple(n for n in declared(module, "STEPS", tuple, STEPS) if n <= most),
        header=declared(module, "HEADER", str, ""),
        devices=declared(module, "devices", Callable),
        module=module,
    )


def on_every_machine(family: str, content: ContentFolders = SHIPPED) -> tuple[Scenario, ...]:
    """The family on each machine type it knows."""
    machines = _largest(content.load("scenarios", family))
    return tuple(scenario(f"{family}@{machine}", content) for machine in machines)


def _largest(module: ModuleType) -> dict[str, int]:
    largest: dict[str, int] = declared(module, "LARGEST", dict)
    if not largest or not all(isinstance(n, int) for n in largest.values()):
        raise QcapsError(
            f"{module.__file__}: LARGEST gives the largest n by machine type; see CONTRIBUTING.md"
        )
    return largest
