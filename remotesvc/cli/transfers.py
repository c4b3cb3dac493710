"""What `push`, `pull` and `sync` share: their options, the run over hosts, and how an outcome is shown."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from remotesvc.bootstrap.errors import Cancelled, Error
from remotesvc.escape import one_line
from remotesvc.fleet.outcome import Outcome

from .options import COMPLETE_FILES, connection_options, here, hosts_argument, output_options
from .problems import BadUsage
from .settings import Settings, use_progress
from .show.meter import Meter, size_text

if TYPE_CHECKING:
    from remotesvc.fleet.member import Member

    from .visit import Visit

Function = TypeVar("Function", bound=Callable[..., Any])
SKIPPED_SHOWN = 3
"""Names of skipped entries in the line about a transfer; --json has the first hundred."""
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


def rate(text: str) -> float:
    """Bytes a second: 500k, 10M, 1.5G."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(?:b?(?:/s)?)?", text.strip().lower())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{text!r} is no rate such as 500k, 10M or 1.5G")
    return float(match[1]) * _UNITS[match[2]]


def size(text: str) -> int:
    """Bytes: 4096, 500k, 10M, 1.5G."""
    try:
        return int(rate(text))
    except click.BadParameter:
        raise click.BadParameter(f"{text!r} is no size such as 500k, 10M or 1.5G") from None


def mode(text: str) -> int:
    """Permission bits as chmod has them: 0644."""
    if re.fullmatch(r"[0-7]{1,4}", text) is None:
        raise click.BadParameter(f"{text!r} is not a mode such as 0644")
    return int(text, 8)


_OPTIONS = (
    click.option("--mode", type=mode, metavar="0644", help="Permission bits of the files."),
    click.option("--owner", metavar="USER[:GROUP]", help="Owner of the files, as the receiving machine knows them."),
    click.option("-t", "--times", is_flag=True, help="Keep modification times."),
    click.option("--symlinks", type=click.Choice(["keep", "follow", "skip"]), default="keep", show_default=True,
                 help="Links inside a directory."),
    click.option("--ignore", multiple=True, metavar="RULE", help="Leave out what a rule of .gitignore matches."),
    click.option("--ignore-from", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False),
                 help="Rules from a file such as .gitignore."),
    click.option("--compress", type=click.Choice(["auto", "off", "zlib"]), default="auto", show_default=True,
                 help="auto: where data shrinks and the line is slow."),
    click.option("--no-durable", is_flag=True, help="Do not wait until the disk has it."),
    click.option("--no-resume", is_flag=True, help="Begin anew, and leave nothing when interrupted."),
    click.option("--max-bytes", type=size, metavar="BYTES", help="Refuse more than so many, each SRC of each host."),
    click.option("--rate", type=rate, metavar="BYTES/S", help="At most so many bytes a second, each host."),
)  # fmt: skip


DRY_RUN = click.option("-C", "--dry-run", "--check", "dry_run", is_flag=True, help="Only say what would be done.")


def transfer_options(function: Function) -> Function:
    """Add the options that say how to transfer."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def copy_command(function: Function) -> Function:
    """Make a function the rest of `push` or `pull`: it gets the context, hosts, sources and destination, and
    everything else by name."""
    command: Any = click.pass_context(function)
    for add in (output_options, connection_options, transfer_options, DRY_RUN,
                click.argument("destination", metavar="DST"),
                click.argument("sources", nargs=-1, metavar="SRC...", shell_complete=COMPLETE_FILES,
                               callback=_at_least_one), hosts_argument):
        command = add(command)
    return command  # type: ignore[no-any-return]


def _at_least_one(ctx: click.Context, parameter: click.Parameter, sources: tuple[str, ...]) -> tuple[str, ...]:
    # click takes a single word after PATTERN for DST, and would say that SRC is missing: more likely DST was left out.
    if not sources and not ctx.resilient_parsing:
        # Who knows scp writes HOST:PATH, which makes one word of two.
        raise click.UsageError("two paths are needed behind the hosts: what to copy, SRC, and where to, DST; as in"
                               f" remotesvc {ctx.info_name} web1 SRC DST, not web1:PATH", ctx)
    return sources


def check_names(sources: Sequence[str]) -> None:
    """Raises BadUsage if two of several SRC have one name: the second would take the place of the first."""
    from remotesvc.files.directories import is_content

    known: dict[str, str] = {}
    for source in sources:
        name = os.path.basename(source)
        if not is_content(source) and known.setdefault(name, source) != source:
            raise BadUsage(f"{known[name]} and {source} would both become {name} in DST; give each a DST of its own")


def take_options(values: dict[str, Any]) -> dict[str, Any]:
    """Remove them from a command's parameters; returns options of `Context.push`."""
    rules = list(values.pop("ignore"))
    for name in values.pop("ignore_from"):
        with open(name, encoding="utf-8-sig", errors="surrogateescape") as file:
            rules += file.read().splitlines()
    return {
        "mode": values.pop("mode"), "owner": values.pop("owner"), "times": values.pop("times"),
        "symlinks": values.pop("symlinks"), "exclude": rules, "compress": values.pop("compress"),
        "durable": not values.pop("no_durable"), "resume": not values.pop("no_resume"), "limit": values.pop("rate"),
        "max_bytes": values.pop("max_bytes"),
    }  # fmt: skip


