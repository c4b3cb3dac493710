"""What a function takes, asked at the shell; and options that could be the function's or ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.command_line import LIMIT, cli, start

SOURCE = '''
from remotesvc.service import CALLER, Message, Service, expose

def serve(host, port: int, *, user: str = "www", reload_code: bool = False, **more):
    """Serve a site.

    Until it is stopped.
    """
    return host, port, user, reload_code, more

def many(first, /, *rest): pass

def head(n: int = 10): return n

def wait(timeout: int, reload_code: bool = False): return timeout, reload_code

class Desk(Service):
    @expose()
    def ask(self, limit: int, who: Message = CALLER):
        return limit
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "web.py").write_text(SOURCE)
    return tmp_path


def test_help_behind_the_function_is_the_function_s(site: Path) -> None:
    code, out, err = cli(site, "run", "nowhere.invalid", "web:serve", "--help")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Usage: remotesvc run PATTERN web:serve [--host] HOST [--port] PORT [--user USER]"
        " [--reload-code|--no-reload-code] [--NAME VALUE]...",
        "", "Serve a site.", "", "Until it is stopped.", "",
        "Signature: web:serve(host, port: int, *, user: str='www', reload_code: bool=False, **more)",
        "", "Options of remotesvc itself: remotesvc run --help",
    ]  # fmt: skip
    assert "web:many FIRST [REST]...\n" in cli(site, "run", "nowhere.invalid", "web:many", "x", "-h")[1]
    code, out, _ = cli(site, "call", "nowhere.invalid", "web.py:Desk.ask", "--help")
    assert code == 0 and "call PATTERN web:Desk.ask [--limit] LIMIT\n" in out
    code, out, _ = cli(site, "run", "nowhere.invalid", "no_such_module_here:f", "--help")
    assert code == 0 and "[ARG]..." in out and "there is no module no_such_module_here here" in out
    assert "Call MODULE:FUNCTION on each host" in cli(site, "run", "--help", "nowhere.invalid", "web:serve")[1]


def test_help_behind_the_function_has_the_fields_of_its_classes(site: Path) -> None:
    (site / "shop.py").write_text("""
import dataclasses, enum

class Mode(enum.Enum):
    READ = 1
    WRITE = 2

@dataclasses.dataclass
class Config:
    path: str
    free: int = 1
    names: list = dataclasses.field(default_factory=list)
    inner: "Config | None" = None
    mode: Mode = Mode.READ

def f(configs: list[Config]): pass
""")
    out = cli(site, "run", "nowhere.invalid", "shop:f", "--help")[1]
    config = "path: str, free: int = 1, names: list = ..., inner: 'Config | None' = None, mode: Mode = ..."
    assert f"\n\nConfig: a JSON object of {config}\nMode: READ, WRITE\n\nOptions" in out


@pytest.mark.parametrize("words", ["run local: web:serve h --port 80", "run local: web:serve h 80 --user=bob",
                                   "call local: web:Desk.ask --limit 3", "run local: web:head -n 5"])  # fmt: skip
def test_whose_an_option_is_must_be_said(site: Path, words: str) -> None:
    """It was ours: the port of the site became that of the SSH server."""
    code, out, err = cli(site, *words.split())
    name = next(word for word in words.split() if word.startswith("-")).partition("=")[0]
    assert (code, out) == (64, "")
    assert f"{name} behind web:" in err and f"write --kw {name.lstrip('-')}=VALUE for the parameter" in err


def test_what_an_error_says_of_an_option_of_both_works(site: Path) -> None:
    done = cli(site, "run", "--timeout", "50", "local:", "web:wait", "--kw", "timeout=3", "--reload-code", "-q")
    assert done == (0, "(3, True)\n", "")


def test_wrong_usage_has_its_exit_code_where_stderr_takes_nothing(site: Path) -> None:
    with open("/dev/full", "w") as full, start(site, "run", stderr=full) as process:
        assert process.communicate(timeout=LIMIT)[0] == ""
    assert process.returncode == 64
