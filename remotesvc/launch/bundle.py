"""What is sent to a new child: the command that runs stage 0, and the bundle of kernel modules it reads."""

import binascii
import os
import re
import struct
import threading
import zlib
from _frozen_importlib_external import MAGIC_NUMBER

from ..bootstrap import stage0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    Sources = Dict[str, Tuple[bool, bytes]]
    Codes = Dict[str, bytes]

KERNEL = "remotesvc.bootstrap"
_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.:_-/"
# The kernel imports its own modules in one form only, and at the top of a module at the beginning of a line.
_IMPORT = re.compile(rb"^from (\.+)([\w.]*) import (?:\(([\w, \n]+)\)|([\w, ]+))", re.M)
_WORD = re.compile(rb"\w+")
# Stage 0 travels compressed in an argument of ``python -c``, as one script without imports of ours. Its ``argv`` is
# ``[-c, name, its text, CODE, interpreters to try...]``: it goes on in another Python where this one is too old, and in
# a new one of 3.6 where the locale is C, for that one's file names are ASCII then. What it says, ``<remotesvc:WHAT
# detail>``, is looked at only when the kernel never comes.
#
# What is imported before BARE is the current directory's, if it has a file of that name.
BARE = "import sys;del sys.path[0];"
LOAD = "import zlib,binascii;exec(zlib.decompress(binascii.a2b_base64(sys.argv[2])))"
CODE = BARE + LOAD

# No file is written, not even bytecode; no PYTHON* variables, no user site, and no site at all: it is made up for at
# the first import that needs it.
FLAGS = "-BESsc"

# A profile that reads a line of stdin takes one of these instead of our preamble. And where a ForceCommand, or an `exec
# bash -i` in a profile, has a shell read stdin in place of our command, they end it before it runs what follows:
# arguments of calls are among that. The one with brackets is for a Python.
EXIT_READER = 97
SACRIFICE = b"exit 97\n" * 3 + b"exit(97)\n" + b"exit 97\n" * 2

# Seconds: whoever waits longer than a day for a kernel does not wait for this one.
LONGEST_BUDGET = 86400.0

# The order of the first flight's modules that compressed best of many tried: 600 bytes less than by words. What is not
# named here, or no longer there, only costs some bytes.
TRIED = ("finder", "output", "output.outlet", "child", "calls.execute", "entry", "calls", "remotesvc", "links",
         "links.stdio", "calls.current", "links.timers", "calls.dispatcher", KERNEL, "errors", "routing.leaf_routes",
         "links.link", "routing.router", "data", "routing", "data.limits", "links.credit", "links.streams",
         "links.wire", "data.codec", "data.pack")

# What a child imports by itself once the rest of the kernel is there, and what every child needs soon.
SOON = tuple(KERNEL + "." + each for each in (
    "complete", "lazy_parts", "calls.ask", "calls.pending", "output.capture", "output.stdstreams", "imports.importer",
    "data.unpack", "routing.closing"))

# Levels of zlib for sources and where bytecode goes along: the next ones take half as long again to save a hundredth.
LEVEL, CODE_LEVEL = 6, 5

# In the order of likelihood; RHEL 8 has only the second out of the box. The last one may be a Python 3 as
# well; where it is a Python 2, stage 0 says so.
CANDIDATES = ["python3", "/usr/libexec/platform-python", *["python3.%d" % each for each in range(14, 5, -1)], "python"]

# One line without ' ! \ or newline, so that sh, csh and fish alike hand it over unchanged. `exec` leaves no shell
# behind. A shim (pyenv, asdf, mise) is there whether or not the Python behind it is, so it is tried out first.
# Nor does a crash leave a core, with arguments and secrets in it, where that is allowed, as in most containers.
# Positional parameters: name, stage 0, candidates. It ends at once where stdin or stdout is closed.
PROBE = (
    ': 3<&0 4>&1;ulimit -Sc 0;n=$1;b=$2;c="' + CODE + '";shift 2;t="$*";while p=$1;test "$p";do shift;'
    'q=$(command -v "$p")&&case $q in */shims/*)"$p" -Sc "" </dev/null;;esac&&exec "$p" ' + FLAGS + ' "$c" "$n" "$b" '
    '"$c" "$@";done;echo "<remotesvc:nopython $t>";exit 127'
)


# The same where there is no shell: a core has nothing of the memory then. A minimal Python has no `resource`.
NO_CORE = "try:open('/proc/self/coredump_filter','w').write('0')\nexcept Exception:pass\n"

_own: "Dict[Any, Bundle]" = {}


