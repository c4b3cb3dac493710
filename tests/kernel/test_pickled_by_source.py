"""What has no module travels to Pythons of other bytecode as its source: of a notebook's cells, above all."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallError, Context, EncodeError, Router, VersionSkewError
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel.contexts import LIMIT
from tests.kernel.notebooks import CELLS, Notebook

pytest_plugins = ("tests.kernel.call_fixtures",)

HERE = sys.version_info[:2]

Connected = Callable[[], Context]


@pytest.fixture
def interpreter(case: tuple[Interpreter, str]) -> Interpreter:
    return case[0]


@pytest.fixture
def connected(router: Router, case: tuple[Interpreter, str]) -> Connected:
    """A context whose Python is, or is not, known yet when the call is made."""

    def connect() -> Context:
        context = router.local(case[0].path)
        if case[1] == "known":
            context.wait_ready()
        return context

    return connect


def test_functions_classes_and_closures_of_cells(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(*CELLS)
    book.run("work = lambda x: [helper(x), greet('you', word='hi'), base('/a/b')]\n")
    assert there.call(book.work, 4) == [13, "hi you!", ("b", 2)]
    assert there.call(book.helper, 3) == 9
    assert there.call(book.factorial(), 6) == 720
    assert list(there.call(book.count, 3)) == [0, 1, 2]
    assert [there.call(each, 1) for each in book.pair] == [2, 4]
    book.run("def of(thing):\n    return thing.double(), thing.next.value, isinstance(thing, Base)\n")
    assert there.call(book.of, book.Thing(2)) == (22, 3, True)
    with pytest.raises(ValueError, match="in a cell") as caught:
        there.call(book.fail)
    assert caught.value.remote  # type: ignore[attr-defined]


SCOPES = """
import abc, functools, typing
T = typing.TypeVar("T")
WIDE = typing.TypeVar("WIDE", bound=int, covariant=True)
LEVEL = 1
try:
    import nothing_of_this_name
except ImportError:
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)
class Hidden:
    ways = {"one": lambda self: self.__value}
    def __init__(self, value):
        self.__value = value
    def list(self):
        return list((self.__value,))
    def later(self):
        return lambda: self.__value
if LEVEL:
    class Box(typing.Generic[T]):
        level = LEVEL
        names, table = [], {"a": (1, None)}
        def __init__(self, value: T):
            self.value = value
        def seen(self):
            return self.value, self.level, self.names, self.table, Box.later
        def kept(self, name, names=names):
            names.append(name)
            return self.names
    with open("/dev/null"):
        class Abstract(abc.ABC):
            level = 1
            @abc.abstractmethod
            def get(self): return self.level
        class Concrete(Abstract):
            def get(self): return super().get()
Box.later, Abstract.level, LEVEL = "later", 5, 2
@functools.lru_cache(maxsize=3)
def cached(n):
    return n and n + cached(n - 1)
"""


OWN = """
import types
import remotesvc
import remotesvc.facts
import remotesvc.fleet
import remotesvc.router
make = lambda: remotesvc.Receiver(remotesvc.current().router) is None
other = types.SimpleNamespace(fleet=1)
def within():
    return [(remotesvc.current().id == 0, each.fleet) for each in (other, other)]
loaded = lambda: remotesvc.facts.__name__
wrong = lambda: remotesvc.router.Router
"""


def test_names_of_our_own_modules_behind_other_things_than_our_package(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(OWN)
    assert there.call(book.make) is False
    assert there.call(book.within) == [(False, 1), (False, 1)]
    assert there.call(book.loaded) == "remotesvc.facts"
    with pytest.raises(ModuleNotFoundError, match="exists on the master only"):
        there.call(book.wrong)


def test_what_stands_in_ifs_and_classes_and_what_changed_since(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(SCOPES)
    assert there.call(book.factorial, 5) == 120
    hidden = book.Hidden(3)
    for function in book.Hidden.ways["one"], book.Hidden.list:
        assert there.call(function, hidden) in (3, [3])
    assert there.call(hidden.later()) == 3
    book.Box.names.append("n")
    assert there.call(book.Box(7).seen) == (7, 1, ["n"], {"a": (1, None)}, "later")
    book.Box.names[:] = []
    assert there.call(book.Box(7).kept, "k") == ["k"]  # one list, whoever holds it
    assert there.call(book.Concrete().get) == 5
    book.run("def variables(): return T.__name__, WIDE.__bound__ is int, WIDE.__covariant__\n")
    assert there.call(book.variables) == ("T", True, True)
    assert there.call(book.cached, 4) == 10
    book.run("def keeps(): return cached(2), cached.cache_info().maxsize\n")
    assert there.call(book.keeps) == (3, 3)


REBOUND = """
class A:
    def f(self): return "first A"
