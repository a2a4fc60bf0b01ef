"""The domain apart from its devices, as libvirt's parser sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.domainxml.syntax import CPUSET_LENGTH, cpuset, each, uuid
from qcaps.rules.definition.reading.numa import check_parsed_numa
from qcaps.rules.devices.disk.refuse_read import refuse_read_source
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import IothreadNumbers
from qcaps.rules.shared.refuse import internal, malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.domain import Domain, Resource
    from qcaps.domainxml.sysinfo import Sysinfo, SysinfoEntry
    from qcaps.domainxml.tuning import Blkiotune, Cputune

_DATE = re.compile(r"\s*([+-]?\d+)/\s*([+-]?\d+)/\s*([+-]?\d+)")
_LAST_SHORT_YEAR, _FIRST_YEAR = 99, 1900
_MONITORED_LEVEL = 3


def check_parsed_domain(domain: Domain) -> None:
    """Refuses what the parser would refuse of everything but the devices.

    Follows: virDomainDefParseXML
    """
    if (domain.os.type is None or domain.os.type.value is None) and domain.bootloader is None:
        raise malformed("<os><type> is missing", domain)
    loader = domain.os.loader
    # as libvirt, whose validation refuses this; ours no longer sees an empty <loader> or <nvram>
    told = loader or domain.os.nvram
    if told is not None and not (loader and loader.value) and domain.os.firmware is None:
        raise Refused("no path of a loader is given, and no firmware is to be chosen", told)
    if domain.title is not None and "\n" in domain.title:
        raise malformed("the title has more than one line", domain)
    _check_variables(domain)
    resource = domain.resource
    if resource is not None and not resource.partition and _appid(resource) is None:
        raise Refused("<resource> names neither a partition nor an application", resource)
    _check_labels(domain)
    _check_vcpus(domain)
    _check_iothreads(domain)
    if domain.blkiotune is not None:
        _check_blkiotune(domain.blkiotune)
    if domain.cputune is not None:
        _check_cputune(domain, domain.cputune)
    backing = domain.memory_backing
    for page in backing.hugepages.page if backing is not None and backing.hugepages is not None else ():
        if page.size == 0:
            raise Refused("the size of a huge page is above 0", page)
    check_parsed_numa(domain)
    _check_perf(domain)
    for sysinfo in domain.sysinfo:
        _check_sysinfo(domain, sysinfo)


# Follows: virDomainDefTunablesParse
def _check_blkiotune(tune: Blkiotune) -> None:
    """No device twice, also where nothing is said of it."""
    seen: set[str] = set()
    for device in tune.device:
        if device.path in seen:
            raise unsupported(f"blkiotune names the device '{device.path}' twice", device)
        seen.add(device.path)


# Follows: virDomainLoaderDefParseXMLNvram
def _check_variables(domain: Domain) -> None:
    nvram = domain.os.nvram
    if nvram is None or nvram.type is None:
        return
    if nvram.source is None:
        raise Refused(f"<nvram> of type '{nvram.type}' needs a <source>", nvram)
    refuse_read_source(nvram.type, nvram.source, nvram)


# Follows: virDomainResourceDefParse
def _appid(resource: Resource) -> str | None:
    return resource.fibrechannel.appid if resource.fibrechannel is not None else None


# Follows: virSecurityLabelDefsParseXML
def _check_labels(domain: Domain) -> None:
    labels = domain.seclabel
    if len(labels) == 1:
        (label,) = labels
        if label.model is None and (label.type in (None, "static") or label.baselabel is not None):
            raise malformed("a <seclabel> with a label of its own needs a model", label)
        return
    seen: set[str | None] = set()
    for label in labels:
        if label.model in seen:
            raise Refused(f"there are two <seclabel> of model '{label.model}'", label)
        seen.add(label.model)
        if label.model is None:
            raise malformed("of several <seclabel>, each needs a model", label)


# Follows: virDomainVcpuParse
def _check_vcpus(domain: Domain) -> None:
    vcpu = domain.vcpu
    if vcpu is not None and vcpu.value is None:
        raise malformed("the number of CPUs is missing", vcpu)
    most = 1 if vcpu is None or vcpu.value is None else vcpu.value
    if most == 0:
        raise unsupported("a domain needs at least one CPU", vcpu)
    states = domain.vcpus.vcpu if domain.vcpus is not None else ()
    for state in states:
        if state.id >= most:
            raise malformed(f"CPU {state.id} is not among the {most} of <vcpu>", state)
    if not states and vcpu is not None and (vcpu.current or 0) > most:
        raise unsupported(f"<vcpu> has {vcpu.current} CPUs at first, more than its maximum of {most}", vcpu)


# Follows: virDomainDefParseIOThreads
def _check_iothreads(domain: Domain) -> None:
    seen: set[int] = set()
    for iothread in domain.iothreadids.iothread if domain.iothreadids is not None else ():
        if iothread.id in seen:
            raise malformed(f"iothread {iothread.id} is listed twice", iothread)
        seen.add(iothread.id)


# Follows: virDomainDefTunablesParse
def _check_cputune(domain: Domain, cputune: Cputune) -> None:
    vcpus = 1 if domain.vcpu is None or domain.vcpu.value is None else domain.vcpu.value
    iothreads = IothreadNumbers.of(domain)
    # a pin for a CPU that is not there is dropped
    _check_once("vcpupin", ((pin.vcpu, pin) for pin in cputune.vcpupin if pin.vcpu < vcpus))
    for pin in cputune.iothreadpin:
        if pin.iothread not in iothreads:
            raise unsupported(f"iothreadpin: there is no iothread {pin.iothread}", pin)
    _check_once("iothreadpin", ((pin.iothread, pin) for pin in cputune.iothreadpin))
    _check_scheds(((cpuset(one.vcpus), one) for one in cputune.vcpusched), "CPU", range(vcpus).__contains__)
    _check_scheds(
        ((cpuset(one.iothreads), one) for one in cputune.iothreadsched), "iothread", iothreads.__contains__
    )
    _check_resctrl(cputune, vcpus)


def _check_once(tag: str, items: Iterable[tuple[int, Element]]) -> None:
    seen: set[int] = set()
    for number, element in items:
        if number in seen:
            raise internal(f"there are two <{tag}> for {number}", element)
        seen.add(number)


# Follows: virDomainThreadSchedParseHelper
def _check_scheds(scheds: Iterable[tuple[int, Element]], what: str, is_there: Callable[[int], bool]) -> None:
    seen: set[int] = set()
    for numbers, element in scheds:
        for number in each(numbers):
            if not is_there(number):
                raise unsupported(f"<{element.TAG}>: there is no {what} {number}", element)
            if number in seen:
                raise Refused(f"<{element.TAG}>: {what} {number} has two schedulers", element)
            seen.add(number)


# Follows: virDomainCachetuneDefParse, virDomainMemorytuneDefParse
def _check_resctrl(cputune: Cputune, vcpus: int) -> None:
    groups: set[int] = set()  # no two have a CPU in common; together they are `taken`
    taken = 0
    there = (1 << min(vcpus, CPUSET_LENGTH)) - 1
    for tune in cputune.cachetune:
        own = cpuset(tune.vcpus) & there
        if not own:
            continue
        if own & taken:
            raise malformed(f"CPUs {tune.vcpus} have two <cachetune>", tune)
        if tune.cache or tune.monitor:
            groups.add(own)
            taken |= own
        for monitor in tune.monitor:
            if monitor.level != _MONITORED_LEVEL:
                raise malformed(
                    f"cache monitors are for level {_MONITORED_LEVEL}, not {monitor.level}", monitor
                )
    for share in cputune.memorytune:
        own = cpuset(share.vcpus) & there
        if own & taken and own not in groups:
            raise malformed(f"CPUs {share.vcpus} overlap with those of another element", share)
        if share.node or share.monitor:
            groups.add(own)
            taken |= own


# Follows: virDomainPerfEventDefParseXML
def _check_perf(domain: Domain) -> None:
    seen: set[str] = set()
    for event in domain.perf.event if domain.perf is not None else ():
        if event.name in seen:
            raise malformed(f"the event '{event.name}' is there twice", event)
        seen.add(event.name)


# Follows: virSysinfoParseXML
def _check_sysinfo(domain: Domain, sysinfo: Sysinfo) -> None:
    if sysinfo.type == "fwcfg":
        for entry in sysinfo.entry:
            _check_firmware_entry(entry)
        return
    date = sysinfo.bios.named("date") if sysinfo.bios is not None else None
    if date is not None and date.value and not _is_date(date.value):
        raise Refused(f"BIOS date '{date.value}' is not of the form mm/dd/yyyy", date)
    named = sysinfo.system.named("uuid") if sysinfo.system is not None else None
    if named is not None and named.value:
        try:
            own = uuid(named.value)
        except ValueError as error:
            raise Refused(str(error), named) from None
        if domain.uuid and own != uuid(domain.uuid):
            raise Refused("the UUID of <sysinfo> is not that of the domain", named)


# Follows: virSysinfoParseFWCfgDef
def _check_firmware_entry(entry: SysinfoEntry) -> None:
    if entry.name is None:
        raise malformed("a firmware entry has a name", entry)
    if not entry.value and entry.file is None:
        raise malformed(f"firmware entry '{entry.name}' has neither a value nor a file", entry)


# Follows: virSysinfoBIOSParseXML
def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    month, day, year = (int(part) for part in match.groups())
    return 1 <= month <= 12 and 1 <= day <= 31 and (0 <= year <= _LAST_SHORT_YEAR or year >= _FIRST_YEAR)  # noqa: PLR2004  # a calendar
