"""A real terminal for tests: a window of tmux with a shell in it. What it shows is asked of tmux."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.kernel.contexts import LIMIT, until

TMUX = shutil.which("tmux")
MISSING = "no tmux here (Debian package tmux): what people see in a terminal is NOT tested"
ROOT = Path(__file__).resolve().parents[2]
PROMPT = "ready> "
_VARIABLES = ("PATH", "HOME", "TMPDIR", "REMOTESVC_TEST_RUN", "COVERAGE_PROCESS_START", "LANG",
              "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")  # fmt: skip


class Terminal:
    """A window with a shell that waits for a command."""

    def __init__(self, socket: Path, directory: Path, columns: int, lines: int) -> None:
        self._socket = socket
        self._environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        self._environment.update(PYTHONPATH=str(ROOT), PYTHON=sys.executable)
        self.pid = 0
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(directory), "/bin/sh")
        self.pid = int(self._tmux("display-message", "-p", "#{pid}"))
        # A Ctrl-C is for the program; the shell goes on with what stands behind it.
        self.type(f"PS1='{PROMPT}'; trap : INT; clear")
        try:
            self.wait_for(f"^{PROMPT.strip()}$")
        except AssertionError:
            self.close()
            raise

    def _tmux(self, *words: str) -> str:
        assert TMUX is not None
        return subprocess.run([TMUX, "-f", "/dev/null", "-S", str(self._socket), *words], env=self._environment,
                              check=True, capture_output=True, text=True, timeout=LIMIT).stdout  # fmt: skip

    def close(self) -> None:
        """End the terminal and what runs in it."""
        self._tmux("kill-server")
        until(lambda: not os.path.exists(f"/proc/{self.pid}"), what="tmux has ended")

    def type(self, text: str) -> None:
        """Type a text and Enter."""
        self._tmux("send-keys", "-l", "--", text)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key as tmux names it: C-c."""
        self._tmux("send-keys", key)

    def send_signal(self, number: int) -> None:
        """Send a signal to the program that runs in it."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        (program,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        os.kill(int(program), number)

    def remotesvc(self, *words: str, before: str = "") -> None:
        """Type a command of ours; what stands before it are assignments."""
        self.type(f'{before} "$PYTHON" -m remotesvc {shlex.join(words)}; echo "code $?"')

    def resize(self, columns: int, lines: int = 30) -> None:
        """Change the size of the window."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, colours: bool = False) -> list[str]:
        """The lines that are shown, down to the last that is not empty; with `colours` as escape sequences."""
        shown = self._tmux("capture-pane", "-p", *(["-e"] if colours else []))
        return shown.rstrip("\n").split("\n")

    def wait_for(self, pattern: str) -> list[str]:
        """The screen, once a line of it matches."""
        found: list[str] = []

        def there() -> bool:
            found[:] = self.screen()
            return any(re.search(pattern, line) for line in found)

        try:
            until(there)
        except AssertionError:
            raise AssertionError(f"never on the screen: {pattern}\n" + "\n".join(found)) from None
        return found

    def ended(self) -> tuple[int, list[str]]:
        """Wait for the end of the command: its exit code, and what it left on the screen between the command line and
        the code."""
        shown = self.wait_for(r"code \d+$")
        last = next(index for index, line in enumerate(shown) if re.search(r"code \d+$", line))
        first = max((index for index, line in enumerate(shown[:last]) if 'echo "code' in line or 'code $?"' in line),
                    default=-1)  # fmt: skip
        code = re.search(r"code (\d+)$", shown[last])
        assert code is not None
        return int(code[1]), [*shown[first + 1 : last], shown[last][: code.start()]]

    @property
    def cursor_shown(self) -> bool:
        """Whether there is a cursor to be seen."""
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def settings(self) -> str:
        """What `stty -a` says of it."""
        return subprocess.run(["stty", "-a", "-F", self._tmux("display-message", "-p", "#{pane_tty}").strip()],
                              check=True, capture_output=True, text=True).stdout  # fmt: skip

    def record(self, file: Path) -> None:
        """From now on also write to a file what programs send to the terminal, byte by byte."""
        self._tmux("pipe-pane", "-o", f"exec cat > {shlex.quote(str(file))}")
        until(file.exists, what="the record has begun")

    def recorded(self, file: Path) -> bytes:
        """All of a record, once the command has ended: the screen may be ahead of it."""
        until(lambda: re.search(rb"code \d+\r?\n", file.read_bytes()), what="the record is whole")
        return file.read_bytes()