@dataclass
class Moves:
    """What one host's transfers came to; plain data for JSON through `as_data`."""

    copied: list[Any] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Sums over the transfers, and each of them."""
        each = [copied.as_data() for copied in self.copied]
        names = ("files", "links", "directories", "bytes", "sent", "wire", "resumed", "skipped", "deleted", "unchanged")
        return {**{name: sum(one[name] for one in each) for name in names}, "transfers": each}

    def text(self, names: bool = False, planned: str = "") -> str:
        """One line for people; with `names`, after a line for each file that was sent or deleted.

        `planned`: nothing was done, the lines say what would be, by this verb.
        """
        data, would = self.as_data(), "would " if planned else ""
        lines = [f"{would}{planned or 'send'} {name}" for copied in self.copied for name in copied.changed_names]
        lines += [f"{would}delete {name}" for copied in self.copied for name in copied.deleted_names]
        parts = [_count(data["files"], "file"), size_text(data["bytes"])]
        if planned:
            parts[0] = f"would {planned} {parts[0]}"
            places = ", ".join(dict.fromkeys(one_line(copied.path) for copied in self.copied if copied.path))
            parts[1] += f" to {places}" if places else ""
            parts += [f"would delete {data['deleted']}"] if data["deleted"] else []
            parts += [f"{data['unchanged']} unchanged"] if data["unchanged"] else []
            parts += self._skipped()
            return "\n".join([*map(one_line, lines), ", ".join(parts)])
        seconds = sum(copied.seconds for copied in self.copied)
        if data["resumed"]:
            parts.append(f"{size_text(data['resumed'])} of it resumed")
        for name in ("unchanged", "deleted"):
            if data[name]:
                parts.append(f"{data[name]} {name}")
        parts += self._skipped()
        rate = f" ({size_text(data['sent'] / seconds)}/s)" if seconds else ""
        total = f"{', '.join(parts)} in {seconds:.2f} s{rate}"
        return "\n".join([*map(one_line, lines), total]) if names else total


    def _skipped(self) -> list[str]:
        """How many entries were left out, and the first of them."""
        count = sum(copied.skipped for copied in self.copied)
        names = [one_line(name) for copied in self.copied for name in copied.skipped_names][:SKIPPED_SHOWN]
        more = [f"and {count - len(names)} more"] if len(names) < count else []
        return [f"{count} skipped ({', '.join(names + more)})" if names else f"{count} skipped"] if count else []


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def run_transfers(ctx: click.Context, hosts: str, shared: dict[str, Any], check: Callable[[Sequence[Member]], object],
                  work: Callable[[Any, str, dict[str, Any]], Any], to_stdout: bool = False,
                  names: bool = False, planned: str = "") -> int:
    """Do `work(context, host, options)` for every host; it returns a `Copied` for each transfer, one by one.

    `check(hosts)` may raise BadUsage before anything is connected; `options` are progress, stop and timeout. `names`
    and `planned` are as of `Moves.text`.
    """
    from .fanout import Session

    settings = Settings.take(shared)
    session = Session.of(ctx, hosts, settings.replace(path=here(), no_progress=True))
    check(session.hosts)
    as_json = settings.json or settings.jsonl
    meter = Meter(session.console, use_progress(settings, os.environ, session.console.err.is_terminal), session.several)
    if to_stdout and as_json:
        raise BadUsage("standard output can be the file or JSON, not both")

    def for_host(visit: Visit) -> Moves | dict[str, Any]:
        stop, moves, label = threading.Event(), Moves(), visit.host.label
        visit.attempt.on_stop(stop.set)
        options = {"progress": meter.progress(label), "stop": stop, "timeout": settings.timeout or None}
        try:
            for copied in work(visit.context, visit.host.text, options):
                meter.ended(label)
                moves.copied.append(copied)
        except OSError as error:
            if isinstance(error, Error):  # the target's: ours are nothing but what the system says
                raise
            if to_stdout and isinstance(error, BrokenPipeError):
                session.console.out.broken = True  # whoever read it wants no more, and no word of it
                raise Cancelled("nobody reads standard output any more") from None
            raise type(error)(error.errno, f"here: {error.strerror}", error.filename) from None
        return moves.as_data() if as_json else moves

    def text(outcome: Outcome) -> str | None:
        if to_stdout:
            session.console.note(outcome.value.text())
            return None
        return str(outcome.value.text(names, planned))

    with meter:
        return session.run(for_host, text)
