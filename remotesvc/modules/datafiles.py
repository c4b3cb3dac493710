"""The data files of packages: what is beside the code, never outside it, never a dotfile."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES

from .directories import leads_to
from .found import Found
from .policy import Ruling

SIZE_LIMIT = 64 << 20
"""Bytes of the largest data file that is served through an import; larger ones are for a file transfer."""

DEEPEST = 32
"""Directories on the way to a data file: each is ruled on, and a child may ask for any path."""

LISTING_LIMIT = 20_000
"""Names in one listing."""

_NEVER = (".pyc", ".pyo", *EXTENSION_SUFFIXES)


class Unavailable(Exception):
    """A data file is not served; the text says why."""


def data_files(found: Found, limit: int = LISTING_LIMIT) -> list[str]:
    """Paths, relative to the package, of its data files, those in directories without code included."""
    names: list[str] = []
    for directory, archive, inside in _places(found):
        below = _files_below(directory, "", found.first_party)
        for name in below if archive is None else _files_in_zip(archive, inside, found.first_party):
            names.append(name)
            if len(names) >= limit:
                return names
    return sorted(names)


def read_data_file(found: Found, path: str) -> bytes:
    """The content of a data file at a checked path; `Unavailable` if it is not served."""
    for directory, archive, inside in _places(found):
        if archive is not None:
            content = _from_zip(archive, f"{inside}/{path}") if _is_data(path, found.first_party) else None
            if content is not None:
                return content
            continue
        full = os.path.join(directory, *path.split("/"))
        if not os.path.isfile(full):
            continue
        if not _is_data(path, found.first_party) or _leads_out(full, directory) or not _spelt_so(directory, path):
            raise Unavailable(f"{path} of {found.name} is not a data file of the package")
        size = os.path.getsize(full)
        if size > SIZE_LIMIT:
            raise Unavailable(f"{path} of {found.name} has {size} bytes, the limit is {SIZE_LIMIT}")
        try:
            with open(full, "rb") as file:
                return file.read()
        except OSError as error:
            raise Unavailable(f"{path} of {found.name}: {error.strerror}") from error
    raise Unavailable(f"{found.name} on the master has no data file {path}")


def withheld(
    package: str, path: str, locate: Callable[[str], Found | None], rule: Callable[[str], Ruling]
) -> Ruling | None:
    """The ruling that keeps a data file from a child that may have the package: one of the names on the way to the file
    is denied, or is a package that the child may not have. None if there is none."""
    *directories, file = path.split("/")
    if len(directories) > DEEPEST:
        return Ruling("refused", f"its path goes through more than {DEEPEST} directories")
    name = package
    for part in [*directories, file[: -len(".py")]] if file.endswith(".py") else directories:
        name = f"{name}.{part}"
        ruling = rule(name)
        if ruling.rule == "deny":
            return ruling
        found = locate(name)
        if ruling.verdict == "refused" and found is not None and found.is_pkg and found.kind != "namespace":
            return ruling
    return None


def _places(found: Found) -> Iterator[tuple[str, str | None, str]]:
    """The directories of a package, each with what `_split` says of it."""
    for directory in found.directories:
        archive, inside = _split(directory)
        if archive is not None and found.origin is not None and not zipfile.is_zipfile(archive):
            # meson-python's editable packages have directories below the file of their finder, which are none.
            yield os.path.dirname(found.origin), None, ""
        else:
            yield directory, archive, inside


def _split(directory: str) -> tuple[str | None, str]:
    """The zip archive that a directory is in, and its name there; (None, "") for one of the file system."""
    path, inside = directory, ""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        if os.path.isfile(path):
            return path, inside
        path, tail = os.path.split(path)
        inside = f"{tail}/{inside}" if inside else tail
    return None, ""


def _from_zip(archive: str, name: str) -> bytes | None:
    try:
        with zipfile.ZipFile(archive) as file:
            size = file.getinfo(name).file_size
            if size > SIZE_LIMIT:
                raise Unavailable(f"{name} has {size} bytes, the limit is {SIZE_LIMIT}")
            return file.read(name)
    except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None


def _files_in_zip(archive: str, inside: str, first_party: bool) -> Iterator[str]:
    try:
        with zipfile.ZipFile(archive) as file:
            names = file.namelist()
    except (OSError, zipfile.BadZipFile):
        return
    packages = {name.rpartition("/")[0] for name in names if name.endswith("/__init__.py")}
    for name in names:
        path = name[len(inside) + 1 :]
        parts = path.split("/")
        if not name.startswith(inside + "/") or name.endswith("/") or any(part.startswith(".") for part in parts):
            continue
        above = {f"{inside}/{'/'.join(parts[:count])}" for count in range(1, len(parts))}
        if not above & packages and _is_data(path, first_party):
            yield path


def _files_below(directory: str, prefix: str, first_party: bool) -> Iterator[str]:
    try:
        with os.scandir(directory) as scan:
            items = sorted(scan, key=lambda item: item.name)
    except OSError:
        return
    for item in items:
        if item.name.startswith("."):
            continue
        if item.is_dir(follow_symlinks=False):
            if item.name != "__pycache__" and not os.path.isfile(os.path.join(item.path, "__init__.py")):
                yield from _files_below(item.path, f"{prefix}{item.name}/", first_party)
        elif leads_to(item.is_file) and _is_data(prefix + item.name, first_party) and not (
            item.is_symlink() and _leads_out(item.path, directory)
        ):
            yield prefix + item.name


def _is_data(path: str, first_party: bool) -> bool:
    """Source is had by importing it, where that is allowed; below a package installed it may be a template."""
    if path.endswith(".py"):
        return not first_party and "/" in path
    return not path.endswith(_NEVER)


def _spelt_so(directory: str, path: str) -> bool:
    """Whether a file has exactly this path. Where names are compared without their case, as on macOS, others open it,
    too: on those nobody has ruled, and ``.PY`` is no suffix of data."""
    for part in path.split("/"):
        other = part.swapcase()
        if other != part and os.path.lexists(os.path.join(directory, other)) and part not in os.listdir(directory):
            return False
        directory = os.path.join(directory, part)
    return True


def _leads_out(path: str, directory: str) -> bool:
    """Whether a symbolic link points out of the package."""
    top = os.path.realpath(directory)
    return os.path.commonpath([os.path.realpath(path), top]) != top
