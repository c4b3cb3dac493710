"""What a program says before it lets us become another user, and what we answer. Pure: text in, answers and reasons
out. What its prompt looks like, and what its messages mean, says its `method.Method`.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Pattern, Sequence, Tuple

    # (what it says with LC_ALL=C, our word for it, what to do); the first that fits.
    Reasons = Sequence[Tuple[str, str, str]]

# Characters of what it says that are kept: a lecture, a few messages.
MOST = 16 * 1024


class Conversation(object):
    """One program that may ask: ``heard(text)`` takes what it says, and gives what to answer."""

    def __init__(self, prompt: "Pattern[str]", password: "Optional[str]", over: "str" = r"(?!)") -> "None":
        self._prompt = prompt
        self._password = password
        self._over = over
        self._said = ""
        self._new = ""
        self._asked = 0
        self.refused = False
        """It asked again, or asks, or is about to, and we have nothing to say: there is no use in going on."""

    def heard(self, text: "str") -> "Optional[str]":
        """What to answer to what has been said so far; None for nothing. Each prompt is answered once."""
        self._said = (self._said + text)[-MOST:]
        if re.search(self._over, self._said):
            self.refused = True
            return None
        return self.asked(text)

    def asked(self, text: "str") -> "Optional[str]":
        """What to answer to what appears on a terminal: it may be an echo of our answer, so nothing of it is kept."""
        self._new = (self._new + text)[-MOST:]
        if not self._prompt.search(self._new):
            return None
        self._new = ""
        self._asked += 1
        if self._password is None or self._asked > 1:
            self.refused = True
            return None
        return self._password + "\n"

    @property
    def given(self) -> "bool":
        """Have we something to answer?"""
        return self._password is not None

    def reason(self, reasons: "Reasons") -> "Optional[Tuple[str, str]]":
        """(why it did not come to running us, what to do), from what was said; None if that says nothing."""
        for pattern, reason, hint in reasons:
            if re.search(pattern, self._said):
                return reason, hint
        return None

    def text(self) -> "str":
        """What it said, without prompts: they hold a token of ours, or say nothing."""
        return self._prompt.sub("[prompt]", self._said).strip()