class B(A):
    def g(self): return self.f(), A().f()
class A:
    def f(self): return "second A"
class C:
    def f(self): return "first C"
class C(C):
    def f(self): return "second C of " + super().f()
def all(): return A().f(), B().g(), C().f(), A().f()
"""


def test_a_base_whose_name_means_something_else_by_now_is_still_the_base(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(REBOUND)
    assert there.call(book.B().g) == ("first A", "second A")
    assert there.call(book.C().f) == "second C of first C"
    assert there.call(book.all) == ("second A", ("first A", "second A"), "second C of first C", "second A")


CHANGED = """
import abc, functools, os.path
def around(function):
    def inner(self):
        return "around " + function(self)
    return inner
@functools.total_ordering
class A:
    value = 1
    def __init__(self, value): self.value = value
    def __eq__(self, other): return self.value == other.value
    def __lt__(self, other): return self.value < other.value
    def late(self): return 1
class B(abc.ABC):
    limit, kept = 1, 2
    plain = None
    def f(self): return "f"
    def g(self): return "g"
    def h(self): return "h"
    def __new__(cls): return super().__new__(cls)
    if not kept:
        def perhaps(self): return 1
    @property
    def shown(self): return "shown"
    @around
    def wrapped(self): return "wrapped"
    alias = f
    def gone(self): return "gone"
    class Inner:
        def f(self): return "inner f"
        def gone(self): return "gone"
B.f = lambda self: "new " + self.name
B.g = around(B.g)
B.name = property(lambda self: "name")
B.made = classmethod(lambda cls: cls.__name__)
B.base = staticmethod(os.path.basename)
B.plain = lambda self: "plain"
B._h = B.h
A.late = lambda self: 2
del B.h, B.gone, B.limit, B.Inner.gone
B.Inner.f = lambda self: "new inner f"
def told():
    b = B()
    return [b.f(), b.g(), b._h(), b.name, b.made(), b.base("/a/b"), b.plain(), b.shown, b.wrapped(), b.alias(),
            b.Inner().f(), A(1) <= A(2), A(1).late(), hasattr(b.Inner, "gone"),
            [name for name in ("h", "gone", "limit", "kept", "perhaps") if hasattr(b, name)]]
"""


def test_what_a_class_was_given_and_what_it_lost_since_its_statement(connected: Connected) -> None:
    book = Notebook(CHANGED)
    said = ["new name", "around g", "h", "name", "B", "b", "plain", "shown", "around wrapped", "f", "new inner f"]
    assert book.told() == [*said, True, 2, False, ["kept"]]
    assert connected().options(timeout=LIMIT).call(book.told) == book.told()


PROPERTIES = """
class A:
    @property
    def read(self): return self.value
    @read.setter
    def read(self, value): self.value = value
    @property
    def written(self): return self.value
    @written.setter
    def written(self, value): self.value = value
    @property
    def kept(self): return self.value
    @kept.setter
    def kept(self, value): self.value = value
    @kept.deleter
    def kept(self): self.value = "deleted"
    @property
    def gone(self): return self.value
    @gone.deleter
    def gone(self): self.value = "deleted"
class B(A):
    @A.kept.setter
    def kept(self, value): self.value = -value
