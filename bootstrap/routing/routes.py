"""Route decisions: who may speak for whom, and where a frame goes. Pure; the router carries the decisions out.

Identity is the link: a neighbour may speak for itself and for what is routed through it, and for nobody else.
"""
from .leaf_routes import LeafRoutes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Set


class RouteTable(LeafRoutes):
    """Which neighbour leads to which context, where there are children."""

    def __init__(self, own: "int", ancestors: "List[int]") -> "None":
        super().__init__(own, ancestors)
        # For each neighbour the ids its subtree may use, as [first, end]; blocks that touch are joined.
        self._leases: "Dict[int, List[List[int]]]" = {}
        # How many contexts are reached through each neighbour, itself not counted.
        self._behind: "Dict[int, int]" = {}

    def add_child(self, context: "int") -> "None":
        """A child of ours: its own neighbour."""
        self.via[context] = context

    def lease(self, neighbour: "int", first: "int", count: "int") -> "None":
        """Note the block of ids that the subtree of ``neighbour`` may use."""
        blocks = self._leases.setdefault(neighbour, [])
        if blocks and blocks[-1][1] == first:
            blocks[-1][1] += count
        else:
            blocks.append([first, first + count])

    def leased(self, neighbour: "int") -> "int":
        """How many ids that is so far."""
        return sum(end - first for first, end in self._leases.get(neighbour, ()))

    def _is_leased(self, neighbour: "int", context: "int") -> "bool":
        return any(first <= context < end for first, end in self._leases.get(neighbour, ()))

    def announce(self, neighbour: "int", context: "int") -> "bool":
        """A child says that ``context`` lies behind it; False if that id was never leased to its subtree."""
        if not self._is_leased(neighbour, context):
            return False
        if context not in self.via:
            self._behind[neighbour] = self.behind(neighbour) + 1
        self.via[context] = neighbour
        return True

    def behind(self, neighbour: "int") -> "int":
        """How many contexts are there behind a neighbour."""
        return self._behind.get(neighbour, 0)

    def drop(self, context: "int") -> "Set[int]":
        """Forget a context and all that was reached through it; returns the ids."""
        gone = {context}
        if self.via.get(context) == context:  # only a neighbour has others behind it, and only then all are looked at
            gone.update(other for other, neighbour in self.via.items() if neighbour == context)
        for other in gone:
            neighbour = self.via.pop(other, None)
            if neighbour in self._behind and neighbour != other:
                self._behind[neighbour] -= 1
            self._leases.pop(other, None)
        self._behind.pop(context, None)
        return gone

    def may_speak(self, neighbour: "Optional[int]", src: "int", auth: "int") -> "bool":
        """May a frame of this source and authority come from that neighbour?"""
        if neighbour is None:
            # The parent relays the rest of the world, but nothing of ours.
            return src != self.own and src not in self.via
        return self.via.get(src) == neighbour and self.via.get(auth) == neighbour

    def was_child(self, neighbour: "Optional[int]", src: "int") -> "bool":
        """Did that id once belong to the neighbour's subtree? Its last frames may still be on the way."""
        return neighbour is None or src == neighbour or self._is_leased(neighbour, src)


def sideways(neighbour: "Optional[int]", out: "Optional[int]") -> "bool":
    """From one child to another: siblings are strangers unless the owner of both opened the pair."""
    return neighbour is not None and out is not None
