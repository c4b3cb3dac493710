"""What a command on hosts reads: our standard input, as it comes."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from remotesvc.bootstrap.errors import Cancelled, Error

from .stdin import StandardInput

if TYPE_CHECKING:
    from .visit import Visit

_FN = "remotesvc.shell:run_fed"
_PIECE = 128 * 1024
_LOOK = 0.5
"""Seconds between two looks whether a command that waits for more has ended."""


class Feed:
    """Standard input for the commands of a run.

    With `again` each of several hosts, or a host that is tried anew, has it from its beginning, whenever its turn
    comes: what was read is kept in a temporary file without a name. Else it goes to the one host, and is kept nowhere.
    """

    def __init__(self, again: bool) -> None:
        self._source = StandardInput()
        self._kept = _Kept(self._source) if again else None

    def run(self, visit: Visit, command: str | list[str]) -> int:
        """The exit code of a command that is fed. Raises what its call does, and OSError if there is no reading on."""
        from remotesvc.messages.channel import Channel
        from remotesvc.messages.errors import WaitTimeout

        router: Any = visit.session.router
        channel, ended = Channel(router, visit.context), threading.Event()
        failures: list[OSError] = []
        pieces = self._kept.pieces(ended.is_set) if self._kept is not None else iter(self._source.read, b"")
        threading.Thread(target=_pour, args=(pieces, channel, failures), name="remotesvc-stdin", daemon=True).start()
        try:
            code: int = visit.call(_FN, command, channel.invitation)
        finally:
            ended.set()
            if self._kept is None:
                self._source.stop()
            with suppress(WaitTimeout):  # what is sent just now is not taken any more: the command is gone, or goes
                channel.close(0)
            if failures:
                raise failures[0]
        return code

    def close(self) -> None:
        """No command reads any more."""
        self._source.stop()


def _pour(pieces: Iterator[bytes], channel: Any, failures: list[OSError]) -> None:
    """Send all pieces, and then the end: a command whose input ends without is killed there, for it must not take a
    part for the whole."""
    try:
        for piece in pieces:
            channel.send(piece)
        channel.send(None)
    except OSError as error:
        if isinstance(error, Error):
            return
        failures.append(error)
        channel.close()
    except Error:
        pass  # the command has ended, or its host is gone: the call says so


class _Kept:
    """All that came of standard input, for readers that each begin at its beginning."""

    def __init__(self, source: StandardInput) -> None:
        self._source = source
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as we do)
        self._size = 0
        self._ended = False
        self._failure: OSError | None = None
        self._news = threading.Condition()
        threading.Thread(target=self._fill, name="remotesvc-stdin-kept", daemon=True).start()

    def _fill(self) -> None:
        failure = None
        try:
            while piece := self._source.read():
                self._file.write(piece)
                self._file.flush()
                with self._news:
                    self._size += len(piece)
                    self._news.notify_all()
        except Cancelled:
            return
        except OSError as error:
            failure = OSError(error.errno, f"here: {error.strerror}, of standard input or what is kept of it in"
                                           f" {tempfile.gettempdir()}")
        with self._news:
            self._ended, self._failure = True, failure
            self._news.notify_all()

    def pieces(self, unwanted: Callable[[], bool]) -> Iterator[bytes]:
        """All of it, as it comes. Raises OSError, and Cancelled once it is `unwanted`."""
        at = 0
        while True:
            with self._news:
                while at == self._size and not self._ended:
                    if unwanted():
                        raise Cancelled("the command has ended")
                    self._news.wait(_LOOK)
                size = min(self._size - at, _PIECE)
                if not size:
                    if self._failure is not None:
                        raise self._failure
                    return
            yield os.pread(self._file.fileno(), size, at)
            at += size
