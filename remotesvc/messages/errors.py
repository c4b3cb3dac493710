"""The errors of waiting for messages."""

from ..bootstrap.errors import Error


class Closed(Error):
    """Nothing more will come: it was closed here, or everyone who could write to it has ended."""


class WaitTimeout(Error, TimeoutError):
    """What was waited for did not happen within the timeout; nothing is lost by that."""
