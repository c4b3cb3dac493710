"""Run a command on the machine this code runs on (zone P: fetched by targets for `remotesvc exec`).

The command inherits this process's stdout and stderr, which on a target are the capture pipes: its output
streams to the master while it runs, and all of it is there before the exit code is.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from typing import Any, List, Optional, Union

CANNOT_RUN = 126
NOT_FOUND = 127


def run(command: "Union[str, List[str]]", stdin: "Optional[bytes]" = None) -> "int":
    """Run `command`, a line for /bin/sh or a program with its arguments, and return its exit code.

    As a shell has it: 128 + n for one ended by signal n, 127 if there is no such program, 126 if it cannot
    be run. `stdin`: what it reads; None is nothing at all. Processes it leaves in the background are not
    waited for.
    """
    process = _start(command, stdin is not None)
    if isinstance(process, int):
        return process
    if stdin is not None:
        _write(process.stdin, stdin)
        _close(process.stdin)
    return _code_of(process)


def run_fed(command: "Union[str, List[str]]", invitation: "Any") -> "int":
    """`run`, with something to read: what comes through the channel that one is invited to, bytes, and None at the end.

    Where it ends without that, because its sender is gone or gave up, the command is killed before it sees an end: it
    must not take a part for the whole.
    """
    import threading

    from .messages.channel import Channel

    with Channel.join(invitation) as channel:
        process = _start(command, True)
        if isinstance(process, int):
            return process
        # A thread of its own: it may wait for more to read while the command ends.
        threading.Thread(target=_feed, args=(channel, process), name="remotesvc-stdin", daemon=True).start()
        return _code_of(process)


def _start(command: "Union[str, List[str]]", fed: "bool") -> "Union[int, Popen[bytes]]":
    """The process of a command, or the exit code if it cannot be started, which stderr is told."""
    import subprocess
    import sys

    source = subprocess.PIPE if fed else subprocess.DEVNULL
    try:
        # Unbuffered: what has come can be read at once.
        words = ["/bin/sh", "-c", "--", command] if isinstance(command, str) else command  # "-v" is no option of sh's
        return subprocess.Popen(words, 0, stdin=source)
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        name = "/bin/sh" if isinstance(command, str) else command[0]  # that is what could not be started
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(f"{name}: {reason}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN


def _code_of(process: "Popen[bytes]") -> "int":
    code = process.wait()
    return code if code >= 0 else 128 - code


def _feed(channel: "Any", process: "Popen[bytes]") -> "None":
    """Write what comes through a channel; kill the command if that ends without None."""
    for message in channel:
        if message.error is not None:
            break
        if message.value is None or not _write(process.stdin, message.value):
            _close(process.stdin)
            channel.close()  # nobody wants the rest
            return
    process.kill()


def _write(pipe: "Any", data: "bytes") -> "bool":
    """Write all of `data`; False where a command stops reading early, which is nothing unusual."""
    left = memoryview(data)
    try:
        while left:
            left = left[pipe.write(left):]
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _close(pipe: "Any") -> "None":
    try:
        pipe.close()
    except (BrokenPipeError, ConnectionResetError):
        pass
