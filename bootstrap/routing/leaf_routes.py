"""The routes of a context without children: everything goes to its parent, and only ancestors may command it."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional


class LeafRoutes(object):
    """Our ancestors, nearest first. Neighbours are named by their context id, the parent by ``None``."""

    def __init__(self, own: "int", ancestors: "List[int]") -> "None":
        self.own = own
        self.ancestors = ancestors
        self.via: "Dict[int, int]" = {}

    def towards(self, dst: "int") -> "Optional[int]":
        """The neighbour that leads to ``dst``: a child, or None for the parent."""
        return self.via.get(dst)

    def commands(self, neighbour: "Optional[int]", auth: "int") -> "bool":
        """Is the sender one of our ancestors, and does it come from above? Only those command."""
        return neighbour is None and auth in self.ancestors
