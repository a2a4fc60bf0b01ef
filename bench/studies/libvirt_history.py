r"""A repository of libvirt whose history is known: what to hold `gate` and `bisect` of revisions against.

    apt-get source --download-only libvirt        with a deb-src line; then, of what is in the .orig.tar.xz:
    python bench/studies/libvirt_history.py SOURCE

makes SOURCE (an unpacked 9.0.0) a repository: `main` has 12 commits, all harmless but one, tagged `planted`,
which looks up once more a device; `shared`, one commit on the first, tagged `first`, looks up once for the
whole of validation. Edits are made by place and in words of our own. What builds it, and little else:

    meson setup build -Dauto_features=disabled -Ddriver_qemu=enabled -Ddriver_libvirtd=enabled \
        -Ddriver_remote=enabled -Dyajl=enabled -Dsystem=true -Dgit_werror=disabled &&
    ninja -C build src/libvirt.so.0.9000.0 src/libvirt_driver_qemu.so
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import NamedTuple

_COMMITS, _PLANTED = 12, 7
_HARMLESS = ("src/qemu/qemu_hotplug.c", "src/qemu/qemu_agent.c", "src/util/virbitmap.c", "NEWS.rst")


class Edit(NamedTuple):
    """Before the first `anchor` below `after` in a file, `text`; with `instead`, in its place."""

    file: str
    after: str
    anchor: str
    text: str
    instead: bool = False


MORE = (
    Edit(
        "src/qemu/qemu_validate.c",
        "\nqemuValidateDomainDeviceDef(",
        "    if (qemuValidateDomainDeviceInfo(",
        "    virObjectUnref(virQEMUCapsCacheLookup(driver->qemuCapsCache, def->emulator));\n\n",
    ),
)
_WHOLE = "src/conf/domain_validate.c"
SHARED = (
    Edit(
        _WHOLE,
        "DOMAIN_DEVICE_ITERATE_MISSING_INFO",
        "\n\nstatic int\nvirDomainNetDefValidatePortOptions(",
        """

int
virDomainDefValidate(virDomainDef *def,
                     unsigned int parseFlags,
                     virDomainXMLOption *xmlopt,
                     void *parseOpaque)
{
    void *own = NULL;
    int rc;

    if (!parseOpaque && xmlopt->config.domainPostParseDataAlloc &&
        !(parseFlags & VIR_DOMAIN_DEF_PARSE_SKIP_VALIDATE))
        ignore_value(xmlopt->config.domainPostParseDataAlloc(def, parseFlags,
                                                             xmlopt->config.priv, &own));
    rc = virDomainDefValidateAll(def, parseFlags, xmlopt, own ? own : parseOpaque);
    if (own && xmlopt->config.domainPostParseDataFree)
        xmlopt->config.domainPostParseDataFree(own);
    return rc;
}
""",
    ),
    Edit(
        _WHOLE, "struct virDomainDefValidateDeviceIteratorData", "int\nvirDomainDefValidate(",
        "static int\nvirDomainDefValidateAll(", instead=True,
    ),
)  # fmt: skip


def main() -> None:
    """Make the repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    source = parser.parse_args().source
    git(source, "init", "-q", "-b", "main")
    commit(source, "libvirt as it came")
    git(source, "tag", "first")
    for number in range(1, _COMMITS + 1):
        if number == _PLANTED:
            edit(source, MORE)
            commit(source, "Look up once more a device")
            git(source, "tag", "planted")
            continue
        path = source / _HARMLESS[number % len(_HARMLESS)]
        mark = f"/* harmless {number} */\n" if path.suffix == ".c" else f"\n.. harmless {number}\n"
        path.write_text(path.read_text() + mark)
        commit(source, f"A harmless edit: {path.name}")
    git(source, "checkout", "-q", "-b", "shared", "first")
    edit(source, SHARED)
    commit(source, "Look up once for the whole of validation")
    git(source, "checkout", "-q", "main")


def edit(source: Path, edits: tuple[Edit, ...]) -> None:
    """Make the edits of a commit. Raises ValueError for a source that has not what they look for."""
    for one in edits:
        path = source / one.file
        text = path.read_text()
        place = text.index(one.anchor, text.index(one.after))
        rest = text[place + len(one.anchor) :] if one.instead else text[place:]
        path.write_text(text[:place] + one.text + rest)


def commit(source: Path, subject: str) -> None:
    """All there is, as a commit."""
    git(source, "add", "-A", ".")
    git(source, "-c", "user.name=study", "-c", "user.email=study@localhost", "commit", "-qm", subject)


def git(source: Path, *arguments: str) -> None:
    """Run git in the source."""
    subprocess.run(["git", "-C", str(source), *arguments], check=True)


if __name__ == "__main__":
    main()
