"""What is called on a Python that lacks much of its standard library. 3.6 syntax."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def lacking(names: "Iterable[str]") -> "list[str]":
    """Those of these modules that the target's own standard library does not have."""
    import _imp
    import importlib.machinery
    import os
    import sys

    own = [os.path.dirname(os.__file__), os.path.join(os.path.dirname(os.__file__), "lib-dynload")]
    find = importlib.machinery.PathFinder.find_spec
    inside = [name for name in names if name in sys.builtin_module_names or _imp.is_frozen(name)]
    return [name for name in names if name not in inside and find(name, own) is None]


def imported(names: "Iterable[str]") -> "dict[str, str]":
    """By module: empty if it can be imported, else what the error said."""
    import importlib

    found = {}
    for name in names:
        try:
            importlib.import_module(name)
            found[name] = ""
        except ImportError as error:
            found[name] = str(error)
    return found


def exact() -> "Any":
    """Sums that need decimal, fractions and statistics; in a context of its own."""
    import contextvars
    import decimal
    import fractions
    import statistics

    def thirds() -> "str":
        decimal.setcontext(decimal.Context(prec=5))
        return str(decimal.Decimal(1) / 3)

    before = decimal.getcontext().prec
    apart = contextvars.copy_context().run(thirds)
    mean = statistics.mean([fractions.Fraction(1, 2), fractions.Fraction(1, 4)])
    return [apart, decimal.getcontext().prec == before, str(mean)]


def contexts() -> "Any":
    """What PEP 567 says of contexts and tasks."""
    import asyncio
    import contextvars

    name = contextvars.ContextVar("name", default="nobody")  # type: contextvars.ContextVar[str]

    async def task(value: "str") -> "str":
        name.set(value)
        await asyncio.sleep(0.01)
        return name.get()

    async def both() -> "list[str]":
        return list(await asyncio.gather(task("a"), task("b"))) + [name.get()]

    token = name.set("me")
    copied = contextvars.copy_context()
    found = asyncio.run(both())
    name.reset(token)
    return [found, copied[name], [each.name for each in copied if each.name == "remotesvc"], name.get()]