class Bundle(object):
    """The kernel in the form it travels in; made once a process, sent many times. Thread-safe.

    ``first`` is what a child needs to run a first call, ``rest`` all other kernel modules: it follows once the child is
    up, so that nothing that could wait delays the first answer. ``codes`` gives what this process has ready of their
    bytecode: with it, a child of our magic number need not compile them, which takes it 15 ms for each part; each is 80
    KiB larger then.
    """

    def __init__(self, sources: "Sources", codes: "Callable[[Sources], Codes]") -> "None":
        early = needed(sources, KERNEL + ".entry") | {KERNEL + ".finder"}
        self._early = {name: source for name, source in sources.items() if name in early}
        self._late = {name: source for name, source in sources.items() if name not in early}
        self._codes = codes
        self._text = sources[KERNEL + ".stage0"][1]
        self.stage0 = binascii.b2a_base64(zlib.compress(self._text, 9), newline=False).decode()
        self._packed: "Dict[Any, bytes]" = {}
        self._lock = threading.Lock()

    def first(self, code: "bool" = False) -> "bytes":
        """The modules of the first flight; ``code``: with their bytecode."""
        make = (lambda: pack(self._early, self._codes(self._early), self._text)) if code else (
            lambda: pack_small(self._early, self._text))
        return self._once(("first", code), make)

    def rest(self, code: "bool" = False) -> "bytes":
        """The other modules; ``code``: with the bytecode of those that every child needs soon."""
        return self._once(("rest", code), lambda: pack(self._late, self._codes(self._soon()) if code else {}))

    def _once(self, key: "Any", make: "Callable[[], bytes]") -> "bytes":
        with self._lock:  # who is second waits, and has it sooner than by making it too
            if key not in self._packed:
                self._packed[key] = make()
            return self._packed[key]

    def _soon(self) -> "Sources":
        wanted: "Set[str]" = set()
        for name in SOON:
            wanted |= needed(self._late, name)
        return {name: self._late[name] for name in wanted}

    def preamble(self, marker: "bytes", budget: "float" = stage0.OWN_LIMIT, code: "bool" = False) -> "bytes":
        """All that stage 0 reads; ``marker``, 16 random bytes, comes back before the first frame. What is not up after
        ``budget`` seconds ends by itself, a little later: the parent knows better why it has to."""
        limit, first = int(min(budget, LONGEST_BUDGET)) + 5, self.first(code)
        return SACRIFICE + stage0.PREAMBLE + struct.pack(">16sII", marker, len(first), limit) + first

    def argv(self, python: "str", name: "str", before: "str" = "") -> "List[str]":
        """Start stage 0 with a known interpreter, which runs ``before`` first."""
        return [python, FLAGS, before + CODE, safe_name(name), self.stage0, CODE]

    def shell_command(self, name: "str", python: "Optional[str]" = None, known: "Optional[str]" = None) -> "str":
        """Start stage 0 on another machine, whatever its login shell: with ``python`` and no other, else with
        ``known``, which was there before, if it still is, else with what is found."""
        words = [safe_name(name), self.stage0]
        words += [quote_word(python)] if python else ([quote_word(known)] if known else []) + CANDIDATES
        return "exec sh -c '%s' sh %s" % (PROBE, " ".join(words))


def own_bundle(codes: "Callable[[Sources], Codes]") -> "Bundle":
    """The bundle of this process, whichever of its routers asks: to make one takes 20 ms. A fork makes one of its own,
    for the lock of this one may be held by a thread that the fork does not have."""
    key = (os.getpid(), codes)
    bundle = _own.get(key)
    if bundle is None:  # whoever asks at the same time makes another, which is as good
        bundle = Bundle(kernel_sources(), codes)
        _own.clear()
        _own[key] = bundle
    return bundle


def pack(sources: "Sources", codes: "Codes", known: "bytes" = b"", magic: "bytes" = MAGIC_NUMBER) -> "bytes":
    """Modules and bytecode, compressed in one piece with ``known`` as dictionary, the finder first;
    ``MemoryFinder.add`` takes what that gives."""
    names = sorted(sources, key=lambda name: (name != KERNEL + ".finder", name))
    pieces = _pieces(sources, names)
    for name, code in sorted(codes.items()):
        pieces.append(("%s %s %d" % (name, binascii.hexlify(magic).decode(), len(code)), code))
    return _compressed(pieces, CODE_LEVEL if codes else LEVEL, known)


def pack_small(sources: "Sources", known: "bytes") -> "bytes":
    """Modules as small as they can be, which takes ten times as long."""
    return _compressed(_pieces(sources, _akin(sources)), 9, known)


def _pieces(sources: "Sources", names: "List[str]") -> "List[Tuple[str, bytes]]":
    return [("%s %d %d" % (name, sources[name][0], len(sources[name][1])), sources[name][1]) for name in names]


