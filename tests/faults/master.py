"""A master in a process of its own, to be killed: `python -m tests.faults.master OPTIONS MARKER`.

OPTIONS is JSON for `Router.ssh`. Its target gets a call that computes for minutes and a process that sleeps; then it
says "ready" and does nothing more.
"""

from __future__ import annotations

import json
import signal
import sys

from remotesvc import Router
from tests.faults import there
from tests.kernel import called_processes


def main(options: str, marker: str) -> None:
    context = Router().ssh(**json.loads(options))
    context.submit(there.busy_not_reading, marker, 300)
    context.call(called_processes.spawn_sleep)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
