"""Data files of packages that came from the parent, for `importlib.resources` (3.7 to 3.13) and `pkgutil`.

Fetched one by one when they are opened; what there is comes as one list. Loaded at the first use.
"""

import io
import os
import sys

from ..finder import ROOT
from .modules import LISTING, RESOURCE, Request
from .target import package_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

    from .importer import Importer
    from .modules import Entry


IN_MEMORY = 256
"""Data files that may be kept in memory at once, as each takes a descriptor."""


def data(importer: "Importer", path: "str") -> "bytes":
    """The data file behind the label ``package/path``; OSError if there is none."""
    parts: "List[str]" = []
    for part in path[len(ROOT):].split("/") if path.startswith(ROOT) else ():
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    for end in range(len(parts) - 1, 0, -1):
        package = importer.entries.get(".".join(parts[:end]))
        if package is not None and package.is_pkg:
            return fetch(importer, package, "/".join(parts[end:]))
    raise FileNotFoundError(2, "In no package that came from the master", path)


def fetch(importer: "Importer", package: "Entry", path: "str") -> "bytes":
    """A data file of a package; FileNotFoundError, with the master's reason, if it serves none."""
    reply = importer.request(Request(RESOURCE, package.name, importer.python, path))
    if "data" not in reply:
        reason = str(reply.get("reason", "No such data file"))
        raise FileNotFoundError(2, reason, str(Resource(importer, package, path)))
    return bytes(reply["data"])


def listing(importer: "Importer", package: "Entry") -> "List[str]":
    """The paths of all data files of a package, relative to it. Asked for once."""
    if package.resources is None:
        reply = importer.request(Request(LISTING, package.name, importer.python))
        package.resources = [str(name) for name in reply.get("names", ())]
    return package.resources


class Tree(object):
    """The data files of a package: `files`, and by directory the names in it, in order."""

    def __init__(self, files: "List[str]") -> "None":
        self.files = frozenset(files)
        self.directories: "Dict[str, Dict[str, None]]" = {"": {}}
        for path in sorted(files):
            above, name = "", path
            while True:
                part, slash, name = name.partition("/")
                self.directories[above][part] = None
                if not slash:
                    break
                above = above + "/" + part if above else part
                self.directories.setdefault(above, {})


def tree(importer: "Importer", package: "Entry") -> "Tree":
    """The data files of a package, to look things up in: whoever walks a package asks for each of its files."""
    known = importer.trees.get(package.name)
    if known is None:
        known = importer.trees[package.name] = Tree(listing(importer, package))
    return known


class PathEntry(object):
    """What ``sys.path_hooks`` make of a directory of a package from the parent, in its ``__path__`` or in ``sys.path``:
    for `pkgutil`, and for packages that come with others inside them."""

    def __init__(self, importer: "Importer", path: "str") -> "None":
        self._importer = importer
        self._path = path
        self._package = package_at(path)

    def find_spec(self, fullname: "str", target: "object" = None) -> "Optional[ModuleSpec]":
        return self._importer.find_in(fullname, self._path)

    def iter_modules(self, prefix: "str" = "") -> "List[Tuple[str, bool]]":
        entry = self._importer.entries.get(self._package)
        names = entry.submodules if entry is not None and entry.submodules else ()
        return [(prefix + name.rstrip("/"), name.endswith("/")) for name in names if not name.endswith("//")]


class Later(io.BytesIO):
    """A data file that is fetched when something is read of it: who opens one may only ask whether it is there. So pytz
    does with each time zone before it gives any."""

    def __init__(self, content: "Callable[[], bytes]") -> "None":
        super().__init__()
        self._content: "Optional[Callable[[], bytes]]" = content

    def arrive(self) -> "None":
        """Fetch it, once."""
        content = None if self._content is None else self._content()
        if content is not None and self._content is not None:  # else another thread was faster
            self._content = None
            super().write(content)
            super().seek(0)

    def __reduce_ex__(self, protocol: "Any") -> "Any":
        return io.BytesIO, (), (self.getvalue(), self.tell(), None)


def _reading(name: "str") -> "Any":
    read: "Any" = getattr(io.BytesIO, name)

    def method(self: "Later", *args: "Any") -> "Any":
        self.arrive()
        return read(self, *args)

    return method


for _name in ("read", "read1", "readinto", "readinto1", "readline", "readlines", "seek", "getvalue", "getbuffer",
              "__next__", "truncate", "write", "writelines"):
    if hasattr(io.BytesIO, _name):
        setattr(Later, _name, _reading(_name))


