"""A Job: the handle to a call that goes on by itself on a target, for whoever began it or knows its id."""

from ..bootstrap.calls.ask import error_untrusted
from ..bootstrap.data.limits import MAX_MESSAGE
from ..bootstrap.errors import CallTimeout, DecodeError, Lost, UsageError
from ..calling.context import Context
from ..calling.items import Items
from ..calling.outcomes import bindings_for, error_classes, own_error
from . import ids, outcome
from .errors import RAISES, JobError
from .invocation import Detached
from .printed import LIMIT, raw_untrusted, texts
from .record import FAILED, LOST, MOST_WORDS, RUNNING, head, info_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

    from .record import JobInfo

_THERE = "remotesvc.jobs.there:"
# Seconds that a job gets between SIGTERM and SIGKILL.
GRACE = 5.0


class Job(object):
    """A detached job on a target. Made by ``Context.detach``, or of its id by ``Context.job``.

    ``id`` is its name there, ``host`` that of the context, ``where`` its jobs_dir, if one was named. It can be pickled,
    for another program to go on with: there it needs a context first, which ``on`` gives it.
    """

    def __init__(self, context: "Optional[Context]", id: "str", host: "str" = "", where: "Optional[str]" = None
                 ) -> "None":
        self.id = ids.check(id)
        self.host = context.name if context is not None else host
        self.where = context.call_options.jobs_dir if context is not None else where
        self._context = context
        self._under_way: "Any" = None

    def __repr__(self) -> "str":
        return "<Job %s on %s>" % (self.id, self.host)

    def __reduce__(self) -> "Any":
        return Job, (None, self.id, self.host, self.where)

    def on(self, context: "Context") -> "Job":
        """This job by way of another context, which must be the same user's on the same machine."""
        return Job(context.options(jobs_dir=self.where) if self.where else context, self.id)

    def info(self) -> "JobInfo":
        """What is known of it now. Raises JobError if there is no such job."""
        return info_untrusted(self._call("told", self.id))

    def state(self) -> "str":
        """"running", "done", "failed" or "lost"."""
        return self.info().state  # type: ignore[no-any-return]

    def wait(self, timeout: "Optional[float]" = None) -> "JobInfo":
        """Wait until it has ended, for ``timeout`` seconds at most; what is known of it then. A connection that is lost
        meanwhile is Lost, and nothing to the job."""
        return info_untrusted(self._call("ended", self.id, timeout, calls=untimed(self._at)))

    def result(self, timeout: "Optional[float]" = None) -> "Any":
        """What its function returned, once it has; of a generator the list of all items.

        Raises what ``call`` raises for what it came to: CallError, EncodeError; Cancelled if it was ended from outside;
        Lost if its process went away; CallTimeout if it is still running after ``timeout`` seconds. JobError.
        """
        return self.outcome(timeout)[1]

    def outcome(self, timeout: "Optional[float]" = None) -> "Tuple[bool, Any]":
        """Whether its function was a generator, and what ``result`` returns; raises what that does. A generator that
        failed leaves what it gave before in ``items`` of the error."""
        info = self.wait(timeout)
        if info.state == RUNNING:
            raise CallTimeout("job %s is still running%s" % (info.id, "" if not timeout else
                                                             " after %g s" % timeout), self.host, info.call)
        if info.state == LOST:
            lost = Lost("job %s: %s" % (info.id, info.reason), self.host, info.call)
            lost.diagnostics = str(self._call("words", self.id))[:MOST_WORDS]
            raise lost
        if info.state == FAILED and info.ended is None:
            raise self._tree.cancelled("job %s was killed" % info.id, self.host, info.call)
        found = self._parts(info)
        if outcome.ERROR not in found:
            return outcome.ITEMS in found, next(iter(found.values()))
        error: "Any" = error_untrusted(found[outcome.ERROR], self.host, info.call,
                                       error_classes(self._at, self._at.call_options.classes), self._tree.source_line)
        if outcome.ITEMS in found:
            error.items = found[outcome.ITEMS]
        raise own_error(self._at, error, info.call)

    def output(self) -> "str":
        """What it has printed up to now, both streams in the order written; of too much, the beginning and the end.

        Raises JobError for more than 128 MiB, whatever the target was told to keep: ``printed`` gives it in pieces.
        """
        texts, size = [], 0
        for _stream, text in self.printed():
            texts.append(text)
            size += len(text)
            if size > MAX_MESSAGE:
                raise JobError("its output has more than %d characters" % MAX_MESSAGE, self.host)
        return "".join(texts)

    def follow(self, timeout: "Optional[float]" = None) -> "Iterator[Tuple[str, str]]":
        """(stream, text) of what it prints, from the beginning until it ends, or for ``timeout`` seconds. Leaving the
        loop ends nothing but that."""
        return self.printed(True, timeout)

    def printed(self, follow: "bool" = False, timeout: "Optional[float]" = None) -> "Iterator[Tuple[str, str]]":
        """(stream, text) of what it has printed up to now; with ``follow``, what the method of that name gives. What
        was left out is told as text of the stream "stderr"."""
        return texts(self.raw(follow, timeout))

    def raw(self, follow: "bool" = False, timeout: "Optional[float]" = None) -> "Iterator[Tuple[str, bytes]]":
        """(stream, bytes) of what it has printed, as ``printed`` gives it."""
        pieces = self._under_way = self._items("printed", self.id, follow, timeout)
        try:
            for stream, data in raw_untrusted(pieces):
                yield stream, data
        finally:
            self._under_way = None
            pieces.close()

    def kill(self, grace: "float" = GRACE) -> "JobInfo":
        """End it and what it has started, by SIGTERM, and after ``grace`` seconds by SIGKILL; what is known of it then.
        One that has ended stays as it is."""
        return info_untrusted(self._call("kill", self.id, float(grace)))

    def forget(self) -> "None":
        """Remove its records there. Raises JobError while it runs."""
        self._call("forget", [self.id])

    def stop_waiting(self) -> "None":
        """Have another thread that waits for anything of this job give up, with Cancelled."""
        under_way = self._under_way
        if under_way is not None:
            (getattr(under_way, "cancel", None) or under_way.close)()

    @property
    def _at(self) -> "Context":
        if self._context is None:
            raise UsageError("job %s of %s was unpickled: job.on(context) says how to reach it" % (self.id, self.host))
        return self._context

    @property
    def _tree(self) -> "Any":
        return self._at.tree

    def _call(self, what: "str", *args: "Any", calls: "Optional[Context]" = None) -> "Any":
        calls = calls or plain(self._at)
        future = self._under_way = calls.submit(_THERE + what, self.where, *args)
        try:
            return ours(self.host, future.result)
        finally:
            self._under_way = None

    def _items(self, what: "str", *args: "Any") -> "Items":
        found = self._call(what, *args)
        if not isinstance(found, Items):
            raise JobError("the target's answer about a job is malformed", self.host)
        return found

    def _parts(self, info: "JobInfo") -> "Dict[int, Any]":
        data = bytearray()
        items = self._items("result", self.id)
        try:
            for piece in items:
                if type(piece) is not bytes or len(data) + len(piece) > outcome.MOST:
                    raise DecodeError("the result of the job is damaged")
                data += piece
        finally:
            items.close()
        whole, router = bytes(data), self._tree.router
        if head(whole) is None:
            raise DecodeError("the result of the job is damaged")
        bindings = bindings_for(self._at, self._at.call_options.classes) or router.bindings
        return outcome.parts_untrusted(whole, lambda body, blobs, tagged: router.codec.decode(body, blobs, tagged,
                                                                                              bindings))


