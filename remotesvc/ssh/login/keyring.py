"""What a router logs in with: private keys, each file read and its passphrase asked for once for all hosts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

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


class KeyRing:
    """Private keys by file, and who may be asked for what opens them (`questions`; None: nobody).

    A file that changed is read again. Used from any thread.
    """

    def __init__(self, questions: Questions | None = None) -> None:
        self.questions = questions
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def load(
        self, path: str, passphrase: Secret | None, ask: Callable[[str], str | None] | None, tries: int = TRIES
    ) -> paramiko.PKey:
        """The private key in `path`, decrypted with `passphrase` or with what `ask` answers to `tries` prompts.

        Raises keyfile.Unusable. Who was asked in vain is not asked again for the same file.
        """
        from . import keyfile

        with self._lock:
            slot = self._slots.setdefault(os.path.realpath(path), _Slot())
        with slot.lock:
            state = _state(path)
            if state != slot.state:
                slot.state, slot.key, slot.refused = state, None, ""
            if slot.key is None:
                try:
                    slot.key = keyfile.load(path, None if passphrase is None else passphrase.reveal())
                except keyfile.Encrypted:
                    if slot.refused:
                        raise keyfile.Encrypted(slot.refused) from None
                    if ask is None:
                        raise
                    slot.key = self._ask(path, ask, tries, slot)
            return slot.key

    def _ask(self, path: str, ask: Callable[[str], str | None], tries: int, slot: _Slot) -> paramiko.PKey:
        from . import keyfile

        slot.refused = "encrypted, and no passphrase was given"
        prompt = f"Passphrase for key {ascii(path)[1:-1]}: "
        for _ in range(tries):
            passphrase = ask(prompt)
            if not passphrase:
                break
            try:
                return keyfile.load(path, passphrase)
            except keyfile.WrongPassphrase as error:
                slot.refused = str(error)
                prompt = f"That does not open it. Passphrase for key {ascii(path)[1:-1]}: "
        raise keyfile.Encrypted(slot.refused)


def _state(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return (0,)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
