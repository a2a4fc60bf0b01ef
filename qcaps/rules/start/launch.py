"""What the builders of one command line share: the definition, the capabilities, the names of devices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from qcaps.domainxml.device import Device
from qcaps.domainxml.devices import Controller, Memory
from qcaps.domainxml.memory import kib
from qcaps.domainxml.namespace import qemu_overrides
from qcaps.domainxml.syntax import scaled
from qcaps.rules.refusal import Refused
from qcaps.rules.start import argument, bootorder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.boot import FirmwareVariables
    from qcaps.domainxml.numa import NumaCell
    from qcaps.rules.draft import Draft
    from qcaps.rules.start.argument import Properties

_D = TypeVar("_D", bound=Device)
_LARGEST = (2**63 - 1) >> 10
"""KiB; what libvirt can count in bytes."""
_MODULE_STEP = 2048
"""KiB; huge pages of x86."""


class Launch:
    """A domain that is about to start; `aliases` are the names of its devices, by their `id`."""

    def __init__(self, draft: Draft, capabilities: Capabilities, aliases: Mapping[int, str]) -> None:
        self.draft = draft
        self.domain = draft.domain
        self.capabilities = capabilities
        self.emulator = draft.emulator or ""
        self._aliases = aliases
        self._boot = bootorder.effective(draft)
        self._overrides = qemu_overrides(draft.domain)
        self.assumed: list[str] = []
        """What only a host could say and was made up, one line each: `what -> by what`."""

    def of(self, kind: type[_D]) -> list[_D]:
        """The devices of one kind."""
        return self.draft.of(kind)

    def alias(self, device: Device) -> str:
        """What QEMU calls the device."""
        return self._aliases[id(device)]

    def boot_index(self, device: Device) -> int | None:
        """The place of the device in the order of booting, if it has one."""
        return self._boot.get(id(device))

    def device(self, properties: Properties) -> tuple[str, str]:
        """`-device` with these properties."""
        if self._overrides:
            properties = self._overridden(properties)
        return argument.device(self.capabilities, properties)

    # Follows: qemuBuildDeviceCommandlineHandleOverrides
    def _overridden(self, properties: Properties) -> Properties:
        changed = {key: value for key, value in properties.items() if value is not None}
        for name, value in self._overrides.get(str(changed.get("id")), ()):
            changed.pop(name, None)
            if value is not None:
                changed[name] = value
        return changed

    def backend(self, properties: Properties) -> tuple[str, str]:
        """`-object` with these properties."""
        return argument.backend(self.capabilities, properties)

    @cached_property
    def controllers(self) -> dict[tuple[str, int], Controller]:
        """The first controller of each type and index."""
        found: dict[tuple[str, int], Controller] = {}
        for controller in self.of(Controller):
            found.setdefault((controller.type, controller.index or 0), controller)
        return found

    def controller(self, kind: str, index: int, device: Device) -> Controller:
        """The controller that `device` hangs on."""
        try:
            return self.controllers[kind, index]
        except KeyError:
            raise Refused(f"there is no {kind} controller {index}", device) from None

    def master(self, companion: Controller) -> Controller | None:
        """The USB 2 controller whose ports `companion` shares.

        Follows: qemuBuildUSBControllerFindMasterAlias
        """
        return self._masters.get(companion.index or 0)

    @cached_property
    def _masters(self) -> dict[int, Controller]:
        found: dict[int, Controller] = {}
        for controller in self.of(Controller):
            if controller.type == "usb" and (
                controller.master is None or controller.master.startport is None
            ):
                found.setdefault(controller.index or 0, controller)
        return found

    @cached_property
    def nodes(self) -> tuple[NumaCell, ...]:
        """The guest's NUMA nodes by number."""
        numa = self.domain.cpu.numa if self.domain.cpu else None
        cells = numa.cell if numa else ()
        numbered = [(cell.id if cell.id is not None else place, cell) for place, cell in enumerate(cells)]
        return tuple(cell for _, cell in sorted(numbered, key=lambda pair: pair[0]))

    @cached_property
    def default_ram(self) -> str | None:
        """What the machine type calls its memory, where QEMU says so."""
        machine = self.capabilities.machine(self.domain.machine or "", self.domain.virt_type)
        return machine.default_ram_id if machine else None

    @cached_property
    def has_pflash(self) -> bool:
        """The firmware is in flash memory."""
        loader = self.domain.os.loader
        return loader is not None and loader.type == "pflash"

    @property
    def variables(self) -> FirmwareVariables | None:
        """The firmware's variables; without a place for them, none, whatever their template.

        Follows: virDomainLoaderDefParseXMLNvram
        """
        given = self.domain.os.nvram
        return given if given is not None and ((given.value or "").strip() or given.source) else None

    @cached_property
    def alignment(self) -> int:
        """What memory sizes are rounded up to, in KiB.

        Follows: qemuDomainGetMemorySizeAlignment
        """
        return 256 * 1024 if self.domain.arch in ("ppc64", "ppc64le") else 1024

    @cached_property
    def initial_memory(self) -> int:
        """The memory without modules, in KiB, rounded up as QEMU wants it."""
        if self.nodes:
            return sum(self.node_memory(cell) for cell in self.nodes)
        modules = sum(kib(module.target.size) for module in self.of(Memory) if module.target)
        return _up(kib(self.domain.memory) - modules, self.alignment)

    def node_memory(self, cell: NumaCell) -> int:
        """The memory of one NUMA node, in KiB, rounded up as QEMU wants it."""
        size = _up(-(-scaled(cell.memory, cell.unit) // 1024), self.alignment)
        if size > _LARGEST:
            raise Refused("the memory of the NUMA node is too large, rounded up", cell)
        return size

    def module_memory(self, module: Memory) -> int:
        """The size of a memory module, in KiB, rounded up as QEMU wants it."""
        size = kib(module.target.size) if module.target else 0
        return _up(size, max(_MODULE_STEP, self.alignment))


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
