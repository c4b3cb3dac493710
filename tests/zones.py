"""Which module lies in which zone and on which floor of the house: the tables.

Zones: K is the kernel, which travels to every child first; P are the portable parts, fetched by children on
demand; M is what never leaves the master. Floors: what each part may import, one way only. A new module of
the kernel, or a new part of the package, gets its place here first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]

Zone = Literal["K", "P", "M"]

PORTABLE = (
    "remotesvc.calling",
    "remotesvc.exported",
    "remotesvc.files",
    "remotesvc.facts",
    "remotesvc.home",
    "remotesvc.host",
    "remotesvc.jobs",
    "remotesvc.launch",
    "remotesvc.messages",
    "remotesvc.pickling",
    "remotesvc.service",
    "remotesvc.shell",
)

# The floors of the kernel, lowest first. A module imports from its own floor and from those below it.
KERNEL_FLOORS: dict[str, tuple[str, ...]] = {
    # What runs before anything else of the kernel is there, and the packages, in which nothing but their names is.
    "start": ("finder", "stage0", "calls", "data", "failures", "imports", "links", "output", "routing"),
    # Values in, values out: no descriptor, thread, clock or logging.
    "pure": (
        "bound", "errors", "public_names", "unreachable",
        "data.arrays", "data.classes", "data.codec", "data.guard", "data.leaves", "data.limits", "data.marshalled",
        "data.pack", "data.places", "data.record", "data.resolve", "data.secret", "data.tags", "data.unpack",
        "data.values",
        "failures.callerror", "failures.contents", "failures.describe", "failures.rebuild",
        "imports.modules",
        "links.credit", "links.fragments", "links.gauge", "links.wire",
        "output.units",
        "routing.leaf_routes", "routing.routes",
    ),
    "I/O": (
        "forks",
        "links.assembly", "links.link", "links.outbox", "links.stdio", "links.streams", "links.timers", "links.waiting",
        "output.capture", "output.logs", "output.outlet", "output.stdstreams",
    ),
    "runtime": (
        "child", "complete", "entry", "lazy_parts", "shutdown",
        "calls.ask", "calls.awaiting", "calls.bysource", "calls.chain", "calls.current", "calls.dispatcher",
        "calls.execute", "calls.lineage", "calls.outcome", "calls.pending", "calls.pickled", "calls.process",
        "calls.reader_handover", "calls.refusals", "calls.unfold", "calls.workers",
        "imports.importer", "imports.lines", "imports.loaded", "imports.loader", "imports.metadata", "imports.relay",
        "imports.requests", "imports.resources", "imports.target",
        "links.large", "links.own_stream", "links.pace", "links.patience",
        "routing.closing", "routing.hub", "routing.ids", "routing.mailbox", "routing.router",
    ),
}

_K = "remotesvc.bootstrap"

# What each part of the package imports besides itself: CLI -> fleet -> master -> {modules, services,
# files, launch} -> calling -> kernel. The longest prefix that fits decides. A new way goes in here first; one
# that nobody takes any more goes out.
FLOOR_PLAN: dict[str, tuple[str, ...]] = {
    "remotesvc": (_K,),
    "remotesvc.calling": (_K,),
    "remotesvc.pickling": (_K,),
    "remotesvc.launch": (_K, "remotesvc.calling", "remotesvc.pickling"),
    # What runs on top of calls.
    "remotesvc.exported": (),
    "remotesvc.facts": (),
    "remotesvc.home": (),
    "remotesvc.host": (),
    "remotesvc.shell": ("remotesvc.messages",),
    "remotesvc.messages": (_K,),
    "remotesvc.service": (_K, "remotesvc.calling", "remotesvc.exported", "remotesvc.messages"),
    "remotesvc.files": (
        _K, "remotesvc.calling", "remotesvc.exported", "remotesvc.home", "remotesvc.messages", "remotesvc.service",
    ),
    "remotesvc.jobs": (_K, "remotesvc.calling", "remotesvc.home", "remotesvc.launch"),
    # The master, and what is built on it.
    "remotesvc.arguments": (_K,),
    "remotesvc.escape": (),
    "remotesvc.output": (_K, "remotesvc.escape"),
    "remotesvc.fastcodec": (_K,),
    "remotesvc.futures": (_K, "remotesvc.calling"),
    "remotesvc.modules": (_K,),
    "remotesvc.once": (_K,),
    "remotesvc.ssh": (_K, "remotesvc.launch", "remotesvc.escape", "remotesvc.once"),
    "remotesvc.connecting": (_K, "remotesvc.ssh"),
    "remotesvc.root": (
        _K, "remotesvc.calling", "remotesvc.launch", "remotesvc.messages", "remotesvc.output", "remotesvc.fastcodec",
        "remotesvc.futures", "remotesvc.modules",
    ),
    "remotesvc.router": (
        _K, "remotesvc.calling", "remotesvc.launch", "remotesvc.arguments", "remotesvc.output", "remotesvc.modules",
        "remotesvc.ssh", "remotesvc.connecting", "remotesvc.root",
    ),
    "remotesvc.fleet": (
        _K, "remotesvc.calling", "remotesvc.launch", "remotesvc.futures", "remotesvc.files", "remotesvc.jobs",
        "remotesvc.once", "remotesvc.service", "remotesvc.ssh", "remotesvc.router",
    ),
    "remotesvc.testing": (
        _K, "remotesvc.calling", "remotesvc.launch", "remotesvc.messages", "remotesvc.fastcodec", "remotesvc.ssh",
    ),
    "remotesvc.pytest_plugin": (_K, "remotesvc.ssh", "remotesvc.router", "remotesvc.testing"),
    "remotesvc.cli": (
        _K, "remotesvc.calling", "remotesvc.messages", "remotesvc.output", "remotesvc.futures", "remotesvc.files",
        "remotesvc.jobs", "remotesvc.modules", "remotesvc.ssh", "remotesvc.router", "remotesvc.fleet",
        "remotesvc.testing", "remotesvc.escape",
    ),
    "remotesvc.__main__": ("remotesvc.cli",),
}

# Imported by a context's methods inside functions only: what they stand for lies above calls.
FETCHED_BY_CALLING = ("remotesvc.files", "remotesvc.jobs")

# Imported by the kernel inside functions only: its parent sends them when a call needs them.
FETCHED_BY_KERNEL = (
    "remotesvc.calling.isolation",
    "remotesvc.launch.tree",
    "remotesvc.messages.sender",
    "remotesvc.service",
)

# Stage 0 starts the kernel: it has no package yet to be relative to, and what it starts lies above it.
STARTS = ("remotesvc.bootstrap.stage0", "remotesvc.bootstrap.entry")

# Run by themselves, without a package to be relative to.
SCRIPTS = ("remotesvc.__main__", "remotesvc.bootstrap.stage0", "remotesvc.jobs.start")

# Imported by what travels, inside functions only: not of the standard library, sent like any other module; the last is
# of the standard library from Python 3.14 on, where alone it is asked for.
LENT = ("cloudpickle", "pathspec", "annotationlib")

# What the kernel may import when one of its modules is loaded: cheap on a cold child, and in python3-minimal.
KERNEL_STDLIB = {
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_thread",
    "builtins",
    "collections",
    "errno",
    "heapq",
    "importlib",
    "io",
    "itertools",
    "marshal",  # the importer unmarshals code that came from above
    "os",
    "signal",
    "struct",
    "sys",
    "threading",
    "time",
    "types",
    "weakref",
    "zlib",
}


def within(module: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix itself or lies below it."""
    return module == prefix or module.startswith(prefix + ".")


def zone(module: str) -> Zone:
    """The zone of a module of the package."""
    if within(module, _K):
        return "K"
    if module == "remotesvc" or any(within(module, prefix) for prefix in PORTABLE):
        return "P"
    return "M"


def package_modules() -> dict[str, Path]:
    """Every module of the package, the kernel included, by its dotted name."""
    found = {}
    for top, prefix in ((ROOT / "remotesvc", "remotesvc"), (ROOT / "bootstrap", _K)):
        for path in python_files(top):
            parts = path.relative_to(top).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((prefix, *parts))] = path
    return found


def python_files(top: Path = ROOT) -> Iterator[Path]:
    """Every Python file below a directory, but for symlinks, hidden directories and what a build left."""
    for directory, subdirectories, names in os.walk(top):
        subdirectories[:] = sorted(
            name
            for name in subdirectories
            if not name.startswith(".") and name not in ("__pycache__", "build", "dist", "htmlcov", "venv")
        )
        yield from (Path(directory, name) for name in sorted(names) if name.endswith(".py"))
