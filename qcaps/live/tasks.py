"""The tasks, each on a domain given as XML: set up, one measured call, undone.

These run in the process that holds libvirt. A task leaves no domain behind, whether it succeeds or fails.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qcaps.live.rewriting import name_of, startable
from qcaps.live.running_tasks import RUNNING_TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcaps.live.counting.meter import Cost, Meter

DEVICE = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
    "<source file='/var/lib/libvirt/images/attached.raw'/><target dev='vdzzz' bus='virtio'/></disk>"
)
"""What attach, detach and update take unless they are given another: a disk that no scenario has."""


@dataclass
class LiveRun:
    """One task on one domain, while it runs. `kept` is what the task wants to hand back."""

    libvirt: Any
    connection: Any
    meter: Meter
    folder: Path
    xml: str
    device: str = ""
    once: bool = False
    cost: Callable[[], Cost] | None = None
    kept: dict[str, str] = field(default_factory=dict)

    def measure(self, call: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401  # libvirt has no types
        """Make the one call that this task is about."""
        result: list[Any] = []
        self.cost = self.meter.measure(lambda: result.append(call(*arguments)), once=self.once)
        return result[0]

    @contextmanager
    def defined(self, xml: str | None = None) -> Iterator[Any]:
        """A domain that is there for the length of a block."""
        domain = self.connection.defineXML(self.xml if xml is None else xml)
        try:
            yield domain
        finally:
            self.undefine(domain)

    def undefine(self, domain: Any) -> None:  # noqa: ANN401  # libvirt has no types
        """Forget a domain with all that libvirt keeps of it."""
        libvirt = self.libvirt
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)

    @contextmanager
    def stopped_after(self) -> Iterator[None]:
        """If the domain runs when the block ends, it is ended."""
        try:
            yield
        finally:
            with suppress(self.libvirt.libvirtError):  # it may have ended by itself, or never begun
                self.connection.lookupByName(name_of(self.xml)).destroy()

    def keep_xml(self, domain: Any) -> None:  # noqa: ANN401  # libvirt has no types
        """Hand back what libvirt made of the domain."""
        self.kept["xml"] = domain.XMLDesc(self.libvirt.VIR_DOMAIN_XML_INACTIVE)


def _define(run: LiveRun, flags: int = 0) -> None:
    domain = run.measure(run.connection.defineXMLFlags, run.xml, flags)
    try:
        run.keep_xml(domain)
    finally:
        run.undefine(domain)


def _define_validated(run: LiveRun) -> None:
    _define(run, run.libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


def _define_and_undefine(run: LiveRun) -> None:
    with run.defined() as domain:
        run.keep_xml(domain)

    def both() -> None:
        run.undefine(run.connection.defineXMLFlags(run.xml, 0))

    run.measure(both)


def _redefine(run: LiveRun) -> None:
    with run.defined() as domain:
        run.measure(run.connection.defineXMLFlags, run.xml, 0)
        run.keep_xml(domain)


def _undefine(run: LiveRun) -> None:
    domain = run.connection.defineXML(run.xml)
    run.keep_xml(domain)
    run.measure(domain.undefineFlags, run.libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def _start(run: LiveRun) -> None:
    with run.defined(startable(run.xml, run.folder)) as domain, run.stopped_after():
        run.keep_xml(domain)
        run.measure(domain.createWithFlags, run.libvirt.VIR_DOMAIN_START_PAUSED)


def _create(run: LiveRun) -> None:
    xml = startable(run.xml, run.folder)
    with run.stopped_after():
        domain = run.measure(run.connection.createXML, xml, run.libvirt.VIR_DOMAIN_START_PAUSED)
        run.keep_xml(domain)


def _attach(run: LiveRun) -> None:
    with run.defined() as domain:
        run.measure(domain.attachDeviceFlags, run.device or DEVICE, run.libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        run.keep_xml(domain)


def _detach(run: LiveRun) -> None:
    config = run.libvirt.VIR_DOMAIN_AFFECT_CONFIG
    with run.defined() as domain:
        domain.attachDeviceFlags(run.device or DEVICE, config)
        run.measure(domain.detachDeviceFlags, run.device or DEVICE, config)
        run.keep_xml(domain)


def _update(run: LiveRun) -> None:
    config = run.libvirt.VIR_DOMAIN_AFFECT_CONFIG
    with run.defined() as domain:
        domain.attachDeviceFlags(run.device or DEVICE, config)
        run.measure(domain.updateDeviceFlags, run.device or DEVICE, config)
        run.keep_xml(domain)


def _dumpxml(run: LiveRun, flags: int = 0) -> None:
    with run.defined() as domain:
        run.measure(domain.XMLDesc, flags)
        run.keep_xml(domain)


def _dumpxml_cpu(run: LiveRun) -> None:
    _dumpxml(run, run.libvirt.VIR_DOMAIN_XML_UPDATE_CPU)


def _to_native(run: LiveRun) -> None:
    with run.defined() as domain:  # for the devices that libvirt adds
        run.keep_xml(domain)
    run.kept["native"] = run.measure(run.connection.domainXMLToNative, "qemu-argv", run.xml, 0)


def _domain_capabilities(run: LiveRun) -> None:
    run.measure(run.connection.getDomainCapabilities, None, None, None, None, 0)


def _capabilities(run: LiveRun) -> None:
    run.kept["capabilities"] = run.measure(run.connection.getCapabilities)


TASKS: dict[str, Callable[[LiveRun], None]] = {
    "define": _define,
    "define-validated": _define_validated,
    "define+undefine": _define_and_undefine,
    "redefine": _redefine,
    "undefine": _undefine,
    "start": _start,
    "createXML": _create,
    "attach": _attach,
    "detach": _detach,
    "update": _update,
    "dumpxml": _dumpxml,
    "dumpxml-cpu": _dumpxml_cpu,
    "xmlToNative": _to_native,
    "domcapabilities": _domain_capabilities,
    "capabilities": _capabilities,
    **RUNNING_TASKS,
}

WITHOUT_A_DOMAIN = ("domcapabilities", "capabilities")
