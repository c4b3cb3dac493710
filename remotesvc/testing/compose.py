"""Which container runs a service of a compose project; for fixtures, where it has to be one and the right one."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from remotesvc.bootstrap.errors import UsageError
from remotesvc.bootstrap.unreachable import ConnectError

_LABEL = "com.docker.compose."
_ROW = "\t".join(["{{.ID}}", "{{.State}}", "{{.Status}}", *(
    f'{{{{.Label "{_LABEL}{name}"}}}}' for name in ("container-number", "oneoff"))])  # fmt: skip
_UP = ("running", "paused")
"""States in which it is entered, or in which the engine's own word says why not."""
_SECONDS = 30
_LINES = 10
"""Lines of its log that say why a service is gone."""


@dataclass(frozen=True)
class _Container:
    id: str
    state: str
    status: str
    number: str


def container_of(project: str, service: str, index: int | None = None) -> str:
    """The id of the container that runs a service.

    index is the number of one of several, as in `compose exec --index`. Raises ConnectError if none runs, with the last
    words of one that did, and UsageError if several do and no index says which.
    """
    project = re.sub(r"[^-_a-z0-9]", "", project.lower())  # as docker-compose 1 does it; later ones refuse others
    there = _containers(project, service)
    if index is not None:
        there = [each for each in there if each.number == str(index)]
    running = [each for each in there if each.state in _UP]
    what = f"the service {service!r} of the project {project!r}"
    if len(running) > 1:
        numbers = ", ".join(sorted((each.number for each in running), key=lambda text: (len(text), text)))
        raise UsageError(f"{len(running)} containers run {what}: say which by index=, one of {numbers}")
    if running:
        return running[0].id
    which = what if index is None else f"number {index} of {what}"
    if not there:
        raise ConnectError(f"no container runs {which}", stage="exec")
    last = there[0]
    raise ConnectError(f"no container runs {which}: {last.status}", stage="exec", diagnostics=_log(last.id))


def _containers(project: str, service: str) -> list[_Container]:
    """Those of a service, the newest first, but not what `compose run` began beside it."""
    done = _docker("ps", "--all", "--no-trunc", "--format", _ROW, "--filter", f"label={_LABEL}project={project}",
                   "--filter", f"label={_LABEL}service={service}")  # fmt: skip
    if done.returncode:
        raise ConnectError("docker ps cannot tell what runs", stage="exec", diagnostics=done.stderr,
                           exit_status=done.returncode)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [_Container(*row[:4]) for row in rows if row[4].lower() != "true"]


def _log(container: str) -> str:
    done = _docker("logs", "--tail", str(_LINES), container)
    return done.stdout + done.stderr


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *words], capture_output=True, encoding="utf-8", errors="replace",
                              timeout=_SECONDS, check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConnectError(f"docker {words[0]} does not answer: {error}", stage="exec") from None
