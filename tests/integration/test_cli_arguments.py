"""Arguments of every annotated type on a real target: what functions get, and what is refused before a call."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests import interpreters
from tests.integration.command_line import cli

SHAPES = """
from enum import Enum, Flag, auto
from typing import NamedTuple

class Unit(Enum):
    KIB = "k"
    MIB = "m"

class Rights(Flag):
    READ = 1
    WRITE = 2

class Grade(Enum):
    LOW = auto()
    HIGH = auto()

class Point(NamedTuple):
    x: int
    y: float = 0.5
"""
TASKS = """
import datetime as dt
import enum
from decimal import Decimal
from typing import List, Literal, NewType, Optional, Union
from uuid import UUID
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
import shapes
from shapes import Point, Rights
from shapes import Unit as U

class Colour(enum.Enum):
    RED = 1
    GREEN = 2

@dataclass
class Base:
    name: str

@dataclass
class Disk(Base):
    size: Decimal
    path: Path = Path("/var")
    colours: List[Colour] = field(default_factory=list)
    unit: Optional[U] = None
    below: "Optional[Disk]" = None

    def __post_init__(self):
        self.seen = True

Id = NewType("Id", int)

def day(x: date): return repr(x)
def moment(x: Optional[dt.datetime] = None): return repr(x)
def clock(x: dt.time): return repr(x)
def wait(x: timedelta): return repr(x)
def price(x: "Decimal"): return repr(x)
def some(x: Union[int, Decimal, date, str]): return repr(x)
def ident(x: UUID, y: Id = 0): return repr((x, y))
def days(x: List[date]): return repr(x)
def colour(x: Colour): return repr(x)
def maybe(x: Optional[Colour]): return repr(x)
def unit(x: U = U.KIB, *more: shapes.Unit): return repr((x, more))
def rights(x: Rights): return repr(x.value)
def grade(x: shapes.Grade): return repr(x)
def point(x: Point): return repr(x)
def disk(x: Disk): return repr((x, x.seen))
def mode(x: Literal["fast", 2]): return repr(x)
def other(x: dict): return x
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "tasks.py").write_text(TASKS)
    return tmp_path


GIVEN = [
    ("day 2026-11-29", "datetime.date(2026, 11, 29)"),
    ("moment 2026-11-29T18:30:00Z", "datetime.datetime(2026, 11, 29, 18, 30, tzinfo=datetime.timezone.utc)"),
    ("moment 2026-11-29", "datetime.datetime(2026, 11, 29, 0, 0)"),
    ("moment null", "None"),
    ("clock 18:30", "datetime.time(18, 30)"),
    ("wait 90", "datetime.timedelta(0, 90)"),
    ("wait 1h30m", "datetime.timedelta(0, 5400)"),
    ("wait 1:30:00", "datetime.timedelta(0, 5400)"),
    ("price 1.10", "Decimal('1.10')"),
    ("some 1", "1"),
    ("some 1.5", "Decimal('1.5')"),
    ("some 2026-11-29", "datetime.date(2026, 11, 29)"),
    ("some x", "'x'"),
    ("ident 12345678123456781234567812345678 7", "(UUID('12345678-1234-5678-1234-567812345678'), 7)"),
    ('days ["2026-11-29"]', "[datetime.date(2026, 11, 29)]"),
    ("colour GREEN", "<Colour.GREEN: 2>"),
    ("colour 2", "<Colour.GREEN: 2>"),
    ("maybe None", "None"),
    ("unit m KIB k", "(<Unit.MIB: 'm'>, (<Unit.KIB: 'k'>, <Unit.KIB: 'k'>))"),
    ("rights READ|WRITE", "3"),
    ("grade HIGH", "<Grade.HIGH: 2>"),
    ('point {"x":1}', "Point(x=1, y=0.5)"),
    ("mode 2", "2"),
    ('disk {"name":"sda","size":"1.5","colours":["RED"],"unit":"k","below":{"name":"b","size":2}}',
     "(Disk(name='sda', size=Decimal('1.5'), path=PosixPath('/var'), colours=[<Colour.RED: 1>], unit=<Unit.KIB: 'k'>, "
     "below=Disk(name='b', size=Decimal('2'), path=PosixPath('/var'), colours=[], unit=None, below=None)), True)"),
]  # fmt: skip


