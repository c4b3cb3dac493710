"""A Context: the handle to one Python process in the tree, here or anywhere."""

import time

from ..bootstrap.bound import Bound
from ..bootstrap.calls.current import current
from ..bootstrap.calls.pending import Pending
from ..bootstrap.errors import CallTimeout, UsageError
from ..bootstrap.links import wire
from .chain import Chain
from .invocation import Invocation
from .options import DEFAULTS, Options
from .outcomes import own_error
from .targets import own_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple, Type, TypeVar

    T = TypeVar("T")

    from ..files.copied import Copied
    from ..jobs.job import Job
    from ..jobs.record import JobInfo
    from ..launch.tree import Tree
    from .typed import TypedCalls
else:
    TypedCalls = object


class Context(Bound, TypedCalls):
    """A process that runs calls: ``call`` and waits, ``submit`` and does not, ``cast`` and never hears of it again.

    Made by the methods of ``Router``; any number of handles may stand for the same process. A handle is cheap and
    thread-safe. It can be passed in a call, for another process to use.

    id    the number of the process in the tree of its router
    name  what output and errors call it: the host, as a rule
    """

    def __init__(self, tree: "Tree", number: "int", name: "str" = "", options: "Options" = DEFAULTS) -> "None":
        self.tree = tree
        self.id = number
        self.name = name or "context %d" % number
        self._options = options

    def __repr__(self) -> "str":
        return "<Context %d %s>" % (self.id, self.name)

    def __eq__(self, other: "object") -> "bool":
        return isinstance(other, Context) and (other.tree, other.id) == (self.tree, self.id)

    def __hash__(self) -> "int":
        return hash((id(self.tree), self.id))

    def __remotesvc_wire__(self) -> "Tuple[str, int, str, Any]":
        return ("context", self.id, self.name, self.tree.router)

    def __copy__(self) -> "Context":
        return Context(self.tree, self.id, self.name, self._options)

    def __deepcopy__(self, memo: "Any") -> "Context":
        return self.__copy__()

    def __remotesvc_reduce__(self) -> "Any":
        return _arrived, (self.id, self.name)

    # -- calling
    # What ``fn`` takes by keyword may have any name, ``self`` and ``fn`` too: hence the plain ``*args`` below.

    if not TYPE_CHECKING:  # as TypedCalls says
        def call(*args: "Any", **kwargs: "Any") -> "Any":
            """``call(fn, *args, **kwargs)``: run ``fn`` there and return what it returned.

            ``fn`` is a function, class, classmethod, builtin, ``functools.partial`` or "module:function"; coroutine
            functions are run to their end, generator functions give an iterator. What has no name of its own (lambda,
            closure) travels pickled; to another Python version as source, or it ends in VersionSkewError.

            Raises CallError if it raised there, CallTimeout, Cancelled, NotSent (certainly not run), Lost (may have
            run), EncodeError, ConnectError when the target never came up.
            """
            self, fn, args = own_args(args)
            return Invocation(self, fn, args, kwargs, self._options).result()

        def submit(*args: "Any", **kwargs: "Any") -> "Any":
            """``submit(fn, *args, **kwargs)``: like ``call``, but returns a Future at once.

            It waits only while 8 MiB or 10,000 calls are unanswered. ``cancel()`` reaches the target. On the master it
            is a ``concurrent.futures.Future``; done-callbacks run on a thread of the router.

            Raises what is wrong here (UsageError, EncodeError, VersionSkewError, RouterClosed). How the call ended is
            told by the future alone: also NotSent, a link that is lost while the arguments are written, and a
            ConnectError.
            """
            self, fn, args = own_args(args)
            return self.tree.future(Invocation(self, fn, args, kwargs, self._options))

    def cast(*args: "Any", **kwargs: "Any") -> "None":
        """``cast(fn, *args, **kwargs)``: run it and forget it. A failure there is logged on the master."""
        self, fn, args = own_args(args)
        Invocation(self, fn, args, kwargs, self._options).send(0)

    def call_service(*args: "Any", **kwargs: "Any") -> "Any":
        """``call_service(service, method, *args, **kwargs)``: call a method of a service that lives there.

        ``service`` is a ``remotesvc.service.Service`` class or its name, "package.module.Class". The first call from a
        parent makes it. A generator method gives an iterator. Raises, besides what ``call`` does, a ServiceRefused.
        """
        self, service, method, args = _three(args)
        return self._service_call(service, method, args, kwargs).result()

    def call_service_async(*args: "Any", **kwargs: "Any") -> "Any":
        """Like ``call_service``, but returns a Future at once."""
        self, service, method, args = _three(args)
        return self.tree.future(self._service_call(service, method, args, kwargs))

    def cast_service(*args: "Any", **kwargs: "Any") -> "None":
        """Like ``call_service``, but never hears of it again. A failure there is logged on the master."""
        self, service, method, args = _three(args)
        self._service_call(service, method, args, kwargs).send(0)

    def service(self, service: "Type[T]") -> "T":
        """A stand-in for a service that lives there: ``ctx.service(DiskUsage).usage(path="/var")``. Methods are called
        like those of the class; ``@no_reply`` methods return at once."""
        from .services import Proxy
        return Proxy(self, service)  # type: ignore[return-value]

    def _service_call(self, service: "Any", method: "Any", args: "Any", kwargs: "Any") -> "Any":
        from .services import ServiceInvocation
        return ServiceInvocation(self, service, method, args, kwargs, self._options)

    @property
    def call_options(self) -> "Options":
        """The options of calls through this handle."""
        return self._options

    def options(self, **options: "Any") -> "Context":
        """This context with other call options; see ``Options``. They never collide with ``fn``'s keywords."""
        return self.under(self._options.replace(options))

    def under(self, options: "Options") -> "Context":
        """This context with these call options and no others: what is checked once serves many contexts."""
        return Context(self.tree, self.id, self.name, options)

    def chain(self) -> "Chain":
        """Calls in order: ``with ctx.chain() as chain: chain.submit(...)``. After the first error the rest do not run,
        and report that error."""
        return Chain(self, lambda fn, args, kwargs: Invocation(self, fn, args, kwargs, self._options))

    # -- detached jobs

    def detach(*args: "Any", **kwargs: "Any") -> "Job":
        """``detach(fn, *args, **kwargs)``: have ``fn`` run there in a process of its own, which goes on when this
        program and the connection are gone; returns its Job once it has begun.

        All that it can be seen to import goes along, and nothing else: see docs/calls.md. Of the options, ``timeout``
        is for beginning it. Raises JobError, EncodeError, VersionSkewError, and what a call raises; whether it has
        begun after a Lost, ``jobs()`` tells.
        """
        from ..jobs.job import detach
        self, fn, args = own_args(args)
        return detach(self, fn, args, kwargs)

    def job(self, id: "str") -> "Job":
        """The Job of an id, or of the beginning of one. Raises UsageError for what cannot be one; nothing is asked."""
        from ..jobs.job import Job
        return Job(self, id)

    def jobs(self) -> "List[JobInfo]":
        """The detached jobs of this user on that machine, those that began last at the end. Raises JobError."""
        from ..jobs.job import jobs
        return jobs(self)

    # -- files

    def push(self, src: "Any", dst: "Any", dry_run: "bool" = False, **options: "Any") -> "Copied":
        """Copy a file, a directory, bytes or an object with ``read`` of this process to ``dst`` there.

        ``dst`` gets its content whole and verified, or keeps what it has. A file goes below ``dst`` if that is a
        directory or ends with "/"; a directory becomes ``dst``, or goes below it if that ends with "/". With
        ``dry_run`` it only says what would be done. Options: see ``remotesvc.files.options.Options``.

        Raises OSError of either side, TransferError, UsageError, and what a call raises.
        """
        from ..files.options import Options as Transfer
        if dry_run:
            from ..files.rehearsal import push
        else:
            from ..files.push import push
        return push(self, src, dst, Transfer(self._in_time(options)))

    def pull(self, src: "Any", dst: "Any", dry_run: "bool" = False, **options: "Any") -> "Copied":
        """Copy the file or directory ``src`` there to ``dst``, a path here or an object with ``write``; as ``push``."""
        from ..files.options import Options as Transfer
        if dry_run:
            from ..files.rehearsal import pull
        else:
            from ..files.pull import pull
        return pull(self, src, dst, Transfer(self._in_time(options)))

    def sync(self, src: "Any", dst: "Any", checksum: "bool" = False, delete: "bool" = False,
             dry_run: "bool" = False, delta: "bool" = True, **options: "Any") -> "Copied":
        """Make the directory ``dst`` there what ``src`` is here, sending only what differs; options as ``push``.

        Files are equal if size, mode and modification time are; with ``checksum`` if size, mode and content are.
        ``delete`` removes what is only there, ``dry_run`` only says what would be done, ``delta`` sends of large
        files what is new in them.
        """
        from ..files.options import Options as Transfer
        from ..files.sync import sync
        return sync(self, src, dst, Transfer(self._in_time(options)), checksum, delete, dry_run, delta)

    def _in_time(self, options: "Dict[str, Any]") -> "Dict[str, Any]":
        """Options of a transfer: of those of calls, the time limit holds for it, too."""
        options.setdefault("timeout", self._options.timeout)
        return options

    # -- life

    @property
    def info(self) -> "Dict[str, Any]":
        """What the process says of itself: version, magic, platform, pid, hostname, executable, uid. Waits for
        READY."""
        return self.tree.ledger.start_of(self.id).wait()  # type: ignore[no-any-return]

    @property
    def phases(self) -> "Dict[str, float]":
        """Seconds each stage of connecting took."""
        return self.tree.ledger.start_of(self.id).phases  # type: ignore[no-any-return]

    @property
    def diagnostics(self) -> "str":
        """What the target said before its kernel was up, as a profile does; not escaped. Empty where another context
        started it, or some time after it is gone."""
        return self.tree.ledger.start_of(self.id).diagnostics  # type: ignore[no-any-return]

    def wait_ready(self) -> "Context":
        """Wait until the process is up; returns this context. Raises the ConnectError that prevented it."""
        self.tree.ledger.start_of(self.id).wait()
        return self

    def ping(self, timeout: "float" = 20.0) -> "float":
        """Seconds to the process's reader and back. Raises CallTimeout, Lost, NotSent."""
        pending = Pending(self.id, "ping")
        pending.handle = self.tree.router.open(pending)
        begun = time.monotonic()
        try:
            self.tree.router.link_to(self.id)
            self.tree.router.control(wire.Frame(wire.PING, dst=self.id, handle=pending.handle))
            if not pending.wait(timeout):
                raise CallTimeout("no answer to a ping within %g s" % timeout, host=self.name, call="ping")
        finally:
            self.tree.router.drop(pending.handle)
        if isinstance(pending.outcome, BaseException):
            raise own_error(self, pending.outcome, "ping")
        return time.monotonic() - begun

    def close(self) -> "None":
        """End the process and what it started; waiters are released. Idempotent."""
        self.tree.close_context(self.id)

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *exc_info: "Any") -> "None":
        self.close()


def _arrived(number: "int", name: "str") -> "Any":
    """A Context that was pickled, with a call that only pickle could carry."""
    return current().router.bindings.make_context(number, name)


def _three(args: "Tuple[Any, ...]") -> "Tuple[Any, Any, Any, Tuple[Any, ...]]":
    if len(args) < 3:
        raise UsageError("give the service and the method to call")
    return args[0], args[1], args[2], args[3:]
