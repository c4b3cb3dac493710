"""What comes back of an exception: class, text, arguments, attributes."""

from remotesvc.bootstrap.errors import Error
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import CallError, rebuild
from tests.failures.common import (
    BaseGroup,
    builtin_classes,
    formatted,
    instance_of,
    printed,
    raised,
    round_trip,
    usable,
)

NEVER = ("StopIteration", "StopAsyncIteration")


def case_every_builtin_class() -> None:
    classes = builtin_classes()
    assert len(classes) > 60
    for name, cls in classes.items():
        exc = raised(instance_of(cls))
        data = describe(exc)
        error = round_trip(exc)
        assert data["type"] == error.type_name == cls.__name__, name
        assert error.message == str(exc)
        assert str(error) == f"web1: {cls.__name__}: {exc}"
        assert [frame[2] for frame in error.frames] == ["raised"], name
        wanted = issubclass(cls, Exception) and name not in NEVER
        derives = wanted or cls is BaseException or (BaseGroup is not None and issubclass(cls, BaseGroup))
        assert isinstance(error, cls) == derives, name
        assert not isinstance(error, (StopIteration, StopAsyncIteration, SystemExit, KeyboardInterrupt))
        if not error.members:
            assert error.args == exc.args
        for attribute in ("errno", "strerror", "filename", "filename2", "start", "end", "reason", "encoding"):
            if wanted and hasattr(exc, attribute):
                assert getattr(error, attribute) == getattr(exc, attribute), (name, attribute)


def case_caught_as_what_it_was() -> None:
    try:
        raise round_trip(FileNotFoundError(2, "No such file", "/etc/nope"))
    except FileNotFoundError as error:
        assert getattr(error, "remote", False)
        assert (error.errno, error.strerror, error.filename) == (2, "No such file", "/etc/nope")
        assert error.args == (2, "No such file")
        assert isinstance(error, Error) and not isinstance(error, PermissionError)
    assert not hasattr(FileNotFoundError(), "remote")
    assert type(round_trip(OSError(2, "x"))) is type(round_trip(FileNotFoundError(2, "y")))
    assert round_trip(OSError(5, "x")).errno == 5


def case_key_error_is_quoted_once() -> None:
    error = round_trip(KeyError("name"))
    assert error.message == "'name'"
    assert str(error) == "web1: KeyError: 'name'"
    assert error.args == ("name",)
    assert isinstance(error, LookupError)


def case_syntax_error() -> None:
    try:
        compile("x = 1\nif x\n", "/srv/app.py", "exec")
    except SyntaxError as caught:
        exc = caught
    error = round_trip(exc)
    shown = error.render()
    assert isinstance(error, SyntaxError)
    assert (error.filename, error.lineno) == ("/srv/app.py", 2)
    assert error.text == exc.text
    assert "app.py" in printed(error)
    assert '  File "/srv/app.py", line 2\n    if x\n        ^' in shown


def case_syntax_error_without_its_text() -> None:
    """The text is looked up here, where what was sent there lies; what makes no sense is left out."""
    error = round_trip(SyntaxError("oh", ("/proc/remotesvc:/m.py", 7, 3, None)))
    text = error.render(lambda file, line: "  line " + str(line) + " of it\n")
    assert '  File "remotesvc:/m.py", line 7\n    line 7 of it\nSyntaxError' in text
    for details in ((None, 7, 3, "x"), ("m.py", 7, -3, "x"), ("m.py", 7, 60000, " x\ny"), ("m.py", 0, 0, "")):
        assert round_trip(SyntaxError("oh", details)).render().count("^") == 0


def case_import_error_name() -> None:
    try:
        import no_such_module_anywhere  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as caught:
        exc = caught
    error = round_trip(exc)
    assert not any("<frozen" in frame[0] for frame in error.frames)
    assert isinstance(error, ModuleNotFoundError)
    assert error.name == "no_such_module_anywhere"


def case_no_advice_from_names_of_this_process() -> None:
    for kind, near in (("NameError", "raisedd"), ("AttributeError", "__class_")):
        data = dict(describe(ValueError("x")), type=kind, mro=[kind], attrs={"name": near})
        error = usable(rebuild(data))
        assert error.attrs["name"] == near
        assert "Did you mean" not in printed(raised(error)) + formatted(raised(error))


def case_exits_are_plain() -> None:
    for exc in (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(7), StopAsyncIteration()):
        error = round_trip(exc)
        assert type(error) is CallError
        assert error.type_name == type(exc).__name__
    assert round_trip(SystemExit(3)).attrs["code"] == 3
    assert str(round_trip(SystemExit("bye"))) == "web1: SystemExit: bye"
    assert str(round_trip(KeyboardInterrupt())) == "web1: KeyboardInterrupt"


def case_class_of_two_builtin_classes() -> None:
    class Missing(KeyError, AttributeError):
        pass

    error = round_trip(Missing("x"))
    assert error.type_name.endswith("Missing")
    assert isinstance(error, KeyError) and isinstance(error, AttributeError)


def case_scalars_become_exact() -> None:
    class Number(int):
        def __repr__(self) -> str:
            raise SystemExit

    class Text(str):
        pass

    class Share(float):
        pass

    exc = ValueError(Number(7), Text("t"), True, Share(1.5), b"raw", None)
    args = describe(exc)["args"]
    assert args == [7, "t", True, 1.5, b"raw", None]
    assert [type(arg) for arg in args[:5]] == [int, str, bool, float, bytes]


def case_attributes_of_the_instance() -> None:
    exc = RuntimeError("x")
    exc.status = 503  # type: ignore[attr-defined]
    exc.detail = None  # type: ignore[attr-defined]
    exc.response = object()  # type: ignore[attr-defined]
    exc.host = "other"  # type: ignore[attr-defined]
    exc._private = 1  # type: ignore[attr-defined]
    error = round_trip(exc)
    assert error.status == 503
    assert error.attrs == {"status": 503, "host": "other", "detail": None, "response": "<object does not travel>"}
    assert error.host == "web1" and error.detail is None
    assert error.response == "<object does not travel>" and not hasattr(error, "_private")