A.read = A.read.getter(lambda self: ("new", self.value))
def times_ten(self, value): self.value = 10 * value
A.written = A.written.setter(times_ten)
A.gone = A.gone.deleter(lambda self: setattr(self, "value", "newly deleted"))
def told():
    a, told = A(), []
    for name in ("read", "written", "kept"):
        setattr(a, name, 1)
        told.append(getattr(a, name))
    for name in ("kept", "gone"):
        delattr(a, name)
        told.append(getattr(a, name))
    b = B()
    b.kept = 1
    return told + [b.kept]
"""


def test_each_function_of_a_property_may_have_been_replaced_by_itself(connected: Connected) -> None:
    book = Notebook(PROPERTIES)
    assert book.told() == [("new", 1), 10, 1, "deleted", "newly deleted", -1]
    assert connected().options(timeout=LIMIT).call(book.told) == book.told()


BEHIND = """
import contextlib, functools
def plainly(function):
    def inner(self):
        return function(self)
    return inner
class Decorated:
    @plainly
    def f(self): return 1
class Managed:
    @contextlib.contextmanager
    def f(self): yield 1
class Kept:
    @functools.lru_cache(maxsize=5)
    def f(self): return 1
def all_of(cls):
    for name in ["f"]:
        setattr(cls, name, lambda self, function=vars(cls)[name]: function(self))
    return cls
@all_of
class Whole:
    def f(self): return 1
class Outer:
    class Middle:
        class Inner:
            def f(self): return one
one = 1
def all(inner):
    with Managed().f() as managed:
        return [Decorated().f(), managed, Kept().f(), Whole().f(), Outer.Middle.Inner().f(),
                type(inner) is Outer.Middle.Inner]
"""


def test_classes_in_classes_and_those_of_decorated_methods(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(BEHIND)
    assert there.call(book.Outer.Middle.Inner().f) == 1
    assert there.call(book.all, book.Outer.Middle.Inner()) == [1, 1, 1, 1, 1, True]


SHARED = """
def counter():
    n = 0
    def increase(by=1):
        nonlocal n
        n += by
        return again if n < 3 else None
    def again(): return increase()
    def get(): return n, unset
    def set():
        nonlocal unset
        unset = None
    unset = 0
    del unset
    return increase, get, set
def counted(increase, get, set):
    increase()()
    try:
        get()
    except NameError:
        set()
    return get()
"""


def test_functions_that_share_a_variable_share_it_there(connected: Connected) -> None:
    book = Notebook(SHARED)
    assert book.counted(*book.counter()) == (2, None)
    assert connected().options(timeout=LIMIT).call(book.counted, *book.counter()) == (2, None)


HOLDERS = """
import functools, threading
class Guarded:
    lock = threading.Lock()
    def get(self):
        with self.lock:
            return 1
@functools.singledispatch
def told(value): return "thing"
@told.register(list)
def listed(value): return [told(each) for each in value]
told.register(Guarded, lambda value: value.get())
def all(): return told([Guarded(), 1]), told.__name__
"""

CACHED = """
import functools
class Cached:
    def __init__(self): self.times = 0
    @functools.cached_property
    def value(self):
        self.times += 1
        return 7
    def get(self): return self.value, self.value, self.times
