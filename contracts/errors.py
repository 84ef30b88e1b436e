"""Every error that Headrace raises on purpose, in one tree.

A message says what was asked, what was found, and what to do.
"""


class HeadraceError(Exception):
    """Root of the tree; the command line prints it without a traceback."""


class BadInput(HeadraceError):
    """What was handed in cannot be used: an option, a setting, a file, a request."""


class MissingInput(HeadraceError):
    """A partition, a bundle or a program that the work needs is not there."""


class CorruptData(HeadraceError):
    """Bytes do not have the digest or the layout that their manifest promises."""


class GateRefused(HeadraceError):
    """A quality gate refused; what was published keeps serving."""


class StoreUnavailable(HeadraceError):
    """Redis did not answer within its deadline, or its answer was not Redis."""


class StoreRefused(HeadraceError):
    """Redis answers, but must not be written to: it would evict, or has no room."""


class StaleWriter(HeadraceError):
    """A newer version or a newer writer already holds the pointer."""
