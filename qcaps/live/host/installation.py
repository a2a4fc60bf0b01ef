"""Which libvirt is asked: the system's, one in another prefix, or one in a build tree."""

from __future__ import annotations

import os
import platform
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qcaps.live.errors import NoLibvirt
from qcaps.release import nearest, of_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.release import Nearest

OLDEST: Final = 6_001_000
"""6.1.0, the first libvirt whose QEMU driver can be embedded."""

INSTALL: Final = (
    "apt-get install -y --no-install-recommends libvirt-daemon libvirt-daemon-driver-qemu "
    "libvirt-dev pkg-config qemu-system-x86"
)
_DRIVER: Final = "libvirt_driver_qemu.so"
_LIBRARY: Final = "libvirt.so.0"
_BELOW_PREFIX: Final = ("lib/*/libvirt/connection-driver", "lib64/libvirt/connection-driver",
                        "lib/libvirt/connection-driver")  # fmt: skip
_LIBRARIES: Final = ("lib/*", "lib64", "lib", "src")
_IN_BUILD: Final = "src"


@dataclass(frozen=True)
class Installation:
    """The files of one libvirt, and the environment that makes a process load these and no others.

    `daemons` are folders that may hold its daemon, `tools` those that may hold its client programs.
    `settings` and `state` are where its daemon looks for its configuration and keeps what it knows.
    `version` is major * 1_000_000 + minor * 1_000 + micro, as libvirt counts.
    """

    library: Path
    driver: Path
    version: int
    environment: Mapping[str, str] = field(default_factory=dict)
    daemons: tuple[Path, ...] = ()
    tools: tuple[Path, ...] = ()
    settings: Path = Path("/etc")
    state: Path = Path("/var")

    @property
    def version_name(self) -> str:
        """As in 9.0.0."""
        return _version_name(self.version)

    @property
    def nearest(self) -> Nearest:
        """The known release whose law it is held to."""
        return nearest(of_version(self.version))

    def tool(self, name: str) -> Path | None:
        """A client program of this libvirt, None if it has none of its own."""
        return next((path for folder in self.tools if (path := folder / name).is_file()), None)


