"""What can go wrong with a transfer besides what a disk or a link says of itself.

    Error
      TransferError: a transfer ended without its file
        SourceChanged   the file changed while it was read; nothing of it was kept
        DigestMismatch  what arrived is not what was sent
        TransferStalled         (a TimeoutError) the other side neither took nor sent anything for the idle timeout
        TransferRefused         a name, an entry or a request that is not allowed here
"""

from ..bootstrap.errors import Error


class TransferError(Error):
    """A transfer ended without its file."""


class SourceChanged(TransferError):
    """The source changed while it was read: what was sent so far is thrown away."""


class DigestMismatch(TransferError):
    """What arrived is not what was sent."""


class TransferStalled(TransferError, TimeoutError):
    """The other side did nothing for longer than the idle timeout."""


class TransferRefused(TransferError):
    """Something that this side does not allow: a name that leads elsewhere, a limit, a file that is none."""


# What a target may raise so that it arrives as itself.
RAISES = (TransferError, SourceChanged, DigestMismatch, TransferStalled, TransferRefused)
