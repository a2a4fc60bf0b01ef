"""The two ways qcaps fails; both become one line on standard error in `qcaps.commands.main`.

QcapsError            something is wrong with the input or the machine (exit status 1)
└── UsageError        the command was called wrongly (exit status 2)
"""

from __future__ import annotations


class QcapsError(Exception):
    """A failure a user can act on: one line that names the file, the place in it, and what to do."""

    exit_status = 1


class UsageError(QcapsError):
    """The command line cannot be carried out as given."""

    exit_status = 2
