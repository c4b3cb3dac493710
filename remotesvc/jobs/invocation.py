"""A call as it is handed to a job: encoded like any other, and never posted."""

from ..calling.invocation import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple


class Detached(Invocation):
    """One call that somebody else will run. ``named``: modules that a pickled function may import."""

    __slots__ = ("named",)

    def said(self) -> "Any":
        """What it says, encoded, without modules. Raises EncodeError, VersionSkewError."""
        self.named: "List[str]" = []
        return self._encoded(dict(self.options.wire), [])

    @property
    def modules(self) -> "List[str]":
        """The modules that have to be there before it can run, once it is encoded."""
        return self.named + [self.target.module] * bool(self.target.module)

    def _pickled(self, work: "Tuple[Any, Any, Any]") -> "Tuple[List[Any], List[Any]]":
        pickles, self.named = self.tree.pickles.parts(work, self.tree.ledger.starts.get(self.context.id))
        return pickles, []