class Resource(object):
    """A file or directory inside a package; what `importlib.resources` calls a Traversable.

    ``path`` is relative to the package, "" for the package itself.
    """

    def __init__(self, importer: "Importer", entry: "Entry", path: "str" = "") -> "None":
        self._importer = importer
        self._entry = entry
        self._path = path

    @property
    def name(self) -> "str":
        return (self._path or self._entry.name.rpartition(".")[2]).rpartition("/")[2]

    def is_file(self) -> "bool":
        return self._path in tree(self._importer, self._entry).files

    def is_dir(self) -> "bool":
        return not self._path or self._path in tree(self._importer, self._entry).directories

    def exists(self) -> "bool":
        return self.is_dir() or self.is_file()

    def iterdir(self) -> "Iterator[Resource]":
        if not self.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(self))
        return map(self.joinpath, list(tree(self._importer, self._entry).directories[self._path]))

    def joinpath(self, *parts: "Any") -> "Resource":
        names = [name for name in self._path.split("/") if name]
        for name in "/".join(str(part) for part in parts).split("/"):
            if name == "..":
                del names[-1:]
            elif name not in ("", "."):
                names.append(name)
        return Resource(self._importer, self._entry, "/".join(names))

    __truediv__ = joinpath

    @property
    def parent(self) -> "Resource":
        return self.joinpath("..")

    @property
    def suffix(self) -> "str":
        return self.name[self.name.rfind("."):] if "." in self.name[1:] else ""

    def read_bytes(self) -> "bytes":
        if not self.is_file() and self.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(self))
        return fetch(self._importer, self._entry, self._path)

    def read_text(self, encoding: "Any" = None, errors: "Any" = None) -> "str":
        with self.open("r", encoding=encoding, errors=errors) as file:
            return str(file.read())

    def open(self, mode: "str" = "r", *args: "Any", **kwargs: "Any") -> "Any":
        """Open for reading; text or binary. Text is UTF-8 unless told otherwise."""
        if "r" not in mode or "+" in mode:
            raise ValueError("data files of packages are opened for reading only")
        file = Later(self.read_bytes) if self.is_file() else io.BytesIO(self.read_bytes())
        if "b" in mode:
            return file
        if not args and not kwargs.get("encoding"):
            kwargs["encoding"] = "utf-8"
        return io.TextIOWrapper(file, *args, **kwargs)

    def in_memory(self) -> "str":
        """The path of a file in memory with this content, kept as long as this process lives: who has a path may open
        it at any time. FileNotFoundError where there are none: then `importlib.resources` makes a temporary file."""
        paths, key = self._importer.paths, str(self)
        if key not in paths:
            if not hasattr(os, "memfd_create") or len(paths) >= IN_MEMORY:
                raise FileNotFoundError(2, "Not a file of this machine", key)
            content = self.read_bytes()
            fd = os.memfd_create(self.name[:200])
            with open(fd, "wb", closefd=False) as file:
                file.write(content)
            # With our process id instead of "self", so that our children can open it, too.
            paths[key] = "/proc/%d/fd/%d" % (os.getpid(), fd)
        return paths[key]

    def __str__(self) -> "str":
        return ROOT + "/".join([self._entry.name.replace(".", "/")] + [self._path] * bool(self._path))

    def __repr__(self) -> "str":
        return "Resource(%r)" % str(self)


class Reader(object):
    """The resource reader of a package: `importlib.abc.ResourceReader`, and since 3.9 ``files()``."""

    def __init__(self, importer: "Importer", entry: "Entry") -> "None":
        self._root = Resource(importer, entry)

    def files(self) -> "Resource":
        register()
        return self._root

    def open_resource(self, resource: "str") -> "BinaryIO":
        return self._root.joinpath(resource).open("rb")  # type: ignore[no-any-return]

    def resource_path(self, resource: "str") -> "str":
        return self._root.joinpath(resource).in_memory()

    def is_resource(self, path: "str") -> "bool":
        return self._root.joinpath(path).is_file()

    def contents(self) -> "List[str]":
        return [item.name for item in self._root.iterdir()]


def archive(importer: "Importer", entry: "Entry") -> "Any":
    """A package as a zip archive, which is all that Python 3.9's ``files()`` knows besides directories.

    It reads ``loader.archive``, takes it for a path (hence ``__fspath__``) and hands it to `zipfile.Path`,
    which takes a `CompleteDirs` as it is and calls no more of it than ``namelist`` and ``open``.
    """
    import zipfile

    class Archive(zipfile.CompleteDirs):
        def __init__(self) -> "None":
            # No archive is opened: nothing of ZipFile's own state is needed.
            self.filename = self.__fspath__()
            self.fp = None
            self.mode = "r"

        def __fspath__(self) -> "str":
            return ROOT + "/".join(entry.name.split(".")[:-1])

        def namelist(self) -> "List[str]":
            base = entry.name.rpartition(".")[2]
            names = ["%s/%s" % (base, path) for path in listing(importer, entry)]
            return names + list(self._implied_dirs(names))  # type: ignore[attr-defined]

        def open(self, name: "Any", mode: "str" = "r", *args: "Any", **kwargs: "Any") -> "Any":
            return Resource(importer, entry, name.partition("/")[2]).open("rb")

    _join_many(zipfile.Path)
    return Archive()


def _join_many(kind: "Any") -> "None":
    """Have ``joinpath`` of a path in an archive take any number of parts, as directories' do, and archives' from Python
    3.10 on: what is a directory on the master is one for who asks here."""
    one = kind.joinpath
    if one.__code__.co_argcount == 2:

        def joinpath(self: "Any", *parts: "Any") -> "Any":
            for part in parts:
                self = one(self, part)
            return self

        kind.joinpath = joinpath


def written(resource: "Resource", above: "Any") -> "Any":
    """The path of a file or directory that was written below a directory of the target."""
    path = above / resource.name
    if resource.is_file():
        path.write_bytes(resource.read_bytes())
    else:
        path.mkdir()
        for each in resource.iterdir():
            written(each, path)
    return path


def register() -> "None":
    """Let ``importlib.resources.as_file`` (3.9 and later) give a file in memory for one of ours."""
    common = sys.modules.get("importlib.resources._common") or sys.modules.get("importlib._common")
    known: "Any" = getattr(common, "as_file", None)
    if known is None or Resource in known.registry:
        return
    import contextlib
    ordinary = known.dispatch(object)

    @contextlib.contextmanager
    def as_file(resource: "Resource") -> "Iterator[Any]":
        try:
            import pathlib
            path = resource.is_file() and pathlib.Path(resource.in_memory())
        except FileNotFoundError:
            path = None
        if path:
            yield path
        elif resource.is_dir():  # Python knows how to, but not before 3.12
            import tempfile
            with tempfile.TemporaryDirectory() as top:
                yield written(resource, pathlib.Path(top))
        else:
            with ordinary(resource) as file:
                yield file

    known.register(Resource, as_file)
