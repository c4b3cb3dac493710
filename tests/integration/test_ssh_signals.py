"""Ctrl-C in the middle of a write over SSH: nobody can tell how far that has come, so the connection ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel import programs

# Calls that are interrupted; the link is met while it writes in one of twenty.
INTERRUPTIONS = 300


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "TimeoutError"])
def test_calls_that_are_interrupted_end_at_worst_with_their_connection(tmp_path: Path, kind: str) -> None:
    script = programs.start(tmp_path, f"""
    import random
    from remotesvc.testing.sshd import EmbeddedServer

    def stop(*_):
        if armed:
            raise {kind}

    def connect():
        return router.ssh("127.0.0.1", user=server.user, port=server.port, key_filename=server.key_file,
                          known_hosts=server.known_hosts_file, ssh_config="none", fresh=True)

    armed = False
    signal.signal(signal.SIGALRM, stop)
    moments = random.Random(1)
    lost = []
    with EmbeddedServer() as server:
        context = connect()
        for _ in range({INTERRUPTIONS}):
            context.call("os:getpid")
            # Again and again: nobody hears of what is raised in a finaliser.
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.0001, 0.005), 0.5)
            try:
                armed = True
                while True:
                    context.call("os:getpid")
            except ({kind}, remotesvc.Lost, remotesvc.NotSent):
                pass
            finally:
                armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            try:
                context.options(timeout=20).call("os:getpid")
            except (remotesvc.Lost, remotesvc.NotSent) as error:
                lost.append(str(error))
                context.close()
                context = connect()
        router.close()
    say(any("interrupted while something was written" in reason for reason in lost))
    """)
    with script:
        assert script.line() == "True"
