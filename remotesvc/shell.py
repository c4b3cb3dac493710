"""Run a command on the machine this code runs on (zone P: fetched by targets for `remotesvc exec`).

The command inherits this process's stdout and stderr, which on a target are the capture pipes: its output
streams to the master while it runs, and all of it is there before the exit code is.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, List, Optional, Union

CANNOT_RUN = 126
NOT_FOUND = 127


def run(command: "Union[str, List[str]]", stdin: "Optional[bytes]" = None) -> "int":
    """Run `command`, a line for /bin/sh or a program with its arguments, and return its exit code.

    As a shell has it: 128 + n for one ended by signal n, 127 if there is no such program, 126 if it cannot
    be run. `stdin`: what it reads; None is nothing at all. Processes it leaves in the background are not
    waited for.
    """
    import subprocess
    import sys

    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    try:
        process = subprocess.Popen(command, shell=isinstance(command, str), stdin=source)
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        name = "/bin/sh" if isinstance(command, str) else command[0]  # that is what could not be started
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(f"{name}: {reason}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    if stdin is not None and process.stdin is not None:
        _feed(process.stdin, stdin)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _feed(pipe: "IO[bytes]", data: "bytes") -> "None":
    """Write all of `data`; a command that stops reading early is nothing unusual."""
    try:
        pipe.write(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        pipe.close()
    except (BrokenPipeError, ConnectionResetError):
        pass
