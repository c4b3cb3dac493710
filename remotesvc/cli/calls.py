"""What `run` and `call` share: words that belong to a function, and what is known of it here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from remotesvc.bootstrap.data.limits import MAX_MESSAGE

from .options import option_table
from .problems import BadUsage, NoSuchFunction, OurError
from .settings import Settings
from .stdin import take_stdin

if TYPE_CHECKING:
    from remotesvc.fleet.arguments import FactsPlace
    from remotesvc.fleet.member import Member

    from .arguments.bind import Word
    from .arguments.signature import Callee
    from .arguments.target import Target
    from .fanout import Session, Work

_MOST = MAX_MESSAGE - (1 << 20)
"""Bytes of standard input that become an argument: one message, with room for the rest of the call."""
STDIN = "/dev/stdin"
"""What a target that begins with -: is rewritten to, before click takes it for an option."""
WORDS = "remotesvc.words"
"""Where the words of the function wait in click's meta until the command runs."""
_OF_ARITY = re.compile(r"\b(takes|missing|expected)\b.*\bargument|\bunexpected keyword\b")
"""What a TypeError says that is about the number and the names of arguments."""
_BEHIND = "remotesvc.behind"
"""Where the options of ours that stood behind the target wait there."""


class RunCommand(click.Command):
    """A command whose target may be followed by options that are not ours but the function's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from .arguments.split import split_words
        from .arguments.usage import wants_usage

        ours, theirs, behind = split_words(args, option_table(self))
        ctx.meta[WORDS], ctx.meta[_BEHIND] = theirs, behind
        if wants_usage(behind):
            ours = [word for word in ours if word not in behind or word not in ctx.help_option_names]
        return super().parse_args(ctx, [STDIN + word[1:] if word.startswith("-:") else word for word in ours])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[ARG]...", "[--NAME VALUE]..."]


@dataclass(frozen=True)
class Prepared:
    """A session whose hosts are to run one function, and the arguments of it."""

    session: Session
    args: list[Any]
    kwargs: dict[str, Any]
    facts: FactsPlace | None
    all_json: bool

    def arguments(self, host: Member) -> tuple[Sequence[Any], dict[str, Any]]:
        """Those for one host: with what is known of it, where the function takes that."""
        return (self.args, self.kwargs) if self.facts is None else self.facts.fill(self.args, self.kwargs, host.facts())

    def run(self, work: Work) -> int:
        """As of the session; with a hint where a call failed because its arguments were texts, perhaps."""
        code = self.session.run(work)
        if not self.all_json and any(isinstance(value, str) for value in (*self.args, *self.kwargs.values())):
            _explain_type_errors(self.session)
        return code


def prepare(
    ctx: click.Context, hosts: str, target: Target, settings: Settings, keywords: Sequence[str], all_json: bool,
    of_service: bool = False,
) -> Prepared:  # fmt: skip
    """What is to be run on the hosts of a pattern: the target's function, with the words behind it and those of --kw.

    Raises BadUsage for what this machine knows that it cannot work. Ends the command where its options only ask.
    """
    from .arguments.deferred import as_records
    from .fanout import Session

    callee = _examine(target, of_service)
    _settle_options(ctx, callee)
    session = Session.of(ctx, hosts, settings.replace(path=target.path))
    args, kwargs = _arguments_for(session, callee, ctx.meta[WORDS], keywords, all_json)
    if of_service:
        args, kwargs = as_records(args), as_records(kwargs)
    return Prepared(session, args, kwargs, callee.facts, all_json)


def _examine(target: Target, of_service: bool) -> Callee:
    """What this machine knows of the target's function; BadUsage if it knows that it cannot be called."""
    from .arguments.signature import parse_source, read_callee, unchecked
    from .arguments.target import find_source, module_finder

    source = find_source(target)
    if source is None:
        return unchecked(target.call, f"there is no module {target.module} here; the target may have it")
    if source.text is None:
        return unchecked(target.call, f"{target.module} has no Python source here")
    tree = parse_source(source.text, source.file)
    try:
        return read_callee(tree, target.module, target.qualname, source.submodules, of_service, module_finder(target))
    except NoSuchFunction:
        if not source.standard:
            raise
        # The standard library is the target's own, and that may be another version.
        return unchecked(target.call, f"{target.module} of this machine has no such function")


def _settle_options(ctx: click.Context, callee: Callee) -> None:
    """What options of ours mean behind the target, now that the function is known: its own help, which ends the
    command; BadUsage where they are parameters of it, too."""
    from .arguments.usage import check_names, usage_of, wants_usage

    behind = ctx.meta[_BEHIND]
    if wants_usage(behind):
        click.echo(usage_of(callee, ctx.info_name or "run"))
        ctx.exit()
    check_names(callee, behind)


def _arguments_for(
    session: Session, callee: Callee, words: Sequence[Word], keywords: Sequence[str], all_json: bool
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call, from the words behind the target and those of --kw; see `bind`."""
    from .arguments.bind import bind

    if not callee.checked and session.settings.verbose:
        session.console.note(f"{callee.name} is called unchecked: {callee.why}")
    return bind(callee, words, keywords, stdin_reader(session.settings), all_json=all_json)


def _explain_type_errors(session: Session) -> None:
    """A hint where a call failed because its arguments were texts, perhaps: not because of how many they were."""
    from .show.told import Told

    errors = [Told.of(outcome.error) for outcome in session.outcomes if outcome.error is not None]
    if any(error.type == "TypeError" and not _OF_ARITY.search(error.message) for error in errors):
        session.console.note(
            "Arguments without an annotation travel as strings; --json-args reads 4 as a number and [1, 2] as a list."
        )


def stdin_reader(settings: Settings, what: str = "an argument") -> Callable[[], bytes]:
    """What reads standard input for the argument -, or for `what` else."""

    def read() -> bytes:
        take_stdin(what)
        if settings.no_stdin:
            raise BadUsage("an argument is -, and -n forbids reading standard input")
        if sys.stdin is None:
            raise BadUsage("an argument is -, and standard input is closed")
        data = sys.stdin.buffer.read(_MOST + 1)
        if len(data) > _MOST:
            raise OurError(f"standard input has more than {_MOST >> 20} MiB, the most that a call can carry; copy it"
                           " there first: remotesvc push PATTERN - FILE")
        return data

    return read
