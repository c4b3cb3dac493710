"""Policies: who may call a method. Pure: they look at what the link says of the caller, never at its arguments.

A caller is known by ``src``, the context that asks, ``auth``, the context in whose name, and ``commands``, whether that
is a parent of ours. The hops stamp all three; nothing that a sender writes into a message can change them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable


class Policy(object):
    """Decides whether a caller may use a method: override ``allows``. ``&``, ``|`` and ``~`` combine policies.

    It is asked once for each call, before the call is queued, and must be quick.
    """

    def allows(self, service: "Any", caller: "Any") -> "bool":
        """May this caller use it? ``caller`` has ``src``, ``auth`` and ``commands``."""
        raise NotImplementedError("%s has no allows()" % type(self).__name__)

    def __and__(self, other: "Policy") -> "Policy":
        return AllOf(self, other)

    def __or__(self, other: "Policy") -> "Policy":
        return AnyOf(self, other)

    def __invert__(self) -> "Policy":
        return Not(self)

    def __repr__(self) -> "str":
        return "%s()" % type(self).__name__


class AllowParents(Policy):
    """The contexts above this one, up to the master; and this one itself."""

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return bool(caller.commands) or caller.src == caller.router.id


class AllowAny(Policy):
    """Every context that can reach this one."""

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return True


class AllowContexts(Policy):
    """The contexts named, by handle or id: a child that the master has started, say."""

    def __init__(self, contexts: "Iterable[Any]") -> "None":
        named = list(contexts)
        self.ids = frozenset(getattr(context, "id", context) for context in named)
        # Where a handle is named, its number means nothing in the tree of another router.
        self._named = [(getattr(each, "id", each), each.tree.router if hasattr(each, "tree") else None)
                       for each in named]

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return any(number == caller.src and home in (None, caller.router) for number, home in self._named)

    def __repr__(self) -> "str":
        return "AllowContexts(%s)" % sorted(self.ids)


class AllOf(Policy):
    """All of these agree."""

    def __init__(self, *policies: "Policy") -> "None":
        self.policies = policies

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return all(policy.allows(service, caller) for policy in self.policies)

    def __repr__(self) -> "str":
        return "(%s)" % " & ".join(map(repr, self.policies))


class AnyOf(Policy):
    """At least one of these agrees."""

    def __init__(self, *policies: "Policy") -> "None":
        self.policies = policies

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return any(policy.allows(service, caller) for policy in self.policies)

    def __repr__(self) -> "str":
        return "(%s)" % " | ".join(map(repr, self.policies))


class Not(Policy):
    """The other one says no."""

    def __init__(self, policy: "Policy") -> "None":
        self.policy = policy

    def allows(self, service: "Any", caller: "Any") -> "bool":
        return not self.policy.allows(service, caller)

    def __repr__(self) -> "str":
        return "~%r" % self.policy
