"""What a signal's handler raises, as Ctrl-C does, in the main thread of a program while that calls: wherever it comes,
the call ends with it, and the context goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel import programs
from tests.kernel.contexts import until

# Enough that each place where a call may be has its turn; what a link could not bear it met within ten or twenty.
INTERRUPTIONS = 250

HEAD = """
    import random

    class Stopped(BaseException):
        pass

    def stop(*_):
        if armed:
            raise Stopped

    armed = False
    signal.signal(signal.SIGALRM, stop)
    context = router.local()
    context.call("os:getpid")
"""


@pytest.mark.parametrize("what", [
    "context.call('builtins:abs', -1)",
    "next(context.call(called.count, 3))",
    "context.call('builtins:bytes', 200000)",
    "context.call('builtins:len', bytes(200000))",
    "context.submit('builtins:abs', -1).result()",
    "context.submit('builtins:abs', -1).exception()",
])
def test_interrupted_calls(tmp_path: Path, what: str) -> None:
    script = programs.start(tmp_path, HEAD + f"""
    moments = random.Random(1)
    for _ in range({INTERRUPTIONS} * (8 if "submit" in {what!r} else 1)):  # there it takes hundreds
        # Again and again: nobody hears of what is raised in a finaliser.
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.0001, 0.004), 0.5)
        try:
            armed = True
            while True:
                {what}
        except Stopped:
            armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert context.options(timeout=20).call("builtins:abs", -3) == 3
    say("fine")
    router.close()
    """)
    with script:
        assert script.line() == "fine"


@pytest.mark.parametrize("kind", ["TimeoutError", "ValueError"])
def test_a_time_limit_by_a_signal_is_the_callers_and_the_context_goes_on(tmp_path: Path, kind: str) -> None:
    """Some of these exceptions were lost, and with them the context, two seconds later."""
    script = programs.start(tmp_path, HEAD.replace("BaseException", kind) + """
    moments = random.Random(1)
    for _ in range(1000):
        # Again and again: nobody hears of what is raised in a finaliser, or where bytes are taken to be malformed.
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.0001, 0.004), 0.05)
        try:
            armed = True
            while True:
                context.call("builtins:abs", -1)
        except Stopped:
            armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert router.kernel.links[context.id].broken is None
    say("fine")
    router.close()
    """)
    with script:
        assert script.line() == "fine"


@pytest.mark.parametrize("how", ["call", "submit"])
@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "TimeoutError"])
def test_a_call_that_is_written_when_a_handler_raises_is_cancelled_there(tmp_path: Path, kind: str, how: str) -> None:
    """After an Exception nobody told the target, where the function ran on."""
    begun, told = tmp_path / "begun", tmp_path / "told"
    script = programs.start(tmp_path, HEAD.replace("BaseException", kind) + f"""
    link = router.kernel.links[context.id]
    send = link.send

    def late(*frame):
        link.send = send
        send(*frame)
        while not os.path.exists({str(begun)!r}):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    link.send, armed = late, True
    try:
        context.{how}(called_waiting.wait_cancelled, {str(begun)!r}, {str(told)!r})
    except Stopped:
        say("stopped")
    input()
    router.close()
    """)
    with script:
        assert script.line() == "stopped"
        until(told.exists)


def test_a_call_near_the_recursion_limit_ends_alone(tmp_path: Path) -> None:
    """It ended the context, with every other call there."""
    script = programs.start(tmp_path, """
    def deep(levels):
        return deep(levels - 1) if levels else context.call("builtins:abs", -1)

    context = router.local()
    other = context.submit("time:sleep", 0.1)
    limited = 0
    for levels in range(sys.getrecursionlimit() - 120, sys.getrecursionlimit()):
        try:
            deep(levels)
        except RecursionError:
            limited += 1
    assert limited > 10
    assert router.kernel.links[context.id].broken is None
    say(other.result(20), context.call("builtins:abs", -3))
    router.close()
    """)
    with script:
        assert script.line() == "None 3"


def test_the_room_of_large_arguments_that_were_interrupted_is_free_again(tmp_path: Path) -> None:
    script = programs.start(tmp_path, HEAD + """
    from remotesvc.bootstrap.links.wire import DYNAMIC

    def poke():
        # A large message has a stream of its own, which lasts until it has been sent.
        while not any(stream >= DYNAMIC for _, stream in list(router.kernel.streams._outgoing)):
            pass
        os.kill(os.getpid(), signal.SIGALRM)

    large = bytes(100 << 20)  # two of these are all there may be on their way to one process
    for _ in range(4):
        helper = threading.Thread(target=poke)
        helper.start()
        try:
            armed = True
            context.call("builtins:len", large)
        except Stopped:
            armed = False
        helper.join()
    say(context.options(timeout=60).call("builtins:len", large))
    router.close()
    """)
    with script:
        assert script.line() == str(100 << 20)