def untimed(context: "Context") -> "Context":
    """A handle to the same process for questions of ours: without the user's call options, and without a timeout."""
    return Context(context.tree, context.id, context.name).options(raises=RAISES)


def plain(context: "Context") -> "Context":
    """A handle to the same process, without the user's call options but the timeout: for questions that are answered at
    once."""
    return untimed(context).options(timeout=context.call_options.timeout)


def ours(host: "str", ask: "Callable[[], Any]") -> "Any":
    """What ``ask()`` returns. A JobError from the target is one of our own."""
    try:
        return ask()
    except JobError as error:
        raise JobError(error.message, host) from None


def jobs(context: "Context") -> "List[JobInfo]":
    """The jobs of the context's user on its machine, those that began last at the end."""
    found = ours(context.name, lambda: plain(context).call(_THERE + "listed", context.call_options.jobs_dir))
    if type(found) is not list:
        raise JobError("the target's answer about jobs is malformed", context.name)
    return [info_untrusted(each) for each in found]


def forget_ended(context: "Context") -> "List[str]":
    """Remove the records of all jobs that have ended; returns their ids."""
    gone = ours(context.name, lambda: plain(context).call(_THERE + "forget", context.call_options.jobs_dir, []))
    return [str(each)[:64] for each in gone] if type(gone) is list else []


def detach(context: "Context", fn: "Any", args: "Tuple[Any, ...]", kwargs: "Dict[str, Any]", run: "str" = "") -> "Job":
    """Begin a job; see ``Context.detach``. ``run``: what the ids of several have in common."""
    options = context.call_options
    context.wait_ready()  # before anything that might be secret is sent
    call = Detached(context, fn, args, kwargs, options)
    encoded = call.said()
    job = Job(context, ids.new_id(run))
    calls = plain(context)
    imports, alone = context.tree.whole(calls, call.modules)
    request = {
        "id": job.id, "name": call.call, "call": [encoded.data, [bytes(blob) for blob in encoded.blobs],
                                                  bool(encoded.tagged)],
        "imports": imports, "alone": alone, "where": options.jobs_dir,
        "settings": {name: options.wire[name] for name in ("cwd", "env", "umask", "nice") if name in options.wire},
        "limit": options.output_limit or LIMIT,
    }
    try:
        reply = ours(context.name, lambda: calls.call("remotesvc.jobs.begin:begin", request))
    except (Lost, CallTimeout) as error:
        error.message += "; whether job %s has begun, the list of jobs tells" % job.id
        raise
    if reply is None:
        return job
    if type(reply) is list and reply[:1] == ["refused"] and len(reply) > 1:
        raise JobError(str(reply[1])[:4096], context.name)
    refused = error_untrusted(reply, context.name, call.call, error_classes(context, options.classes),
                              context.tree.source_line)
    raise own_error(context, refused, call.call)
