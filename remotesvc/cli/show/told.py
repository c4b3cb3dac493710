"""An error in parts, whatever class it is of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remotesvc.bootstrap.failures.callerror import CallError

if TYPE_CHECKING:
    from remotesvc.bootstrap.failures.callerror import Frames

_SAYS = {
    "config": "ssh", "tcp": "what was to connect us", "become": "what was to let us in", "exec": "what was to start it",
}  # fmt: skip
"""Whose words an error quotes, by the stage that failed; after these stages they are the target's."""
_TEXTS = ("message", "reason", "stage", "hint", "diagnostics")


@dataclass(frozen=True)
class Told:
    """What an error tells; of what it has none of, "" or ().

    type: the class raised on the target, or the class of an error of our own, which has one name on both sides.
    message: without the host in front of it, for who shows it has a label. reason: the same for hosts that fail alike.
    stage, hint, diagnostics: as of a ConnectError. frames: as of a CallError.
    """

    type: str
    message: str
    reason: str
    stage: str
    hint: str
    diagnostics: str
    frames: Frames

    @classmethod
    def of(cls, error: BaseException) -> Told:
        """The parts of this one. A user's error may have attributes of these names that are something else."""
        texts = {name: text for name in _TEXTS if isinstance(text := getattr(error, name, None), str)}
        message = texts["message"] if "message" in texts else str(error)
        frames = error.frames if isinstance(error, CallError) else ()
        return cls(_type(error), message, texts.get("reason", message), texts.get("stage", ""), texts.get("hint", ""),
                   texts.get("diagnostics", ""), frames)

    @property
    def speaker(self) -> str:
        """Who said the diagnostics."""
        return _SAYS.get(self.stage, "the target")


def _type(error: BaseException) -> str:
    name = (isinstance(error, CallError) and error.type_name) or type(error).__name__
    return name.rpartition(".")[2] if name.startswith("remotesvc.") else name
