"""What a router logs in with: private keys, each file read and its passphrase asked for once for all hosts."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..interview import Asking, Interview

if TYPE_CHECKING:
    import paramiko

    from remotesvc.bootstrap.data.secret import Secret

    from ..terminal import Questions

TRIES = 3
"""How often a person may mistype a passphrase: OpenSSH's default."""


class _Slot:
    """One key file. The lock is held while a person is asked: the other hosts wait for that answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state: tuple[int, ...] = ()
        self.key: paramiko.PKey | None = None
        self.refused = ""

    @contextlib.contextmanager
    def held(self, interview: Interview) -> Iterator[None]:
        """Have it alone. That another connection asks for its passphrase is no time of this one's."""
        if not self.lock.acquire(blocking=False):
            with interview.patience():
                self.lock.acquire()
        try:
            yield
        finally:
            self.lock.release()


class KeyRing:
    """Private keys by file, and who may be asked for what opens them (`questions`; None: nobody).

    A file that changed is read again. Used from any thread.
    """

    def __init__(self, questions: Questions | None = None) -> None:
        self.questions = questions
        self.asking = Asking()
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def load(
        self, path: str, passphrase: Secret | None, interview: Interview, tries: int = TRIES
    ) -> paramiko.PKey:
        """The private key in `path`, decrypted with `passphrase` or with what is answered to `tries` prompts.

        Raises keyfile.Unusable. Who was asked in vain is not asked again for the same file.
        """
        from . import keyfile

        with self._lock:
            slot = self._slots.setdefault(os.path.realpath(path), _Slot())
        with slot.held(interview):
            state = _state(path)
            if state != slot.state:
                slot.state, slot.key, slot.refused = state, None, ""
            if slot.key is None:
                try:
                    slot.key = keyfile.load(path, None if passphrase is None else passphrase.reveal())
                except keyfile.Encrypted:
                    if slot.refused:
                        raise keyfile.Encrypted(slot.refused) from None
                    if not interview.possible:
                        raise
                    slot.key = self._ask(path, interview, tries, slot)
            return slot.key

    def _ask(self, path: str, interview: Interview, tries: int, slot: _Slot) -> paramiko.PKey:
        from . import keyfile

        refused = "encrypted, and no passphrase was given"
        prompt = f"Passphrase for key {ascii(path)[1:-1]}: "
        for _ in range(tries):
            passphrase = interview.secret(prompt)
            if not passphrase:
                break
            try:
                return keyfile.load(path, passphrase)
            except keyfile.WrongPassphrase as error:
                refused = str(error)
                prompt = f"That does not open it. Passphrase for key {ascii(path)[1:-1]}: "
        slot.refused = refused  # not after Ctrl-C: the next one is asked then
        raise keyfile.Encrypted(refused)


def _state(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return (0,)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
