"""Services on hosts in containers: Debian's python3-minimal, Python 3.6, and behind a hop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from remotesvc import Context, Router
from remotesvc.service import ArgumentError, NoSuchMethod, Pool
from tests.kernel import served, served_above, served_invokers
from tests.kernel.contexts import LIMIT

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
# The first run makes images.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

TARGETS = ("bullseye", "bookworm", "trixie", "python36", "readonly")


def all_of_it(context: Context) -> None:
    """Every invoker, streams, refusals, and that one object answers."""
    plain = context.service(served.Plain)
    assert plain.add(1, 2) == 3
    assert plain.where() == plain.where()
    assert list(plain.items(500)) == list(range(500))
    if context.call(served.can_import, "asyncio"):  # Debian's minimum has none
        assert context.call_service(served.Plain, "slowly", 4) == 8
    with pytest.raises(FileNotFoundError):
        plain.fail("gone")
    with pytest.raises(NoSuchMethod):
        context.call_service(served.Plain, "hidden")
    with pytest.raises(ArgumentError):
        context.call_service(served.Plain, "add", "x")
    futures = [context.call_service_async(served_invokers.Serialized, "run", number) for number in range(100)]
    assert [future.result(LIMIT) for future in futures] == list(range(100))
    assert context.call_service(served_invokers.Serialized, "report")["order"] == list(range(100))
    first = context.call_service(served_invokers.Deduplicated, "compute", {"a": ["x" * 2000]})
    assert context.call_service(served_invokers.Deduplicated, "compute", {"a": ["x" * 2000]}) == first


@pytest.mark.parametrize("target", TARGETS)
def test_services_on_a_host(connect: Callable[..., Context], target: str) -> None:
    all_of_it(connect(target))


def test_services_behind_a_hop_and_on_the_master(connect: Callable[..., Context], router: Router) -> None:
    host = connect("bookworm")
    inner = router.local(via=host)
    all_of_it(inner)
    with Pool(router, services=[served_above.OnTheMaster]):
        assert inner.call(served_above.ask_master, "give", "x")[:2] == ["x", inner.id]
