"""What a router is told is checked where it is said."""

from __future__ import annotations

import inspect
import logging
import os
from pathlib import Path
from typing import Any
from unittest.mock import call, create_autospec

import pytest

from remotesvc import Context, Router, Secret, UsageError, arguments, connecting


@pytest.mark.parametrize(("told", "message"), [
    ({"deny": "settings"}, r"deny='settings': give a list, deny=\['settings'\]"),
    ({"allow": "plugins.*"}, "allow='plugins"),
    ({"path": "/srv"}, "path='/srv'"),
    ({"path": Path("/srv")}, "give a list"),
    ({"deny": [3]}, "3 is no text"),
    ({"log_level": "LOUD"}, "log_level='LOUD' is no level of logging"),
    ({"log_level": None}, "log_level=None"),
    ({"log_level": 3.5}, "log_level=3.5"),
    ({"concurrency": 0}, "concurrency=0: a context runs at least one call"),
    ({"concurrency": "8"}, "concurrency='8'"),
    ({"concurrency": True}, "concurrency=True"),
    ({"interactive": "me"}, "interactive='me'"),
])  # fmt: skip
def test_arguments_of_a_router_that_mean_nothing_are_refused(told: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Router(**told)


def test_who_is_asked_may_be_somebody_of_the_callers() -> None:
    class Somebody:
        def confirm(self, question: str) -> bool:
            return True

        def secret(self, prompt: str) -> str | None:
            return None

    somebody = Somebody()
    with Router(interactive=somebody) as router:
        assert router._ssh._keys.questions is somebody


def test_arguments_of_a_context_that_mean_nothing_are_refused() -> None:
    with Router() as router, pytest.raises(UsageError, match="concurrency=-1"):
        router.local(concurrency=-1)


@pytest.mark.parametrize("method", ["sudo", "su", "doas"])
@pytest.mark.parametrize("word", [5, b"horse", "correct\nhorse", "correct\r", "hor\0se", "hor\udcffse"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_no_password_is_refused_and_not_shown(method: str, word: object, wrapped: bool) -> None:
    with Router() as router, pytest.raises(UsageError, match="password= is") as caught:
        getattr(router, method)(password=Secret(word) if wrapped else word)
    assert "hor" not in str(caught.value)


METHODS = (Router.ssh, Router.local, Router.container)


@pytest.mark.parametrize(("host", "told", "meant"), [
    ("web1", {}, call.ssh("web1")),
    ("ann@[::1]:2222", {"port": 22, "fresh": True}, call.ssh("ann@[::1]:2222", port=22, fresh=True)),
    ("local:", {"python": "/usr/bin/python3"}, call.local(python="/usr/bin/python3")),
    ("docker:web1", {"user": "ann"}, call.container("web1", "docker", name="docker:web1", user="ann")),
    ("kubectl:shop/web-0", {"name": "web"}, call.container("shop/web-0", "kubectl", name="web")),
    ("local:", {"user": None, "port": None}, call.local()),
])  # fmt: skip
def test_a_host_of_the_command_line_comes_to_its_method(host: str, told: dict[str, Any], meant: Any) -> None:
    router = create_autospec(Router, instance=True)
    connecting.connect(router, host, told)
    assert router.mock_calls == [meant]


@pytest.mark.parametrize(("host", "told", "message"), [
    ("local:", {"user": "nobody"}, "no argument user for local:. Nobody logs in there: see Router.sudo"),
    ("local:", {"usr": "nobody"}, "There are concurrency, connect_timeout, name, python, via$"),
    ("local:", {"usr": None}, "no argument usr"),
    ("web1", {"via": object()}, "no argument via for web1. A host to go through is jump="),
    ("web1", {"options": {"project": "x"}}, "no argument options for web1"),
    ("docker:web1", {"port": 22}, "There are concurrency, connect_timeout, name, options, python, user, via$"),
    ("docker:web1", {"engine": "podman"}, "no argument engine"),
    ("docker:--privileged", {}, "not the name of any container"),
    ("web[1-2]", {}, "not a host name"),
])  # fmt: skip
def test_what_says_nothing_for_a_host_is_refused(host: str, told: dict[str, Any], message: str) -> None:
    with Router() as router, pytest.raises(UsageError, match=message):
        router.connect(host, **told)


def test_every_argument_of_the_methods_may_be_given_for_a_host() -> None:
    taken = set().union(*(inspect.signature(method).parameters for method in METHODS))
    assert set(connecting.Arguments.__annotations__) == taken - {"self", "host", "container", "engine"}


def test_a_host_that_is_not_reached_over_ssh_is_told_where_to_go() -> None:
    with Router() as router:
        with pytest.raises(UsageError, match=r"docker:web1 is not reached over SSH; Router\.connect"):
            router.ssh("docker:web1")
        context: Context = router.connect("local:", name="here")
        assert (context.name, context.call("os:getppid")) == ("here", os.getpid())


@pytest.mark.parametrize(("level", "meant"), [("DEBUG", 10), (logging.ERROR, 40), (15, 15)])
def test_levels_have_names_and_numbers(level: int | str, meant: int) -> None:
    assert arguments.level(level) == meant


def test_lists_may_be_of_any_kind() -> None:
    assert arguments.several("path", iter((Path("/srv"), "/opt"))) == ("/srv", "/opt")
    assert arguments.several("path", {"/srv": 1}) == ("/srv",)
