"""What the work of a command is given for one host, and does there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .show.report import Streamed

if TYPE_CHECKING:
    from remotesvc.bootstrap.failures.callerror import CallError
    from remotesvc.fleet.attempt import Attempt
    from remotesvc.fleet.member import Member

    from .fanout import Session
    from .hosts import CallsLike, ContextLike


@dataclass(frozen=True)
class Visit:
    """One try at one host of a run, over a connection to it."""

    session: Session
    host: Member
    context: ContextLike
    attempt: Attempt

    def calls(self, **options: Any) -> CallsLike:
        """The context, with -T and these options of calls."""
        return self.context.options(timeout=self.session.settings.timeout or None, **options)

    def call(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn` there within -T; a stop of the run cancels the call."""
        return self.attempt.wait(lambda: self.calls().submit(fn, *args, **kwargs))

    def exhaust(self, value: Any) -> Any:
        """The value; of a generator function a list where it is kept for later, else each item is printed as it comes.

        Raises Cancelled when the run is stopped before the generator has ended.
        """
        if not hasattr(value, "__next__"):
            return value
        session = self.session
        if session.settings.keeps_answers or session.settings.write_result is not None:
            return self.attempt.whole(value)
        for item in self.attempt.each(value):
            text = session.console.value(item)
            if session.several:
                session.console.labelled_result(self.host.label, text)
            else:
                session.console.result(text if text.endswith("\n") else text + "\n")
        return Streamed()

    def explain(self, error: CallError) -> None:
        """Have an error say what is known here of its reason."""
        error.hint = self.session.router.explain_error(self.context, error)
