"""Ask many hosts at once and take answers as they come: `python scatter_gather.py web1 web2 web3`.

Without hosts it starts four processes on this machine, one of which ends in the middle of its work: its place in the
result is the error that names it, and all others answer. Each host also tells of its progress by messages; one Select
waits for the answers and for the messages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import remotesvc


def survey(progress: remotesvc.Sender, fails: bool = False) -> dict[str, Any]:
    """On the host: some facts, told in steps."""
    import os
    import platform

    with progress:
        progress.send("processors")
        facts: dict[str, Any] = {"processors": os.cpu_count()}
        if fails:
            os._exit(1)
        progress.send("system")
        facts["system"] = platform.system()
    return facts


def gather(
    router: remotesvc.Router, contexts: Iterable[remotesvc.Context], failing: remotesvc.Context | None = None
) -> dict[str, Any]:
    """The facts of each, or what went wrong instead."""
    answers: dict[str, Any] = {}
    with remotesvc.Select() as select:
        for context in contexts:
            progress = remotesvc.Receiver(router, source=context)
            select.add(progress, key="progress")
            select.add(context.submit(survey, progress.sender(), context is failing), key=context.name)
        for event in select:
            if event.key == "progress":
                print("  " + (str(event.error) if event.error else f"{event.data.src.name}: {event.value}"))
            else:
                answers[event.key] = event.error or event.value
    return answers


def main(hosts: list[str]) -> None:
    with remotesvc.Router() as router:
        contexts = [router.connect(host) for host in hosts] or [router.local(name=f"local{n}") for n in range(1, 5)]
        for name, answer in sorted(gather(router, contexts, None if hosts else contexts[2]).items()):
            print(answer if isinstance(answer, BaseException) else f"{name}: {answer}")


if __name__ == "__main__":
    main(sys.argv[1:])