def _compressed(pieces: "List[Tuple[str, bytes]]", level: "int", known: "bytes") -> "bytes":
    stream = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL + 1, zlib.Z_DEFAULT_STRATEGY,
                              *([known] if known else []))
    listing = "\n".join(line for line, _content in pieces).encode() + b"\n\n"
    return stream.compress(listing + b"".join(content for _line, content in pieces)) + stream.flush()


def _akin(sources: "Sources") -> "List[str]":
    """In an order that compresses well, for zlib looks back no further than 32 KiB: the finder, then those of the first
    flight as tried, then again and again the module of whose words the most have come before."""
    tried = [each if each.startswith("remotesvc") else KERNEL + "." + each for each in TRIED]
    order = [name for name in tried if name in sources]
    new = {name: set(_WORD.findall(source)) for name, (_is_pkg, source) in sources.items()}
    total = {name: len(words) or 1 for name, words in new.items()}
    come: "Set[bytes]" = set()
    for name in order:
        come |= new.pop(name)
    while new:
        for words in new.values():
            words -= come
        order.append(min(sorted(new), key=lambda name: (name != KERNEL + ".finder", len(new[name]) / total[name])))
        come = new.pop(order[-1])
    return order


def needed(sources: "Sources", name: "str") -> "Set[str]":
    """A kernel module and all that it imports when it is loaded; what functions import later does not count."""
    found, todo = set(), [name]  # type: Set[str], List[str]
    while todo:
        module = todo.pop()
        if module in found or module not in sources:
            continue
        found.add(module)
        todo.append(module.rpartition(".")[0])  # the package it lies in
        for match in _IMPORT.finditer(sources[module][1]):
            dots, below, names = match.group(1).decode(), match.group(2).decode(), match.group(3) or match.group(4)
            # One dot is the package a module lies in, each further one the package above.
            base = module.split(".")[:-len(dots) + sources[module][0] or None] + [below] * bool(below)
            todo.append(".".join(base))
            todo += [".".join(base + each.split()[:1]) for each in names.decode().split(",") if each.strip()]
    return found


def safe_name(name: "str") -> "str":
    """What ``ps`` shows: no character that any shell could take for its own."""
    return "remotesvc:" + "".join(c if c in _SAFE else "_" for c in name[:100])


def quote_word(path: "str") -> "str":
    """A path of an interpreter as one word of any shell. Raises UsageError for what no path of a Python needs."""
    from ..bootstrap.errors import UsageError
    if not path or path.startswith("-") or any(c in "'\\!\n\r\0" for c in path):
        raise UsageError("python=%r is not a path we can pass through a shell" % path)
    return "'%s'" % path


def kernel_sources() -> "Sources":
    """The kernel's modules by name: from memory in a child, from the files on the master."""
    loader: "Any" = stage0.__spec__.loader
    if hasattr(loader, "sources"):
        return loader.sources  # type: ignore[no-any-return]
    import remotesvc
    package = os.path.dirname(str(stage0.__file__))
    if not os.path.isdir(package):
        return _in_archive(package, remotesvc.__spec__)
    sources = {"remotesvc": (True, _read(os.path.join(os.path.dirname(str(remotesvc.__file__)), "__init__.py")))}
    for directory, below, files in os.walk(package):
        below[:] = sorted(set(below) - {"__pycache__"})
        place = [KERNEL] + os.path.relpath(directory, package).split(os.sep)
        name = ".".join(part for part in place if part != os.curdir)
        for file in sorted(each for each in files if each.endswith(".py")):
            is_pkg = file == "__init__.py"
            sources[name if is_pkg else "%s.%s" % (name, file[:-3])] = (is_pkg, _read(os.path.join(directory, file)))
    return sources


def _in_archive(package: "str", above: "Any") -> "Sources":
    """The kernel's modules where there are no files: in a zip archive, such as `zipapp` makes."""
    import importlib.util
    import pkgutil
    specs = [above, importlib.util.find_spec(KERNEL)]
    specs += [importlib.util.find_spec(found.name) for found in pkgutil.walk_packages([package], KERNEL + ".")]
    return {spec.name: (spec.submodule_search_locations is not None, spec.loader.get_data(spec.origin))
            for spec in specs}


def kernel_codes(sources: "Sources") -> "Codes":
    """The bytecode of these kernel modules that came along with them; the master looks elsewhere."""
    here = getattr(stage0.__spec__.loader, "codes", {})
    return {name: here[name] for name in sources if name in here}


def _read(path: "str") -> "bytes":
    with open(path, "rb") as file:
        return file.read()
