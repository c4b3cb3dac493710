"""The `remotesvc` command: dispatches to the commands, and turns what goes wrong into a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click
from click.core import ParameterSource

import remotesvc

from . import exitcodes
from .configuration import Defaults
from .hosts import MakeRouter, make_router
from .lazy import LazyGroup
from .problems import BadUsage, OurError
from .show.console import Console
from .show.stream import Stream, leave_streams_quietly

_COMMANDS = "remotesvc.cli.commands."
_PLACES = {
    "run": (_COMMANDS + "run:run", "Call MODULE:FUNCTION on each host and print what it returns."),
    "call": (_COMMANDS + "call:call", "Call a METHOD of the SERVICE on each host and print what it returns."),
    "services": (_COMMANDS + "call:services",
                 "Start the named services on each host and list what is active: methods, calls, queue lengths."),
    "jobs": (_COMMANDS + "jobs:jobs",
             "List the detached jobs on each host, or show the output and the result of the one with an ID."),
    "exec": (_COMMANDS + "exec_:exec_", "Run COMMAND on each host."),
    "push": (_COMMANDS + "push:push", "Copy each SRC to DST on every host."),
    "pull": (_COMMANDS + "pull:pull", "Copy each SRC of every host to DST here."),
    "sync": (_COMMANDS + "sync:sync",
             "Make the directory DST on every host what SRC is here, sending only what differs."),
    "ping": (_COMMANDS + "ping:ping",
             "Connect to each host, start Python there, and print how long that and one round trip took."),
    "doctor": (_COMMANDS + "doctor:doctor",
               "Take every step towards each host, say how long it took, and for the one that fails what to do."),
    "facts": (_COMMANDS + "facts:facts",
              "Print what each host says of itself: system, Python, processors, memory, disks."),
    "hosts": (_COMMANDS + "hosts:hosts",
              "Print the hosts that PATTERN stands for, a line each, in the order they would be worked on."),
    "trust": (_COMMANDS + "trust:trust",
              "Ask each host for its key, show the fingerprint, and note it in known_hosts if it is new and you"
              " agree."),
    "demo": (_COMMANDS + "demo:demo",
             "Start an SSH server inside this process and run functions on it, over real SSH."),
    "completion": (_COMMANDS + "completion:completion", "Print the completion script for SHELL."),
}  # fmt: skip

_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Ways in which writing fails that are no error of the program; click's writing of help texts included."""


@click.group(cls=LazyGroup, places=_PLACES,
             context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})  # fmt: skip
@click.version_option(remotesvc.__version__, "-V", "--version", prog_name="remotesvc", message="%(prog)s %(version)s")
def cli() -> None:
    """Call your Python functions on any machine you can reach over SSH.

    Nothing has to be installed there but Python 3.6 or newer. Results go to stdout, everything else to
    stderr.
    """


def main(argv: Sequence[str] | None = None, make_router: MakeRouter = make_router) -> int:
    """Run the command line and return the exit code (`exitcodes`). Tests make a router of their own."""
    try:
        return _invoke(argv, make_router)
    except KeyboardInterrupt:
        return exitcodes.INTERRUPTED
    finally:
        leave_streams_quietly()


def _invoke(argv: Sequence[str] | None, make_router: MakeRouter) -> int:
    from remotesvc.bootstrap.errors import UsageError
    from remotesvc.bootstrap.unreachable import ConnectError

    console = Console(Stream(sys.stdout, color=False), Stream(sys.stderr, color=False))
    default_map = Defaults(cli, os.environ, console.note)
    if "_REMOTESVC_COMPLETE" in os.environ:  # a shell asks
        from . import completing  # noqa: F401  # which has a bash of its own
    try:
        code = cli.main(args=argv, prog_name="remotesvc", standalone_mode=False, obj=make_router,
                        default_map=default_map)
        return code if isinstance(code, int) else exitcodes.OK
    except click.UsageError as error:
        _show(error)
        origin = _origin(error, default_map)
        if origin:
            console.note(origin)
        return exitcodes.USAGE
    except click.Abort:
        return exitcodes.INTERRUPTED
    except click.ClickException as error:
        _show(error)
        return exitcodes.ERROR
    except (BadUsage, UsageError) as error:
        from remotesvc.fleet.matcher import NoMatch

        console.error("remotesvc", str(error))
        # NoMatch is no wrong usage: there is just nobody to work on.
        return exitcodes.ERROR if isinstance(error, NoMatch) else exitcodes.USAGE
    except (OurError, ConnectError) as error:
        console.error("remotesvc", str(error))
        return exitcodes.ERROR
    except SystemExit:  # click's word for a reader of stdout that is gone: --help into a pager that was closed
        return exitcodes.OK
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_WRITTEN:
            console.error("remotesvc", f"cannot write the results: {error}")
        else:
            console.error("remotesvc", "an error of remotesvc itself; please report it\n" + traceback.format_exc())
        return exitcodes.ERROR


def _show(error: click.ClickException) -> None:
    with suppress(OSError):  # a full disk behind stderr: the exit code says it
        error.show()


def _origin(error: click.UsageError, default_map: Defaults) -> str:
    """Where a wrong value came from, if the user did not type it."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return ""
    source = error.ctx.get_parameter_source(error.param.name or "")
    if source is ParameterSource.DEFAULT_MAP:
        file = default_map.files[error.ctx.info_name or "", error.param.name or ""]
        return f"That value was not typed: it stands in {file}."
    if source is ParameterSource.ENVIRONMENT:
        names = error.param.envvar or ()
        name = names if isinstance(names, str) else next((name for name in names if os.environ.get(name)), "")
        return f"That value was not typed: it stands in {name} of the environment."
    return ""
