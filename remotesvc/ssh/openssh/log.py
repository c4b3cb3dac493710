"""Pure: how far an `ssh` process came, from what it logs at level DEBUG1.

Its log is a file of its own (`-E`), so no word of a server's is mistaken for one of ssh's. Wordings are those of
OpenSSH 7.6 to 9.9; what none of them fits is quoted.
"""

from __future__ import annotations

import re

MOST_LINES, LONGEST_LINE = 100, 1000
"""Messages kept of one ssh, and characters of each: enough for every word on a login that fails."""

# Further stages as ssh logs them: the beginning of a line, and what it is about to do then.
_STEPS = (
    ("debug1: Setting implicit ProxyCommand from ProxyJump", "jump"),
    ("debug1: Connection established.", "kex"),
    ("debug1: Remote protocol version ", "kex"),
    ("debug1: Server host key: ", "hostkey"),
    ("debug1: SSH2_MSG_NEWKEYS", "auth"),
    ("Authenticated to ", "open"),
)
_ORDER = ("tcp", "jump", "kex", "hostkey", "auth", "open", "boot")
_RUNNING = ("debug1: Sending command", "debug1: mux_client_request_session: master session id")
# It goes its own way: there is no master, or none that takes connections.
_ALONE = re.compile(r"(?:debug1: )?(?:Connecting to |Executing proxy command|Control socket |Stale control socket )")
_KEYED = "debug1: SSH2_MSG_NEWKEYS received"
_NO_KEYS = re.compile(r"debug1: \w+: (?:.*: agent contains no identities|agent returned 0 keys)")
_VERSION = re.compile(r"debug1: Remote protocol version (\S+), remote software version (.*)")
_KEY = re.compile(r"debug1: Server host (?:key|certificate): (\S+) (SHA256:[^\s,]+)")
_TRIED = re.compile(r"debug1: (?:Offering public key|Offering|Trying private key): (.+)")
_WELCOME = "debug1: Server accepts key: "
_OFFERED = "debug1: Authentications that can continue: "
_METHOD = "debug1: Next authentication method: "
_GREETING = re.compile(r"debug1: (?:kex|ssh)_exchange_identification: banner line \d+: (.*)|"
                       r"debug1: ssh_exchange_identification: (.*)")
# What it logs as information when all is well, or says of every failure.
_CHATTER = re.compile(r"Transferred: |Bytes per second: |Authenticated to |Exit status|@+$|OpenSSH_")


class Progress:
    """One ssh on its way. `line` takes what it logs; `running` once it has asked for the program to be run."""

    def __init__(self, now: float) -> None:
        self.stage = "tcp"
        self.phases: dict[str, float] = {}
        self.running = False
        self.shared = False
        """A master that was there carries the session."""
        self.alone = False
        """It makes a connection of its own, or has begun to."""
        self.version = ""
        self.key_type = self.fingerprint = ""
        self.offered: tuple[str, ...] | None = None
        self.tried: list[str] = []
        self.welcome = ""
        """The key that the server would take, as long as nothing was signed with it."""
        self.agent_empty = False
        """The agent said that it holds no key."""
        self.agent_asked = False
        """The next word is the agent's, or the server's."""
        self.method = ""
        """Of authentication, the one that is under way."""
        self.said: list[str] = []
        self.greeting: list[str] = []
        self.since = now
        """When the stage began."""
        self._partial = ""

    def feed(self, data: bytes, now: float) -> None:
        """Take what was written to the log, whole lines or not, at `now` (seconds that nobody was asked)."""
        *lines, self._partial = (self._partial + data.decode("utf-8", "replace")).split("\n")
        self._partial = self._partial[-LONGEST_LINE:]
        for line in lines:
            self._line(line.rstrip("\r")[:LONGEST_LINE], now)

    def _line(self, line: str, now: float) -> None:
        for sign, stage in _STEPS:
            if line.startswith(sign):
                self._enter(stage, now)
        if line.startswith(_RUNNING):
            self.shared = not self.running and not self.phases and self.stage == "tcp"
            self._enter("boot", now)
            self.running = True
        if not self.alone and _ALONE.match(line):
            self.alone = True
        # It asks the agent right after the key exchange, and logs nothing before there is an answer.
        self.agent_asked = line == _KEYED or self.agent_asked and line.startswith("debug1: rekey ")
        if not line.startswith("debug"):
            if line and not _CHATTER.match(line):
                self._keep(self.said, line)
            if "with partial success" in line:
                self.welcome = ""
        elif found := _VERSION.match(line):
            self.version = f"SSH-{found[1]}-{found[2]}"
        elif found := _KEY.match(line):
            self.key_type, self.fingerprint = found.groups()
        elif found := _TRIED.match(line):
            self._keep(self.tried, found[1])
        elif line.startswith(_METHOD):
            self.method = line[len(_METHOD) :]
            if self.method != "publickey":
                self._keep(self.tried, self.method)
        elif line.startswith(_OFFERED):
            self.offered = tuple(line[len(_OFFERED) :].split(","))
        elif line.startswith(_WELCOME):
            self.welcome = self.tried[-1] if self.tried else ""
        elif _NO_KEYS.match(line):
            self.agent_empty = True
        elif found := _GREETING.match(line):
            self._keep(self.greeting, found[1] or found[2])

    def _enter(self, stage: str, now: float) -> None:
        if _ORDER.index(stage) <= _ORDER.index(self.stage):
            return
        if not (stage == "jump" and self.stage == "tcp"):  # only then is it known what the first step is
            # What a connection that was there took is the opening of a session on it.
            self.phases["open" if self.shared else self.stage] = now - self.since
            self.since = now
        self.stage = stage

    @staticmethod
    def _keep(lines: list[str], line: str) -> None:
        lines.append(line)
        del lines[:-MOST_LINES]
