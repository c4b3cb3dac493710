"""Fixture: a directory with a user's module, to run the command line in. A test module takes it with

pytest_plugins = ("tests.integration.cli_fixtures",)
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

TASKS = textwrap.dedent(
    """
    import logging, os, sys, time
    from dataclasses import dataclass

    @dataclass
    class Disk:
        path: str
        free: int

    def disk(path: str, free: int = 1):
        return Disk(path, free)

    def talk(name: str):
        print("hello", name)
        print("trouble", file=sys.stderr)
        os.system("echo from a subprocess")
        logging.getLogger("tasks").warning("watch %s", "out")
        return name

    def fail():
        raise FileNotFoundError(2, "No such file or directory", "/nowhere")

    def die_once(path: str):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return "alive"
        os._exit(3)

    def sleep(seconds: float, ready: str = ""):
        if ready:
            open(ready, "w").close()
        time.sleep(seconds)

    def count(n: int):
        yield from range(n)

    def slow(ready: str, large: int):
        yield 1
        # More than may wait there: it goes on once the first of them have been taken here.
        yield from [b"x" * 700_000] * large
        sleep(600, ready)

    def endless():
        while True:
            yield 1

    def breaks(n: int):
        yield from range(n)
        raise ValueError("no more")

    def dies():
        yield "one"
        yield from [b"x" * 700_000] * 3  # the last can go only when the first were taken
        os._exit(7)

    def echo(value):
        return value

    def lock():
        import threading
        return threading.Lock()

    def exit():
        os._exit(7)

    async def coro(n: int):
        return n + 1

    class Thing:
        @classmethod
        def make(cls, size: int):
            return cls.__name__, size
    """
)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "tasks.py").write_text(TASKS)
    yield tmp_path
