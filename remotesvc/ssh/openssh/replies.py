"""What `ssh` is answered when it asks: by a secret that was given, or by the person who sits here."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from remotesvc.bootstrap.data.secret import Secret
from remotesvc.escape import neutralise

from ..configuration.options import SSHOptions
from ..interview import Asking
from ..login.keyring import TRIES, KeyRing
from ..terminal import Questions

_PASSPHRASE = re.compile(r"Enter passphrase for (?:key )?'?(.*?)'?: ?\Z", re.S)
_BY_PASSWORD = ("password", "keyboard-interactive")
_HOST_KEY = "continue connecting (yes/no"


@dataclass(frozen=True)
class Asked:
    """One question. `kind` is what SSH_ASKPASS_PROMPT says: "", "confirm", or "none" for what wants no answer."""

    kind: str
    text: str


class Secretary:
    """What one router's `ssh` processes are told: each passphrase is asked for once. Thread-safe."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._passphrases: dict[str, str] = {}  # by key file
        self._lock = threading.Lock()

    @property
    def questions(self) -> Questions | None:
        """Who may be asked; None: nobody."""
        return self._keys.questions

    @property
    def asking(self) -> Asking:
        """What was answered."""
        return self._keys.asking

    def passphrase(self, path: str, text: str, again: bool) -> str | None:
        """The passphrase of a key file; None if there is nobody who knows. `again`: the last one did not open it."""
        if self.questions is None:
            return None
        with self._lock:  # held while a person is asked: the others wait for that answer
            if again or path not in self._passphrases:
                self._passphrases.pop(path, None)
                found = self.questions.secret(text)
                if not found:
                    return None
                self._passphrases[path] = found
            return self._passphrases[path]


class Replies:
    """What one `ssh` is answered.

    `marks`: it puts the name of whoever asks in front of what a server asks. One that does not may be passing on the
    words of a jump host, which can be those that ssh asks for a passphrase with: a person has to judge them.
    """

    def __init__(self, options: SSHOptions, secretary: Secretary, marks: bool = True) -> None:
        self._options = options
        self._marks = marks
        self._secretary = secretary
        self._password_said: set[str] = set()
        self._asked_for: dict[str, int] = {}

    def to(self, asked: Asked, method: str) -> str | None:
        """The answer; None to refuse one. `method` of authentication is under way with the host itself; "" before."""
        conversing = method == "keyboard-interactive"  # the server may ask what it likes
        if _HOST_KEY in asked.text and not conversing:
            return "yes" if self._is_right_host(asked.text) else "no"
        found = _PASSPHRASE.fullmatch(asked.text)
        if found and not conversing and (method or self._marks):
            return self._passphrase(found[1], neutralise(asked.text))
        # A question that comes before any method is under way is a jump host's: it is not told our password.
        if method in _BY_PASSWORD and self._options.password is not None and method not in self._password_said:
            self._password_said.add(method)  # the same word twice would be two failed logins
            return _revealed(self._options.password)
        questions = self._secretary.questions
        if questions is None:
            return None
        if asked.kind == "confirm":
            return "yes" if questions.confirm(neutralise(asked.text)) else None
        return questions.secret(neutralise(asked.text))

    def _is_right_host(self, text: str) -> bool:
        questions = self._secretary.questions
        if questions is None:
            return False
        shown = neutralise(text).partition("Are you sure you want to")[0].rstrip()
        question = f"{shown}\nConnect to {self._options.host}, and remember the key?"
        return self._secretary.asking.once(shown, lambda: questions.confirm(question))

    def _passphrase(self, path: str, text: str) -> str | None:
        count = self._asked_for[path] = self._asked_for.get(path, 0) + 1
        given = self._options.passphrase
        if given is not None and count == 1:
            return _revealed(given)
        first = 1 if given is None else 2
        return self._secretary.passphrase(path, text, count > first) if count < first + TRIES else None


def _revealed(secret: Secret) -> str:
    value = secret.reveal()
    assert isinstance(value, str)  # SSHOptions lets no other in
    return value