def answers(directory: Path, python: interpreters.Interpreter, calls: list[str]) -> list[str]:
    """What each of these calls prints; by one process, which starts once."""
    commands = [["run", "local:", "--python", python.path, *words.split()] for words in calls]
    program = "import json,sys\nfrom remotesvc.cli.main import main\nfor line in sys.stdin: main(json.loads(line))"
    done = subprocess.run([sys.executable, "-c", program], input="\n".join(map(json.dumps, commands)), cwd=directory,
                          capture_output=True, text=True)
    assert done.stderr == ""
    # As Python 3.6 writes it.
    return done.stdout.replace("datetime.timedelta(seconds=", "datetime.timedelta(0, ").splitlines()


NEW = [python for python in interpreters.found() if python.version >= (3, 8)]


@pytest.mark.parametrize("python", dict.fromkeys([NEW[0], NEW[-1]]), ids=str)
def test_a_function_gets_what_its_annotations_say(directory: Path, python: interpreters.Interpreter) -> None:
    calls, values = zip(*GIVEN, strict=True)
    assert answers(directory, python, [f"tasks:{words}" for words in calls]) == list(values)


def test_a_function_of_the_oldest_python_gets_what_its_annotations_say(directory: Path) -> None:
    """Where there are no dataclasses and no Literal."""
    (directory / "old.py").write_text(
        "import datetime, decimal, shapes\n"
        "def f(when: datetime.date, unit: shapes.Unit, at: shapes.Point, *rest: decimal.Decimal):\n"
        "    return repr((when, unit, at, rest))\n")
    assert answers(directory, interpreters.found()[0], ['old:f 2026-11-29 MIB {"x":1,"y":2} 1.10']) == [
        "(datetime.date(2026, 11, 29), <Unit.MIB: 'm'>, Point(x=1, y=2.0), (Decimal('1.10'),))"]


@pytest.mark.parametrize(("words", "says"), [
    ("day tomorrow", "x: expected a date such as 2026-11-29, got 'tomorrow'"),
    ("wait soon", "x: expected seconds, or a duration such as 1h30m"),
    ("price 1,10", "x: expected a decimal number, got '1,10'"),
    ("colour BLUE", "x: expected one of RED, GREEN (Colour), got 'BLUE'"),
    ("rights READ|RUN", "x: expected one of READ, WRITE (Rights), got 'READ|RUN'"),
    ("unit KIB BLUE", "more: expected one of KIB, MIB (Unit), got 'BLUE'"),
    ("maybe BLUE", "x: expected one of RED, GREEN (Colour), got 'BLUE'"),
    ('days ["2026-11-29","x"]', "x: [1]: expected a date such as"),
    ('disk {"name":"a"}', "x: Disk misses size; it takes name, size, path=..., colours=..., unit=..., below=..."),
    ('disk {"name":"a","size":1,"speed":3}', "x: Disk has no field speed; it takes"),
    ('disk {"name":"a","size":1,"below":{"name":3,"size":1}}', "x: expected str at below.name, got '3'"),
    ('disk {"name":"a","size":1,"colours":["BLUE"]}', "x: colours[0]: expected one of RED, GREEN"),
    ("disk sda", 'x: expected a JSON object such as {"a": 1}'),
    ("mode slow", "x: expected one of 'fast', 2, got 'slow'"),
])  # fmt: skip
def test_what_is_refused_before_anything_is_connected(directory: Path, words: str, says: str) -> None:
    function, *rest = words.split()
    code, out, err = cli(directory, "run", "nowhere.invalid", f"tasks:{function}", *rest)
    assert (code, out) == (64, "")
    assert says in err and "signature: tasks:" in err


def test_what_only_the_target_can_tell(directory: Path) -> None:
    """The value of auto() is known when it runs."""
    code, _, err = cli(directory, "run", "local:", "tasks:grade", "MIDDLE")
    assert code == 2
    assert "'MIDDLE' is no Grade: it is one of LOW, HIGH" in err


def test_a_method_of_a_service(directory: Path) -> None:
    (directory / "disks.py").write_text(textwrap.dedent(
        """
        from remotesvc.service import Service, expose
        from tasks import Colour, Disk

        class Disks(Service):
            @expose()
            def paint(self, disk: Disk, colour: Colour):
                return repr((disk.name, disk.size, disk.below, colour))
        """))  # fmt: skip
    disk = '{"name": "sda", "size": 2, "path": "/", "colours": ["RED"]}'
    assert cli(directory, "call", "local:", "disks:Disks.paint", disk, "GREEN") == (
        0, "('sda', Decimal('2'), None, <Colour.GREEN: 2>)\n", "")  # fmt: skip
