"""Files over the links that are there: pushed, pulled and kept in step, whole and verified (zone P).

``Context.push``, ``pull`` and ``sync`` need nothing of this; services of files, and a source for many targets, do::

    from remotesvc.files import FileService, PushFileService, share
"""

from ..exported import export

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .fileservice import FileService as FileService
    from .options import Options as Options
    from .pushed import PushFileService as PushFileService
    from .shared import share as share

export(__name__, {
    "FileService": "remotesvc.files.fileservice",
    "Options": "remotesvc.files.options",
    "PushFileService": "remotesvc.files.pushed",
    "share": "remotesvc.files.shared",
})
