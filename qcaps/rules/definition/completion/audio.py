"""The default audio backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.devices import Audio, Graphics

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


def add_default(draft: Draft) -> None:
    """One backend for all sound: SPICE's where the last display that can carry sound is SPICE, else none.

    SDL plays on the host, by a backend that libvirt's own environment names: without it, none is added.

    Follows: qemuDomainDefAddDefaultAudioBackend, qemuDomainDefSuggestDefaultAudioBackend
    """
    if draft.of(Audio):
        return
    graphics = draft.of(Graphics)
    backend: Any = None if graphics else "none"
    through_host = False
    for one in graphics:
        if one.type == "vnc":
            backend, through_host = "none", False
        elif one.type == "spice":
            backend, through_host = "spice", False
        elif one.type == "sdl":
            backend, through_host = backend or "none", True
    if backend is not None and not through_host:
        draft.of(Audio).append(Audio(id=1, type=backend))
