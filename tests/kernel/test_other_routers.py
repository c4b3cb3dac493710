"""Contexts and Senders belong to one Router: what is given those of another says so, and nothing is sent.

The numbers of contexts are those of one tree, so that in another they mean other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import remotesvc
from remotesvc import Channel, Context, EncodeError, Receiver, Router, UsageError
from remotesvc.files import FileService, PushFileService
from remotesvc.service import AllowContexts, Pool
from tests import interpreters
from tests.kernel import called_foreign
from tests.kernel.called_foreign import Asking, Holder, pid_of
from tests.kernel.contexts import LIMIT

pytest_plugins = ("tests.kernel.call_fixtures",)

FOREIGN = "belongs to another Router"


@pytest.fixture
def foreign() -> Iterator[Router]:
    with Router() as other:
        yield other


@pytest.fixture
def theirs(foreign: Router, router: Router, context: Context) -> Context:
    """A context of another router; ours has one of that number, too."""
    below = foreign.local(via=foreign.local(), name="test_db")
    assert router.local(via=context, name="prod_db").id == below.id
    return below


def test_arguments_name_their_place(theirs: Context, foreign: Router, context: Context) -> None:
    for value in (theirs, Receiver(foreign).sender()):
        with pytest.raises(EncodeError, match=FOREIGN) as caught:
            context.call(pid_of, value)
        assert caught.value.where == "args[0]"
        with pytest.raises(EncodeError, match=FOREIGN) as caught:
            context.submit(pid_of, context={"to": [value]})
        assert caught.value.where == "kwargs['context']['to'][0]"
        with pytest.raises(EncodeError, match=FOREIGN) as caught:
            context.service(Asking).pid_of([value])
        assert caught.value.where == "args[0][0]"
        with pytest.raises(EncodeError, match=FOREIGN):
            context.options(strict_types=True).call(pid_of, value)
        with pytest.raises(EncodeError, match=FOREIGN):
            context.detach(pid_of, value)
    assert context.call("builtins:len", "abc") == 3


def test_pickled_arguments_name_it(theirs: Context, foreign: Router, router: Router, context: Context) -> None:
    oldest = router.local(min(interpreters.found()).path)
    for there in (context, oldest, oldest.wait_ready()):
        with pytest.raises(UsageError, match=f"test_db> {FOREIGN}"):
            there.call(pid_of, Holder(theirs))
        with pytest.raises(UsageError, match=f"test_db> {FOREIGN}"):
            there.call(lambda: theirs.call("os:getpid"))
        with pytest.raises(UsageError, match=f"<Sender .*> {FOREIGN}"):
            there.call(pid_of, Holder(Receiver(foreign).sender()))
        below = router.local(via=there)
        assert there.call(pid_of, Holder(below)) == below.info["pid"]


def test_messages_carry_their_own_routers_only(theirs: Context, router: Router) -> None:
    receiver = Receiver(router)
    with receiver.sender() as sender, pytest.raises(EncodeError, match=FOREIGN):
        sender.send(["look at", theirs])
    with pytest.raises(remotesvc.Closed):
        receiver.get(timeout=LIMIT)


Use = Callable[[Router, Context], Any]


@pytest.mark.parametrize("use", [
    lambda router, theirs: router.local(via=theirs),
    lambda router, theirs: router.docker("no-such-container", via=theirs),
    lambda router, theirs: router.sudo(via=theirs),
    lambda router, theirs: router.su("nobody", via=theirs, close_via=True),
    lambda router, theirs: Receiver(router, source=theirs),
    lambda router, theirs: Receiver(router).sender(theirs),
    lambda router, theirs: Channel(router, peer=theirs),
    lambda router, theirs: router.explain_imports(theirs),
    lambda router, theirs: router.flush_output(ended=theirs),
])  # fmt: skip
def test_what_takes_a_context_takes_its_own_routers_only(use: Use, router: Router, theirs: Context) -> None:
    with pytest.raises(UsageError, match=f"test_db> {FOREIGN}"):
        use(router, theirs)


def test_services_take_their_own_routers_only(
    theirs: Context, router: Router, context: Context, tmp_path: Path
) -> None:
    path = str(tmp_path / "file")
    Path(path).write_bytes(b"content")
    with Pool(router, services=[FileService, PushFileService]) as pool:
        files: Any = pool.get_service(FileService)
        pushed: Any = pool.get_service(PushFileService)
        uses: tuple[Callable[[], object], ...] = (
            lambda: files.register(path, [context, theirs]), lambda: files.register_prefix(str(tmp_path), [theirs]),
            lambda: pushed.propagate_to(theirs, path), lambda: pushed.propagate_paths_and_modules(theirs, [path]),
        )  # fmt: skip
        for use in uses:
            with pytest.raises(UsageError, match=f"test_db> {FOREIGN}"):
                use()


def test_a_policy_lets_in_no_other_context_of_the_same_number(theirs: Context, router: Router) -> None:
    policy = AllowContexts([theirs])
    for home, allowed in ((theirs.tree.router, True), (router.kernel, False)):
        assert policy.allows(None, SimpleNamespace(src=theirs.id, router=home, commands=False)) is allowed


def test_a_context_of_ones_own_is_fine(router: Router, context: Context) -> None:
    below = router.local(via=context)
    assert context.call(called_foreign.pid_of, below) == below.info["pid"]
    assert context.service(Asking).pid_of(below) == below.info["pid"]
