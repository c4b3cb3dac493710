"""Modules on the wire: requests for them, and the entries that answer; the one place that knows both shapes.

A request is a dict of the fields of `Request`. A hostile child may have sent it: `check_request` comes first.

A reply is a dict: to MODULE ``{"modules": [packed entry, ...]}``, which may bring more than was asked for, and begin
with an announcement (see `announcement`); to TEXT, a module's source, and RESOURCE ``{"data": bytes}``; to LISTING
``{"names": [path, ...]}``; to METADATA ``{"files": {name: text}, "prefer_target": bool}``, or with no name ``{"names":
[distribution, ...]}`` and perhaps ``"briefs"``; or ``{"reason": why not}``. What was announced follows by itself, in
lists of the same kind.
"""
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Tuple

MODULE = "module"
TEXT = "text"
RESOURCE = "resource"
LISTING = "listing"
METADATA = "metadata"

SOURCE = "source"
NAMESPACE = "namespace"
TARGET = "target"
ABSENT = "absent"
REFUSED = "refused"
KINDS = (SOURCE, NAMESPACE, TARGET, ABSENT, REFUSED)

MAIN = "__main__"
"""The name under which the master's script travels; see `Importer.main_module`."""

NAME_LIMIT = 512
PATH_LIMIT = 1024
MAGIC_LIMIT = 16

# Names, types allowed. The order is the order on the wire.
_FIELDS: "Tuple[Tuple[str, Tuple[type, ...]], ...]" = (
    ("name", (str,)),
    ("kind", (str,)),
    ("is_pkg", (bool,)),
    ("label", (str,)),
    ("data", (bytes, bytearray, memoryview)),
    ("submodules", (list, tuple, type(None))),
    ("resources", (list, tuple, type(None))),
    ("prefer_target", (bool,)),
    ("python", (list, tuple, type(None))),
    ("magic", (bytes, type(None))),
)


class Entry(object):
    """What the master has to say about one module.

    `kind`           SOURCE; NAMESPACE (PEP 420); TARGET (never from the master: use your own);
                     ABSENT (the master has none); REFUSED (not now; the next call may allow it: do not keep).
    `label`          its file name for SOURCE and NAMESPACE; for the others the reason, for an error message.
    `data`           the source as it is in the file, or code, compressed with zlib; empty if not SOURCE.
    `submodules`     of a package: names of all it has on the master, packages with a slash behind, directories of data
                     files with two; None: ask.
    `resources`      of a package: paths of its data files; None: ask.
    `prefer_target`  if the target has a top-level module of that name, that one is used.
    `python`         (major, minor) of the only version it is for; None: any.
    `magic`          of the Python whose marshalled code object `data` is; None: it is source.
    """

    __slots__ = tuple(name for name, _ in _FIELDS)

    def __init__(
        self, name: "str", kind: "str", is_pkg: "bool" = False, label: "str" = "", data: "bytes" = b"",
        submodules: "Optional[List[str]]" = None, resources: "Optional[List[str]]" = None,
        prefer_target: "bool" = False, python: "Optional[Tuple[int, int]]" = None,
        magic: "Optional[bytes]" = None,
    ) -> "None":
        self.name = name
        self.kind = kind
        self.is_pkg = is_pkg
        self.label = label
        self.data = data
        self.submodules = submodules
        self.resources = resources
        self.prefer_target = prefer_target
        self.python = python
        self.magic = magic

    @property
    def loadable(self) -> "bool":
        """Whether this is a module, and not the news that there is none."""
        return self.kind in (SOURCE, NAMESPACE)


def pack(entry: "Entry") -> "List[Any]":
    """An entry as plain data for the codec."""
    return [getattr(entry, name) for name, _ in _FIELDS]


def unpack(value: "Any") -> "Entry":
    """The entry that `pack` packed; ValueError if it is not one."""
    if not isinstance(value, (list, tuple)) or len(value) != len(_FIELDS):
        raise ValueError("not a module entry")
    fields: "Dict[str, Any]" = {}
    for (name, allowed), item in zip(_FIELDS, value):
        if not isinstance(item, allowed):
            raise ValueError("module entry: %s is of type %s" % (name, type(item).__name__))
        fields[name] = item
    check_name(fields["name"])
    if fields["kind"] not in KINDS:
        raise ValueError("module entry: unknown kind")
    fields["data"] = bytes(fields["data"])
    if fields["python"] is not None:
        fields["python"] = tuple(fields["python"])
    return Entry(**fields)


