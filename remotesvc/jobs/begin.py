"""On the target, in its kernel: begin a job in a process of its own, with all that it may import."""

import marshal
import subprocess
import sys

from ..bootstrap.calls.current import current
from ..bootstrap.data.marshalled import FORMAT
from ..bootstrap.finder import ROOT, from_parent
from ..bootstrap.imports.modules import pack as packed
from ..launch.bundle import BARE, FLAGS, pack, safe_name
from . import runner, start  # noqa: F401  # the runner is not used here, but has to come here to be passed on
from .errors import JobError
from .process import ends_with_kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

# What the new interpreter is told to do: nothing of the call is in it, for everybody may read it.
COMMAND = BARE + "import marshal;parcel=marshal.load(sys.stdin.buffer);exec(parcel['start'])"
# Seconds a job gets to say that it has begun: as long as a kernel.
LIMIT = 60.0


def lacking(guessed: "List[str]", standard: "List[str]") -> "List[str]":
    """Which of these this Python does not have: ``guessed`` packages may be installed here, ``standard`` modules are of
    the standard library, of which a minimal one has but a part."""
    router = current().router
    importer, finder = router.importer(), router.finder
    gone = [name for name in guessed if importer.target.find(name, None, False) is None]
    return gone + [name for name in standard if not _has(finder, name)]


def _has(finder: "Any", name: "str") -> "bool":
    """Is a module of the standard library here? Nothing is imported to find that out."""
    path: "Optional[List[str]]" = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        whole = ".".join(parts[:count])
        module = sys.modules.get(whole)
        if module is not None:
            path = getattr(module, "__path__", None)
            if from_parent(path) or str(getattr(module, "__file__", "")).startswith(ROOT):
                return False
            continue
        spec = finder.stdlib_spec(whole, path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return True


def begin(request: "Dict[str, Any]") -> "Any":
    """Have the job run; returns None once it has begun, or the error reply that says why it has not.

    ``request``: ``id``; ``name`` of what is called; ``call``, as [data, blobs, tagged]; ``imports``, what they find,
    marshalled; ``alone``, what they are told of all else; ``settings`` of the process; ``where`` the records go;
    ``limit`` of output.
    """
    if ends_with_kernel():
        raise JobError("a job would not outlive this connection: all processes here end with it (as those of"
                       " `buildah run` and `systemd-run` do)")
    router = current().router
    router.whole_kernel()
    importer, finder = router.importer(), router.finder
    # Ours that were sent to this process: it has imported the runner, which is among them.
    known = list(importer.entries.items())  # in one step: others come meanwhile
    ours = [entry for name, entry in known if name.startswith("remotesvc.") and entry.loadable]
    loader: "Any" = start.__loader__
    parcel = dict(request)
    parcel.update(start=loader.get_source(start.__name__), kernel=pack(finder.sources, finder.codes),
                  ours=[packed(entry) for entry in ours])
    said, errors = _run([sys.executable, FLAGS, COMMAND, safe_name("job:%s:%s" % (request["id"], request["name"]))],
                        marshal.dumps(parcel, FORMAT))
    if not said:
        raise JobError("the process of the job ended before it had begun\n%s" % errors[-4096:].strip())
    return marshal.loads(said)  # of a process that runs our code as this user


def _run(argv: "List[str]", parcel: "bytes") -> "Any":
    """Start the process of the job and give it its parcel; returns what it wrote to stdout and stderr until it closed
    both, which it does once it is on its own. Raises JobError."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except OSError as error:
        raise JobError("a process for the job cannot be started: %s: %s" % (argv[0], error.strerror)) from None
    try:
        said, errors = process.communicate(parcel, LIMIT)
    except subprocess.TimeoutExpired:
        # It will not run later: who cannot tell that it has begun does not.
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.kill()
        process.wait()
        raise JobError("the job did not begin within %g s" % LIMIT) from None
    return said, errors.decode("utf-8", "replace")