def _version_name(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"


def find(place: Path | None = None) -> Installation:
    """The libvirt in `place` (a prefix or a build tree), or the system's. Raises NoLibvirt."""
    if place is None:
        driver = _driver_below(Path("/usr"))
        if driver is None:
            raise NoLibvirt(f"no QEMU driver of libvirt below /usr: {INSTALL}")
        return _installation(driver, _library_beside(driver, "/usr"), Path("/usr") / "sbin")
    place = place.absolute()
    driver = _driver_below(place)
    if driver is None:
        built = place / _IN_BUILD / _DRIVER
        if not built.is_file():
            _refuse_without_driver(place)
            raise NoLibvirt(
                f"{place}: neither a prefix (no lib*/libvirt/connection-driver/{_DRIVER}) "
                f"nor a build tree (no {_IN_BUILD}/{_DRIVER})"
            )
        # A build tree's libvirt looks for its CPU map and schemas in the source only when it is told to.
        return _installation(
            built, built.parent / _LIBRARY, built.parent, {"LIBVIRT_DIR_OVERRIDE": "1"}, private=True
        )
    return _installation(driver, _library_beside(driver, str(place)), place / "sbin", private=True)


def self_ctimes(installation: Installation) -> dict[str, int]:
    """For each program of it that may hold the driver, the ctime that it stamps its entries with.

    That is the newest of the program's own and those of the modules it has loaded by then; a program that
    has loaded more since stamps with more, and is named a second time.

    Follows: virGetSelfLastChanged, virUpdateSelfLastChanged, daemonInitialize
    """
    drivers = installation.driver.parent
    storage = (drivers.parent / "storage-backend", drivers.parent / "storage-file")
    late = [path for folder in storage for path in folder.glob("*.so")]
    before = [path for name in _BEFORE_QEMU if (path := drivers / f"libvirt_driver_{name}.so").is_file()]
    loaded: dict[str, list[Path]] = {"virtqemud": [], "libvirtd": before}
    found: dict[str, int] = {}
    for name, modules in loaded.items():
        program = next((path for place in installation.daemons if (path := place / name).is_file()), None)
        if program is not None:
            early = [program, installation.driver, *modules]
            found[str(program)] = _newest(early)
            found[f"{program} with storage modules"] = _newest([*early, *late])
    found[str(installation.driver)] = _newest([installation.driver])
    return found


_BEFORE_QEMU: Final = ("network", "interface", "secret", "storage", "nodedev", "nwfilter", "libxl")
"""Modules that libvirtd loads before the QEMU driver."""


def _newest(files: list[Path]) -> int:
    return max(int(path.stat().st_ctime_ns // 1_000_000_000) for path in files)


def _driver_below(prefix: Path) -> Path | None:
    found = (path for place in _BELOW_PREFIX for path in sorted(prefix.glob(f"{place}/{_DRIVER}")))
    return next(found, None)


def _refuse_without_driver(place: Path) -> None:
    """Raise NoLibvirt if there is a libvirt in `place`, but none that knows QEMU."""
    libraries = [path for pattern in _LIBRARIES for path in sorted(place.glob(f"{pattern}/{_LIBRARY}"))]
    if libraries:
        raise NoLibvirt(
            f"{libraries[0]}: a libvirt without the QEMU driver ({_DRIVER}): install "
            "libvirt-daemon-driver-qemu of the same version, or build with -Ddriver_qemu=enabled"
        )


def _library_beside(driver: Path, place: str) -> Path:
    folder = driver.parents[2]
    library = folder / _LIBRARY
    if library.is_file():
        return library
    others = sorted(path.name for path in folder.glob("libvirt.so.*"))
    if others:
        raise NoLibvirt(
            f"{folder / others[0]}: qcaps knows {_LIBRARY} alone: lookups of a daemon of this libvirt can be "
            "counted by its log (--uri URI --counting log)"
        )
    raise NoLibvirt(f"{place}: a QEMU driver, but no {library}")


def check_loadable(installation: Installation) -> None:
    """Raise NoLibvirt if library or driver are not for this machine, before anything is started with them."""
    for path in (installation.library, installation.driver):
        with path.open("rb") as file:
            head = file.read(_ELF.size)
        if len(head) < _ELF.size or not head.startswith(b"\x7fELF"):
            raise NoLibvirt(
                f"{path}: no ELF library: name a prefix or a build tree of a libvirt that is built"
            )
        order = ">" if head[5] == _BIG_ENDIAN else "<"
        machine = struct.unpack_from(f"{order}H", head, 18)[0]
        ours = platform.machine()
        theirs = _MACHINES.get((machine, head[4]), f"ELF machine {machine}")
        if theirs != ours:
            raise NoLibvirt(
                f"{path}: is for {theirs}, this machine is {ours}: run qcaps on a machine of its kind, "
                f"or name a libvirt for {ours}"
            )


_ELF: Final = struct.Struct("16sHH")
_BIG_ENDIAN: Final = 2
_MACHINES: Final = {
    (62, 2): "x86_64", (3, 1): "i686", (183, 2): "aarch64", (40, 1): "armv7l", (22, 2): "s390x",
    (21, 2): "ppc64le", (243, 2): "riscv64", (258, 2): "loongarch64", (8, 2): "mips64",
}  # fmt: skip
"""What the kernel calls a machine, by the header's number and whether its words have 32 or 64 bits."""


def _built_in(driver: Path) -> tuple[Path, Path]:
    """Where a libvirt looks for its configuration and keeps its state, from what its driver says."""
    data = driver.read_bytes()
    return tuple(  # type: ignore[return-value]
        Path(os.fsdecode(found[1])) if (found := pattern.search(data)) else Path(default)
        for pattern, default in _BUILT_IN
    )


_BUILT_IN: Final = (
    (re.compile(rb"\0(/[^\0%]{1,4096})/pki/libvirt-vnc\0"), "/etc"),
    (re.compile(rb"\0(/[^\0%]{1,4096})/lib/libvirt/shmem-%s-sock\0"), "/var"),
)
"""Texts of the driver that begin with meson's sysconfdir and localstatedir."""


def _installation(
    driver: Path,
    library: Path,
    daemons: Path,
    environment: Mapping[str, str] | None = None,
    *,
    private: bool = False,
) -> Installation:
    version = _version(library)
    if version < OLDEST:
        raise NoLibvirt(
            f"{library}: libvirt {_version_name(version)} is too old: 6.1.0 or later can be embedded; "
            "an older daemon can be counted by its log (--uri URI --counting log, with a newer client)"
        )
    own = (
        {"LD_LIBRARY_PATH": str(library.parent), "LIBVIRT_DRIVER_DIR": str(driver.parent)} if private else {}
    )
    settings, state = _built_in(driver)
    return Installation(
        library, driver, version, {**own, **(environment or {})}, (daemons, daemons.parent / "bin"),
        (daemons.parent / "bin", daemons.parent / "tools"), settings, state,
    )  # fmt: skip


def _version(library: Path) -> int:
    """From the name of the file: libvirt.so.0.9000.0 is 9.0.0, libvirt.so.0.10010.0 is 10.10.0."""
    name = library.resolve().name
    match = re.fullmatch(r"libvirt\.so\.0\.(\d+)\.(\d+)", name)
    if match is None:
        raise NoLibvirt(f"{library}: cannot tell its version from the file's name, {name}")
    return int(match[1]) * 1_000 + int(match[2])