def announcement(follow: "Iterable[str]", absent: "Iterable[str]") -> "bytes":
    """What may stand in front of entries: names of modules that will follow unasked, and of some that nobody has."""
    return zlib.compress(("\n".join(follow) + "\n\n" + "\n".join(absent)).encode())


def announced(data: "Any") -> "Tuple[List[str], List[str]]":
    """The names in an announcement: (follow, absent)."""
    follow, _, absent = zlib.decompress(data).decode().partition("\n\n")
    return follow.split(), absent.split()


class Request(object):
    """A checked request.

    `kind`     MODULE, TEXT, RESOURCE, LISTING or METADATA.
    `name`     of the module; for METADATA of the distribution, or empty.
    `python`   (major, minor) of the one who will run it; `magic`: of its bytecode.
    `path`     of a data file, for RESOURCE.
    `goal`     the module that is really wanted, for the sake of which its packages are imported first.
    `relayed`  whether it is asked on behalf of another context.
    """

    __slots__ = ("kind", "name", "python", "path", "magic", "goal", "relayed")

    def __init__(
        self, kind: "str", name: "str", python: "Tuple[int, int]", path: "str" = "", magic: "bytes" = b"",
        goal: "str" = "", relayed: "bool" = False,
    ) -> "None":
        self.kind = kind
        self.name = name
        self.python = python
        self.path = path
        self.magic = magic
        self.goal = goal or name
        self.relayed = relayed

    def plain(self) -> "Dict[str, Any]":
        """As plain data for the codec."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return dict(fields, python=list(self.python))

    @property
    def key(self) -> "Tuple[Any, ...]":
        """Equal for requests that have the same answer. Who asks for itself may be told of more, which follows to it
        alone."""
        return (self.kind, self.name, self.python, self.path, self.magic, self.relayed)


def check_request(value: "Any") -> "Request":
    """A request that anyone may have sent as plain data; ValueError if it is not one."""
    if not isinstance(value, dict):
        raise ValueError("not a module request")
    kind, path, magic, goal = (value.get(key) for key in ("kind", "path", "magic", "goal"))
    if type(kind) is not str or kind not in (MODULE, TEXT, RESOURCE, LISTING, METADATA):
        raise ValueError("module request: unknown kind")
    python = value.get("python")
    if not isinstance(python, (list, tuple)) or len(python) != 2:
        raise ValueError("module request: no Python version")
    major, minor = python
    if type(major) is not int or type(minor) is not int or not (0 <= major < 100 and 0 <= minor < 1000):
        raise ValueError("module request: no Python version")
    if type(magic) is not bytes or len(magic) > MAGIC_LIMIT:
        raise ValueError("module request: no magic number")
    if kind == METADATA:
        return Request(kind, _check_distribution(value.get("name")), (major, minor))
    name = check_name(value.get("name"))
    if kind == RESOURCE:
        check_path(path)
    if check_name(goal) != name and not goal.startswith(name + "."):  # type: ignore[union-attr]
        raise ValueError("module request: its goal lies elsewhere")
    return Request(kind, name, (major, minor), path if kind == RESOURCE else "", magic, goal,  # type: ignore[arg-type]
                   value.get("relayed") is True)


def check_name(name: "Any") -> "str":
    """The name itself if it can be that of a module, see `is_part`; else ValueError."""
    if type(name) is not str or len(name) > NAME_LIMIT:
        raise ValueError("not the name of a module")
    if not all(map(is_part, name.split("."))):
        raise ValueError("not the name of a module")
    return name


def is_part(text: "str") -> "bool":
    """Can this stand between the dots of a module's name? Import statements take identifiers only, but importlib takes
    ``0001_initial`` and ``my-plugin`` too."""
    return bool(text) and ("_" + text.replace("-", "_")).isidentifier()


def _check_distribution(name: "Any") -> "str":
    if type(name) is not str or len(name) > NAME_LIMIT or not all(char.isalnum() or char in "-_." for char in name):
        raise ValueError("not the name of a distribution")
    return name


def check_path(path: "Any") -> "str":
    """The path itself if it can be that of a data file in its package, else ValueError.

    Relative, slashes between the parts, no part empty or beginning with a dot.
    """
    if type(path) is not str or len(path) > PATH_LIMIT or "\0" in path or "\\" in path:
        raise ValueError("not the path of a data file")
    if any(not part or part.startswith(".") for part in path.split("/")):
        raise ValueError("data files outside the package and dotfiles are not served")
    return path
