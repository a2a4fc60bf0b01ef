"""The places where a task needs to know what QEMU can do."""

from __future__ import annotations

import enum


class Site(enum.Enum):
    """A place in a phase that needs capabilities; the value is its name in results and `explain`.

    The split follows libvirt: which of these look up for themselves is what its releases, and the steps of
    the 2018 series, differ in.
    """

    POST_PARSE = "post-parse"
    """Domain post-parse: default machine, implicit devices."""
    POST_PARSE_DEVICE = "post-parse device"
    """Post-parse of one device: its defaults."""
    ADDRESSES = "assign addresses"
    VALIDATE_PREPARE = "prepare validation"
    """Where patch 8 of the series takes capabilities for the whole of validation; no site before it."""
    VALIDATE = "validate domain"
    VALIDATE_DEVICE = "validate device"
    PROCESS_INIT = "process init"
    """The first thing a start does."""
    START_VALIDATE = "start: validate domain"
    START_VALIDATE_DEVICE = "start: validate device"
    TRANSIENT_COPY = "transient copy"
    """A start keeps a copy of the persistent definition."""
    DEVICE_PARSE = "parse device"
    """Attach and detach: post-parse of the device in hand."""
    DEVICE_PARSE_VALIDATE = "validate parsed device"
    DEVICE_COPY = "copy device"
    """A device that goes into both the running and the persistent definition is copied."""
    DOMAIN_COPY = "copy domain"
    """Attach and detach work on a copy of the persistent definition."""
    RE_POST_PARSE = "re-post-parse"
    """Post-parse of the copy with the device in it."""
