"""What can go wrong with a detached job besides what its function raised."""

from ..bootstrap.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class JobError(Error):
    """There is no such job, its records cannot be kept or are damaged, or it could not begin: the message says which.
    """

    def __init__(self, message: "str" = "", host: "Optional[str]" = None) -> "None":
        super().__init__(message)
        self.message = message
        self.host = host

    def __str__(self) -> "str":
        return "%s: %s" % (self.host, self.message) if self.host else self.message


# What a target may raise so that it arrives as itself.
RAISES = (JobError,)