"""


def test_what_holds_locks_and_weak_references_and_can_be_made_anew(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(HOLDERS)
    assert there.call(book.Guarded().get) == 1
    assert there.call(book.all) == ([1, "thing"], "told")


def test_properties_that_keep_their_value(connected: Connected, interpreter: Interpreter) -> None:
    if interpreter.version >= (3, 8):
        assert connected().options(timeout=LIMIT).call(Notebook(CACHED).Cached().get) == (7, 7, 1)


RAISED = """
class Coded(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code
class Missing(FileNotFoundError):
    def __init__(self, path):
        super().__init__(2, "gone", path)
class Unread(UnicodeDecodeError):
    def __init__(self, data):
        super().__init__("utf-8", data, 0, 1, "why")
class New(Exception):
    def __new__(cls, text, code):
        made = super().__new__(cls, text)
        made.code = code
        return made
    def __init__(self, *args):
        pass
def told(coded, missing, unread, new):
    assert (type(coded), type(missing), type(new)) == (Coded, Missing, New)
    return [coded.args, coded.code, missing.errno, missing.filename, unread.object, unread.reason, new.args, new.code]
"""


def test_exceptions_that_are_made_of_other_things_than_their_args(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(RAISED)
    given = book.Coded("a", code=3), book.Missing("/a"), book.Unread(b"b"), book.New("c", 4)
    assert there.call(book.told, *given) == book.told(*given)


UNMADE = """
class Unmade:
    def __init__(self, a):
        self.a = a
    def __reduce__(self):
        return Unmade, ()
    def get(self):
        return 1
"""


def test_an_argument_that_cannot_be_made_there_is_no_error_of_the_function(connected: Connected) -> None:
    with pytest.raises(TypeError, match="a'") as caught:
        connected().options(timeout=LIMIT).call(Notebook(UNMADE).Unmade(1).get)
    assert isinstance(caught.value, CallError)
    assert list(caught.value.notes) == ["raised as the function and its arguments were made here: it did not run"]
    assert caught.value.render().endswith("it did not run")


SHAPES = """
import collections, enum, typing
class Colour(enum.Enum):
    RED, SCARLET, BLUE = 1, 1, "b"
class Level(str, enum.Enum):
    LOW = "low"
class Mode(enum.IntFlag):
    READ, WRITE = 1, 2
Pair = collections.namedtuple("Pair", "a b")
class Place(typing.NamedTuple):
    x: int
    y: int
class Slots:
    __slots__ = ("a", "__b")
    def __init__(self, b):
        self.__b = b
    def get(self):
        return self.__b
def told(colour, level, mode, pair, place, slots):
    assert (type(pair), type(place)) == (Pair, Place) and colour is Colour.SCARLET is Colour.RED
    return (colour.name, Colour("b").name, level == "low", mode == Mode.READ | Mode.WRITE, pair.b, place.y,
            place._asdict()["x"], type(pair)._fields, slots.get())
"""


def test_enums_namedtuples_and_private_slots(connected: Connected) -> None:
    there, book = connected().options(timeout=LIMIT), Notebook(SHAPES)
    mode, slots = book.Mode.READ | book.Mode.WRITE, book.Slots(7)
    given = book.Colour.RED, book.Level.LOW, mode, book.Pair(1, 2), book.Place(3, 4), slots
    assert there.call(book.told, *given) == ("RED", "BLUE", True, True, 2, 4, 3, ("a", "b"), 7)


def test_modules_of_one_name_are_two(connected: Connected) -> None:
    """Plug-ins are loaded so, from files of several directories."""
    text = "def get():\n    return value\n"
    one, other = Notebook("value = 1\n" + text), Notebook("value = 2\n" + text)
    one.names["other"] = other.get
    one.run("def both():\n    return get(), other()\n")
    assert connected().options(timeout=LIMIT).call(one.both) == (1, 2)


def test_features_of_the_future(router: Router) -> None:
    older = [each for each in interpreters.found() if (3, 7) <= each.version < HERE]
    book = Notebook(
        "from __future__ import annotations\n"
        "def outer():\n    def inner(a: int | None) -> list[int]:\n        pass\n    return inner.__annotations__\n"
        "class Thing:\n    x: int | None = None\n    def get(self): return self.__annotations__\n"
    )
    for each in older:
        context = router.local(each.path).options(timeout=LIMIT).wait_ready()
        assert context.call(book.outer) == {"a": "int | None", "return": "list[int]"}
        assert context.call(book.Thing().get) == {"x": "int | None"}


def test_arguments_that_only_pickle_carries_need_no_equal_version(connected: Connected) -> None:
    import fractions

    context = connected().options(timeout=LIMIT)
    assert context.call("operator:add", fractions.Fraction(1, 3), 1 - fractions.Fraction(1, 3)) == 1


def test_large_arguments_travel_once(connected: Connected, router: Router) -> None:
    context, data = connected().options(timeout=LIMIT), b"x" * 3_000_000
    parts = []
    pickle = router._tree.pickle
    router._tree.pickle = lambda *args: parts.append(pickle(*args)) or parts[0]  # type: ignore[func-returns-value,method-assign]
    assert context.call(Notebook("f = lambda data: len(data)\n").f, data) == len(data)
    assert sum(len(part) for part in parts[0][0] if isinstance(part, bytes)) < 3_100_000


def test_without_source_the_error_names_both_versions(connected: Connected, interpreter: Interpreter) -> None:
    context, book = connected().options(timeout=LIMIT), Notebook("def f(x):\n    return x\n", known=False)
    if interpreter.version == HERE:
        assert context.call(book.f, 1) == 1
        return
    with pytest.raises(VersionSkewError) as caught:
        context.call(book.f, 1)
    for part in (str(interpreter), "{}.{}".format(*HERE), "the source of f is not known here", "put"):
        assert part in str(caught.value)


def test_what_no_python_could_be_sent_is_not_a_matter_of_versions(connected: Connected) -> None:
    import threading

    context, book = connected().options(timeout=LIMIT), Notebook("def f(x):\n    return x\n")
    with pytest.raises(EncodeError, match=r"args\[1\]\[0\] \(_thread.lock\)"):
        context.call("operator:add", 1, [threading.Lock()])
    with pytest.raises(EncodeError, match=r"args\[0\] \(_thread.lock\)"):
        context.call(book.f, threading.Lock())
    assert context.call(book.f, 1) == 1


def test_what_only_bytecode_carries_is_a_matter_of_versions(other: Context) -> None:
    with pytest.raises(VersionSkewError, match="this is Python .*, and there is 3.*, nor as source"):
        other.wait_ready().call("builtins:id", (lambda: 0).__code__)


@pytest.fixture
def other(router: Router) -> Iterator[Context]:
    """A context of the oldest Python."""
    oldest = min(interpreters.found())
    assert oldest.version < HERE
    yield router.local(oldest.path)


def test_what_an_old_python_cannot_read(other: Context) -> None:
    book = Notebook("def f(x):\n    return (y := x)\n")
    with pytest.raises(VersionSkewError, match="this Python cannot read the source of f"):
        other.call(book.f, 1)
    assert other.call("operator:add", 1, 1) == 2


def test_a_file_that_was_edited_is_not_taken_for_what_runs_here(other: Context, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    names: dict[str, Any] = {"__name__": "__main__"}
    for text in ("def f():\n    return 1\n", "def f():\n    return 2\n"):
        file.write_text(text)
        linecache.clearcache()
        if not names.get("f"):
            exec(compile(text, str(file), "exec", 0, True), names)
    with pytest.raises(VersionSkewError, match="the source of f is not what runs here"):
        other.call(names["f"])


CLASS = """class K:
    def a(self): return 1
    def b(self): return 1
    @property
    def c(self): return 1
"""


@pytest.mark.parametrize(("new", "which"), [(CLASS.replace("b(self): return 1", "b(self): return 2"), "b"),
                                            (CLASS.rpartition("    @property")[0], "c")])  # fmt: skip
def test_a_class_of_a_file_that_was_edited_is_not_taken_for_what_runs_here(
    other: Context, tmp_path: Path, new: str, which: str
) -> None:
    """Nor where only a later method is another, or is gone."""
    file = tmp_path / "script.py"
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(CLASS, str(file), "exec", 0, True), names)
    file.write_text(new)
    with pytest.raises(VersionSkewError, match=f"the source of K.{which} is not what runs here"):
        other.call(names["K"]().a)


def test_a_class_without_methods_is_refused_for_that(other: Context) -> None:
    book = Notebook("class Empty:\n    value = 1\nfirst = lambda: Empty.value\n")
    with pytest.raises(VersionSkewError, match=r"class Empty has no methods, .* into a module"):
        other.wait_ready().call(book.first)


def test_lambdas_of_one_line_are_told_apart_or_refused(other: Context) -> None:
    book = Notebook("a, b = (lambda x: x + 1), (lambda x: x + 2)\nc, d = (lambda x: [x]), (lambda x:  [x])\n")
    assert (other.call(book.a, 1), other.call(book.b, 1)) == (2, 3)
    with pytest.raises(VersionSkewError, match="cannot be told from others in line 2"):
        other.call(book.c, 1)
