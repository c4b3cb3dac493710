"""The end of a program that never became a kernel: nothing says that it ends because its input does.

A kernel ends by itself when its link is cut, whatever it is doing. What was started in its place (a wrapper that waits
for something, a shell that hangs in its profile) may go on for ever, and nobody there would know whose it is. The
server kills it for us, with all of its process group: OpenSSH does from 7.9 on, but not what a forced command runs, and
in most versions before 10 not what root runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import paramiko

from .transport import ClientTransport

ENDING = 1.0
"""Seconds for the server to do it. Who closes does not wait for that, nor for a connection that takes nothing."""


def end_program(channel: paramiko.Channel, over: threading.Event, sever: Callable[[], None]) -> bool:
    """Have what runs at the other end of a channel killed, then ``sever()`` the connection, on threads of their own.

    ``over`` is set when the channel has ended. Returns False, and does nothing, where there are no threads for it, or
    there is no transport of ours.
    """
    transport = channel.get_transport()
    if not isinstance(transport, ClientTransport) or not transport.is_active():
        return False

    def ask() -> None:
        try:
            transport.kill(channel)
        except (paramiko.SSHException, EOFError, OSError):
            pass  # the connection is gone, and that is all one can do

    def end() -> None:
        over.wait(ENDING)
        sever()  # which frees one that asks and cannot write, too

    try:
        threading.Thread(target=end, name="remotesvc-ending", daemon=True).start()
        threading.Thread(target=ask, name="remotesvc-ending", daemon=True).start()
    except RuntimeError:  # no more threads, for instance while the interpreter exits
        return False
    return True
