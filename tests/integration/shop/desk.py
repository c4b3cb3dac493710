"""What is called: it takes the rest of the package along, and reads its files."""

import pkgutil

from . import CURRENCY
from .money import total

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def greet() -> "Any":
    """A text and bytes of the package, a sum by another module, and where this module says it lies."""
    text, table = pkgutil.get_data(__package__, "greeting.txt"), pkgutil.get_data(__package__, "data/table.bin")
    return [text, table, total(1, 2), CURRENCY, __file__]


def greet_by_resources() -> "Any":
    """The same by importlib.resources, which a minimal Python has not."""
    from importlib import resources

    return resources.files(__package__).joinpath("greeting.txt").read_text(encoding="utf-8")


def as_json(value: "Any") -> str:
    import json

    return json.dumps(value)


def copy(data: bytes) -> bytes:
    import io
    import shutil

    target = io.BytesIO()
    shutil.copyfileobj(io.BytesIO(data), target)
    return target.getvalue()


def loaded_from(name: str) -> "Any":
    import importlib

    return getattr(importlib.import_module(name), "__file__", None)


def has_of_its_own(name: str) -> bool:
    """Whether the standard library of this Python has a module or package."""
    import os

    place = os.path.join(os.path.dirname(os.__file__), name)
    return os.path.exists(place) or os.path.exists(place + ".py")


def say(text: str) -> None:
    """Print by way of Python, of the descriptor, and of another process; complain as well."""
    import os
    import sys

    print(text, "by print")
    os.write(1, (text + " by write\n").encode())
    os.system("echo %s by a process" % text)  # noqa: UP031
    sys.stderr.write(text + " as an error\n")


def spec_of(name: str) -> str:
    """Where a module would be loaded from, without loading it; empty if there is none."""
    from importlib.util import find_spec

    spec = find_spec(name)
    return "" if spec is None else str(spec.origin)


def owner_and_mode(path: str) -> "Any":
    """Names of the user and the group a file belongs to, and its permission bits."""
    import grp
    import os
    import pwd

    found = os.lstat(path)
    return pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name, found.st_mode & 0o7777
