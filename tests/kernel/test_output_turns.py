"""What one host prints is shown in turn with what others do: slow to show, it keeps nobody else's calls waiting."""

from __future__ import annotations

import threading

from remotesvc import OutputEvent, Router
from tests.kernel.contexts import LIMIT


def test_output_that_is_shown_slowly_keeps_only_its_own_calls_waiting() -> None:
    shown: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def show(event: OutputEvent) -> None:
        shown.append(event.data)
        if event.data == "first\n":
            begun.set()
            assert go_on.wait(2 * LIMIT)

    with Router(on_output=show) as router:
        slow, other = router.local(), router.local()
        printed = slow.submit("builtins:print", "first")
        assert begun.wait(LIMIT)
        assert other.submit("os:getpid").result(LIMIT) == other.info["pid"]
        assert not printed.done(), "what it printed is shown before it has ended"
        own = other.submit("builtins:print", "other's")
        go_on.set()
        printed.result(LIMIT)
        own.result(LIMIT)
    assert shown == ["first\n", "other's\n"]
