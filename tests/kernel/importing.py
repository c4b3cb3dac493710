"""A child process with the real finder and importer, joined to a `ModuleServer` of the test by two pipes.

What runs the importer here is as little as possible: stage 0's few lines and messages as ``repr`` texts with
their length before them. The child runs the code it is sent and answers with the value of ``result``.
"""

from __future__ import annotations

import ast
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from remotesvc import Context
from remotesvc.bootstrap.imports.modules import announcement
from remotesvc.launch.bundle import pack
from remotesvc.modules.server import ModuleServer
from tests.interpreters import Interpreter

ROOT = Path(__file__).resolve().parents[2]

KERNEL = (
    "finder", "imports/__init__", "imports/importer", "imports/lines", "imports/loader", "imports/modules",
    "imports/requests", "imports/target",
)  # fmt: skip

# Python 3.6. What it imports is in python3-minimal, and imported before anything is taken away.
CHILD = r"""
import sys
del sys.path[0]
import ast, os, struct, threading, traceback, types
from collections import deque

def receive():
    size = struct.unpack(">I", exactly(4))[0]
    return ast.literal_eval(exactly(size).decode())

def exactly(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(3)
        data += piece
    return data

wire = os.dup(1)
os.dup2(2, 1)
sending = threading.Lock()

def send(*message):
    data = repr(message).encode()
    with sending:
        data = struct.pack(">I", len(data)) + data
        while data:
            data = data[os.write(wire, data):]

class Reply(object):
    def __init__(self):
        self.ready = threading.Event()

pending, work, arrived = {}, deque(), threading.Semaphore(0)

def ask(request):
    reply = Reply()
    pending[id(reply)] = reply
    send("ask", id(reply), request)
    reply.ready.wait()
    if isinstance(reply.value, str):
        raise TimeoutError(reply.value)
    return reply.value

def read():
    while True:
        message = receive()
        if message[0] == "reply":
            reply = pending.pop(message[1])
            reply.value = message[2]
            reply.ready.set()
        elif message[0] == "run":
            work.append(message)
            arrived.release()
        else:
            getattr(importer(), message[0])(message[1])

text, stdlib = receive()
if stdlib:
    for name in [name for name in sys.modules if name.partition(".")[0] in stdlib[1]]:
        del sys.modules[name]
    sys.path[:] = [stdlib[0]]
name = "remotesvc.bootstrap.finder"
module = types.ModuleType(name)
sys.modules[name] = module
source = text.partition(b"\n\n")[2][: int(text.split()[2])]
exec(compile(source, "/proc/remotesvc:/remotesvc/bootstrap/finder.py", "exec"), module.__dict__)
finder = module.install(text)
made = []

def importer():
    if not made:
        from remotesvc.bootstrap.imports.importer import Importer
        made.append(Importer(lambda wanted: space["ask"](wanted), finder))
    return made[0]

finder.fallback = lambda fullname, path: importer().find(fullname, path)
space = {"importer": importer, "finder": finder, "send": send, "ask": ask}  # a test may put an ask of its own there
threading.Thread(target=read, daemon=True).start()
while True:
    arrived.acquire()
    code = work.popleft()[1]
    try:
        space.pop("result", None)
        exec(compile(code, "<test>", "exec"), space)
        send("result", True, space.get("result"))
    except BaseException as error:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        send("result", False, [type(error).__name__, str(error), text, getattr(error, "name", None)])
"""


class RemoteError(Exception):
    """What the child's code raised: type name, message, traceback text, and the error's ``name``."""

    def __init__(self, kind: str, message: str, text: str, name: str | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message, self.text, self.name = kind, message, text, name


def kernel_sources() -> dict[str, tuple[bool, bytes]]:
    """What the bundle would bring of the kernel for imports."""
    names = {"remotesvc": "remotesvc/__init__.py", "remotesvc.bootstrap": "bootstrap/__init__.py"}
    for name in KERNEL:
        module = name.removesuffix("/__init__").replace("/", ".")
        names[f"remotesvc.bootstrap.{module}"] = f"bootstrap/{name}.py"
    return {name: (path.endswith("__init__.py"), (ROOT / path).read_bytes()) for name, path in names.items()}


class Child:
    """One child. Use it in a ``with`` block; `requests` has what it asked for, in order.

    answer: replies to requests in the server's place; a str makes asking fail there.
    stdlib: (directory, names of modules to be forgotten): a standard library cut down.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        server: ModuleServer,
        number: int = 1,
        answer: Callable[[dict[str, Any]], Any] | None = None,
        stdlib: tuple[str, tuple[str, ...]] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.notes: list[Any] = []
        self.on_note: Callable[[Any], None] = self.notes.append
        self._answer = answer or (lambda request: server.answer(number, request))
        self._process = subprocess.Popen(
            [interpreter.path, "-ESsc", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        self._send((zlib.decompress(pack(kernel_sources(), {})), stdlib))

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.stdout.close()

    @property
    def names(self) -> list[str]:
        """The names of modules asked for."""
        return [request["name"] for request in self.requests if request["kind"] == "module"]

    def deliver(self, entries: list[Any]) -> None:
        self._send(("deliver", entries))

    def announce(self, names: Iterable[str]) -> None:
        """Say that these modules will come."""
        self.deliver([announcement(names, ())])

    def run(self, code: str) -> Any:
        """Run code there and return what it leaves in ``result``; `RemoteError` if it raises."""
        self._send(("run", code))
        while True:
            message = self._receive()
            if message[0] == "ask":
                self.requests.append(message[2])
                self._send(("reply", message[1], self._answer(message[2])))
            elif message[0] == "note":
                self.on_note(message[1])
            elif message[1]:
                return message[2]
            else:
                raise RemoteError(*message[2])

    def _send(self, message: Any) -> None:
        assert self._process.stdin
        data = repr(message).encode()
        self._process.stdin.write(struct.pack(">I", len(data)) + data)
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process.stdout
        head = self._process.stdout.read(4)
        if len(head) < 4:
            raise AssertionError(f"the child ended with status {self._process.wait()}")
        return ast.literal_eval(self._process.stdout.read(struct.unpack(">I", head)[0]).decode())


def write(root: Path, files: dict[str, str | bytes]) -> None:
    """Write files below a directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


PROBE = "def run(text):\n    space = {'__name__': __name__}\n    exec(text, space)\n    return space['result']\n"
"""What a module of the master says to run a text among it, for `probe`."""


def probe(context: Context, module: str, text: str) -> Any:
    """The value of ``result`` after a text has been run on a target in a module that has `PROBE`."""
    return context.call(f"{module}:run", text)


def same_minor(interpreter: Interpreter) -> bool:
    """Whether an interpreter has the standard library that the master could serve."""
    return interpreter.version == sys.version_info[:2]
