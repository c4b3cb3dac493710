"""Pure but for the clock: where the time went of a connection that failed, said in its error."""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional

    from ..bootstrap.unreachable import ConnectError


def note_times(error: "ConnectError", started: "float", phases: "Optional[Dict[str, float]]" = None) -> "None":
    """Say in an error its stage and where the time since ``started`` went; once, by whoever is nearest to the cause.

    ``phases`` are the seconds of the stages that came to an end.
    """
    if error.phases:
        return
    phases = phases or {}
    spent = max(time.monotonic() - started, 0.0)
    stages = ": " + ", ".join("%s %.2f" % phase for phase in phases.items()) if phases else ""
    error.reason = error.message
    error.message += " (stage %s, after %.2f s%s)" % (error.stage, spent, stages)
    error.phases = dict(phases)
    error.phases[error.stage] = max(spent - sum(phases.values()), 0.0)
