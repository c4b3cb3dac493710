"""Services: the base class, and the marks that make a method callable from elsewhere."""

from ..bootstrap.errors import UsageError
from ..bootstrap.imports.modules import MAIN
from .invoker import Invoker
from .methods import ARG_SPEC, EXPOSED, NO_REPLY, SILENT, mark, methods_of, refuse_unbound
from .policy import AllowParents, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, TypeVar, Union, overload

    from .methods import Method

    F = TypeVar("F", bound=Callable[..., Any])


class Service(object):
    """A long-lived object whose exposed methods other contexts call. One instance a context answers all of them.

    Subclass it, mark methods with ``@expose``, and call it from a parent: it is imported, built and kept there by the
    first call. ``__init__`` takes ``router``; override it for state of your own, and ``on_shutdown`` to let go of it.

    router   of the context it lives in: what was given to the Pool, or in a child what ``current().router`` is
    pool     the Pool it was added to
    invoker  what runs its methods: made of ``invoker_class``, which decides how they share threads
    select   a Select of its own: what is added to it, a Receiver, a Latch, a future, is listened to by the pool
    """

    invoker_class: "Callable[[Any], Any]" = Invoker
    # A method that returns this answers later, by the Message it asked for.
    NO_REPLY = NO_REPLY

    pool: "Any" = None
    invoker: "Any" = None

    def __init__(self, router: "Any" = None) -> "None":
        self.router = router

    def __init_subclass__(cls, **kwargs: "Any") -> "None":
        super().__init_subclass__(**kwargs)
        refuse_unbound(cls)

    @classmethod
    def name(cls) -> "str":
        """The name callers use: "package.module.Class" unless overridden."""
        module = cls.__module__
        if module == MAIN:
            from ..calling.program import main_name  # most children need it never
            module = main_name()
        return "%s.%s" % (module, cls.__qualname__)

    @classmethod
    def methods(cls) -> "Dict[str, Method]":
        """The exposed methods, by name."""
        return methods_of(cls)

    @property
    def select(self) -> "Any":
        """Add to it at any time, on any thread; ``on_message`` is called for each event."""
        found = self.__dict__.get("_select")
        if found is None:
            from ..messages.select import Select
            found = self.__dict__.setdefault("_select", Select())
            if self.pool is not None:
                self.pool.listen(self)
        return found

    def on_message(self, event: "Any") -> "None":
        """Something that was added to ``select`` has an item, or has ended: an Event with ``source``, ``value``,
        ``error``. Called on a thread of the pool, one after the other where the service's calls are. What it raises is
        reported."""
        raise NotImplementedError("%s has a select and no on_message()" % type(self).name())

    def on_shutdown(self) -> "Any":
        """The pool has ended: called once, after the last call, on one of its threads. It may be ``async``."""


if TYPE_CHECKING:
    @overload
    def expose(policy: "F") -> "F": ...
    @overload
    def expose(policy: "Optional[Policy]" = None) -> "Callable[[F], F]": ...


def expose(policy: "Union[Policy, F, None]" = None) -> "Any":
    """Make a method callable from elsewhere, by those the policy allows: parents, unless another is given.

    ``@expose`` and ``@expose(policy=AllowAny())`` may be repeated; then all policies must agree. A method that
    overrides an exposed one is not exposed until it is marked itself.
    """
    if policy is None or isinstance(policy, Policy):
        chosen = policy or AllowParents()
        return lambda function: mark(function, EXPOSED, lambda before: (before or ()) + (chosen,))
    if callable(policy) and not isinstance(policy, type):
        return mark(policy, EXPOSED, lambda before: (before or ()) + (AllowParents(),))
    raise UsageError("@expose takes a Policy, such as AllowAny(); %r is none" % (policy,))


def arg_spec(spec: "Dict[str, Any]") -> "Callable[[F], F]":
    """Say what arguments a method needs and of what class: ``@arg_spec({"path": str, "depth": (int, None)})``.

    Each is required unless the method has a default for it. It goes before what annotations say.
    """
    for name, kind in spec.items():
        if not isinstance(name, str) or not all(each is None or isinstance(each, type) for each in _alternatives(kind)):
            raise UsageError("arg_spec maps names of arguments to classes; %r: %r does not" % (name, kind))
    return lambda function: mark(function, ARG_SPEC, lambda before: dict(before or {}, **spec))


def no_reply() -> "Callable[[F], F]":
    """A method that never answers: callers do not wait for it, and what it raises is logged."""
    return lambda function: mark(function, SILENT, lambda before: True)


def _alternatives(kind: "Any") -> "Any":
    return kind if isinstance(kind, tuple) else (kind,)
