"""One outcome a host, whatever happens."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from remotesvc.bootstrap.errors import Cancelled, Lost, UsageError
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, HostKeyError
from remotesvc.cli.interrupt import Interrupts
from remotesvc.fleet import coordinator
from remotesvc.fleet import gather as gather_module
from remotesvc.fleet.attempt import Attempt, Begun
from remotesvc.fleet.gather import Stop, gather
from remotesvc.fleet.outcome import Outcome, Status
from remotesvc.fleet.schedule import Limits


def run(hosts: list[str], work: Callable[[str, Attempt], Any], **options: Any) -> dict[str, Outcome]:
    outcomes = list(gather(hosts, work, **options))
    result = {outcome.host: outcome for outcome in outcomes}
    assert len(result) == len(outcomes) == len(hosts)
    return result


def test_values_and_errors() -> None:
    def work(host: str, attempt: Attempt) -> str:
        attempt.phases["tcp"] = 0.5
        attempt.rc = 3
        if host == "bad":
            raise ValueError(host)
        if host == "worse":
            raise SystemExit(1)
        return host.upper()

    outcomes = run(["a", "bad", "worse"], work)
    assert outcomes["a"].ok and outcomes["a"].value == "A"
    assert outcomes["a"].phases == {"tcp": 0.5} and outcomes["a"].rc == 3 and outcomes["a"].attempts == 1
    assert outcomes["a"].started is not None and outcomes["a"].seconds >= 0
    assert outcomes["bad"].status is Status.FAILED and isinstance(outcomes["bad"].error, ValueError)
    assert outcomes["worse"].status is Status.FAILED and isinstance(outcomes["worse"].error, SystemExit)


def test_no_hosts() -> None:
    assert run([], lambda host, attempt: None) == {}


def test_work_may_set_the_status_of_a_value() -> None:
    def work(host: str, attempt: Attempt) -> None:
        attempt.status = Status.FAILED

    assert run(["a"], work)["a"].status is Status.FAILED


def test_no_more_than_forks_at_a_time_and_as_many() -> None:
    lock = threading.Lock()
    now: list[str] = []
    most = 0
    full = threading.Barrier(3)

    def work(host: str, attempt: Attempt) -> None:
        nonlocal most
        with lock:
            now.append(host)
            most = max(most, len(now))
        full.wait(10)
        with lock:
            now.remove(host)

    run([str(number) for number in range(9)], work, limits=Limits(forks=3))
    assert most == 3
    with pytest.raises(UsageError, match="forks"):
        next(gather(["a"], work, limits=Limits(forks=0)))


def test_outcomes_come_in_the_order_they_end() -> None:
    gates = {name: threading.Event() for name in "abc"}

    def work(host: str, attempt: Attempt) -> None:
        gates[host].wait(10)

    gates["b"].set()
    order = []
    for outcome in gather(list("abc"), work):
        order.append(outcome.host)
        gates[{"b": "c", "c": "a", "a": "a"}[outcome.host]].set()
    assert order == ["b", "c", "a"]


def test_a_stop_keeps_what_arrived_cancels_what_runs_and_leaves_the_rest() -> None:
    stop = Stop()
    cancelled = threading.Event()
    stuck = threading.Event()

    def work(host: str, attempt: Attempt) -> str:
        if host == "polite":
            attempt.on_stop(cancelled.set)
            cancelled.wait(10)
            raise InterruptedError("told to stop")
        if host == "stuck":
            attempt.on_stop(lambda: 1 / 0)
            stuck.wait(10)
        if host == "deaf":
            stuck.wait(10)
        return host

    outcomes = {}
    hosts = ["polite", "stuck", "deaf", "quick", "never"]
    for outcome in gather(hosts, work, limits=Limits(forks=4), stop=stop, grace=0.2):
        outcomes[outcome.host] = outcome
        if outcome.host == "quick":
            # "never" may have been started by the worker that "quick" left: then it ends by itself.
            stop.request()
    stuck.set()
    assert outcomes["quick"].value == "quick"
    assert isinstance(outcomes["polite"].error, InterruptedError)
    assert outcomes["stuck"].status is Status.CANCELLED and isinstance(outcomes["stuck"].error, Cancelled)
    assert outcomes["deaf"].status is Status.NOT_RUN
    assert outcomes["never"].status in (Status.NOT_RUN, Status.OK)
    assert len(outcomes) == 5


def test_a_stop_before_the_start_runs_hardly_anything() -> None:
    stop = Stop()
    stop.request()
    gate = threading.Event()
    outcomes = run(list("abcdef"), lambda host, attempt: gate.wait(10), limits=Limits(forks=1), stop=stop, grace=0.05)
    gate.set()
    assert sorted(outcome.status for outcome in outcomes.values())[-5:] == [Status.NOT_RUN] * 5


def test_a_callback_registered_after_the_stop_runs_at_once() -> None:
    stop = Stop()
    stopped, ran = threading.Event(), threading.Event()

    def work(host: str, attempt: Attempt) -> None:
        attempt.on_stop(stopped.set)
        stop.request()
        stopped.wait(10)
        attempt.on_stop(ran.set)

    run(["a"], work, stop=stop)
    assert ran.is_set()


def test_leaving_the_loop_stops_the_rest() -> None:
    stopped = threading.Event()

    def work(host: str, attempt: Attempt) -> None:
        if host == "b":
            attempt.on_stop(stopped.set)
            stopped.wait(10)

    outcomes = gather(["a", "b"], work)
    assert next(outcomes).host == "a"
    outcomes.close()  # type: ignore[attr-defined]
    assert stopped.wait(10)


def test_ctrl_c_becomes_a_stop() -> None:
    stop = Stop()
    cancelled = threading.Event()

    def work(host: str, attempt: Attempt) -> None:
        attempt.on_stop(cancelled.set)
        os.kill(os.getpid(), signal.SIGINT)
        cancelled.wait(10)

    before = signal.getsignal(signal.SIGINT)
    with Interrupts(stop) as interrupts:
        assert run(["a"], work, stop=stop)["a"].ok
    assert interrupts.count == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(Stop()):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def unreachable_host() -> ConnectError:
    return ConnectError("connection refused", host="h", stage="tcp")


def test_a_host_that_cannot_be_reached_is_tried_again() -> None:
    tried: list[int] = []

    def work(host: str, attempt: Attempt) -> str:
        tried.append(attempt.attempts)
        if attempt.attempts < 3:
            raise unreachable_host()
        return "there"

    outcome = run(["h"], work, limits=Limits(retries=5, retry_delay=0.001))["h"]
    assert (outcome.value, outcome.attempts, tried) == ("there", 3, [1, 2, 3])


@pytest.mark.parametrize("error", [
    ValueError("raised there"),
    AuthenticationError("denied", host="h", stage="auth"),
    HostKeyError("changed", host="h", stage="host key"),
    Lost("gone", host="h", call="f"),
])  # fmt: skip
def test_what_may_have_run_or_will_not_pass_is_not_tried_again(error: Exception) -> None:
    def work(host: str, attempt: Attempt) -> None:
        assert attempt.attempts == 1
        raise error

    outcome = run(["h"], work, limits=Limits(retries=5, retry_delay=0.001))["h"]
    assert outcome.error is error and outcome.attempts == 1


def test_a_stop_between_two_tries_keeps_what_the_last_one_said() -> None:
    stop = Stop()

    def work(host: str, attempt: Attempt) -> None:
        threading.Timer(0.05, stop.request).start()
        raise unreachable_host()

    outcome = run(["h"], work, limits=Limits(retries=5, retry_delay=60), stop=stop)["h"]
    assert outcome.status is Status.UNREACHABLE and isinstance(outcome.error, ConnectError) and outcome.attempts == 1


def test_fail_fast_begins_nothing_more_and_says_why() -> None:
    stop = Stop()

    def work(host: str, attempt: Attempt) -> None:
        if host == "b":
            raise ValueError(host)

    outcomes = run(list("abcd"), work, limits=Limits(forks=1, fail_fast=True), stop=stop)
    assert [outcomes[host].status.value for host in "abcd"] == ["ok", "failed", "not_run", "not_run"]
    assert stop.reason == "a host failed"


def test_batches_begin_when_the_one_before_has_ended() -> None:
    lock = threading.Lock()
    order: list[str] = []

    def work(host: str, attempt: Attempt) -> None:
        with lock:
            order.append(f"+{host}")
        with lock:
            order.append(f"-{host}")

    run(list("abcdef"), work, limits=Limits(serial=(1, "34%")))
    text = "".join(order)
    ends = [max(text.index(f"-{host}") for host in batch) for batch in ("a", "bc", "de", "f")]
    begins = [min(text.index(f"+{host}") for host in batch) for batch in ("a", "bc", "de", "f")]
    assert all(ends[index] < begins[index + 1] for index in range(3))


def test_the_deadline_of_the_run_ends_it() -> None:
    gate, stop = threading.Event(), Stop()

    def work(host: str, attempt: Attempt) -> None:
        attempt.on_stop(gate.set)
        gate.wait(30)
        raise Cancelled("stopped", host=host, call="f")

    deadline = time.monotonic() + 1.0
    outcomes = run(["a", "b"], work, limits=Limits(forks=1), stop=stop, deadline=deadline)
    assert outcomes["a"].status is Status.CANCELLED and outcomes["b"].status is Status.NOT_RUN
    assert stop.reason == "the time for the whole run is over"


# -- hosts whose work waits for nothing when it begins


class Answer(Future[Any]):
    """A call under way, as `begin` starts one."""

    def when_settled(self, fn: Callable[[Any], object]) -> None:
        self.add_done_callback(fn)


def begun(answer: Answer) -> Begun:
    return Begun(answer, answer.result, list)


def must_not_wait(host: str, attempt: Attempt) -> Any:
    raise AssertionError("this was for a thread that waits")


def test_no_thread_waits_for_what_has_begun_and_forks_holds() -> None:
    before = set(threading.enumerate())
    waiting: list[Answer] = []
    threads: set[str] = set()
    most = 0

    def begin(host: str, attempt: Attempt) -> Begun:
        nonlocal most
        answer = Answer()
        waiting.append(answer)
        most = max(most, len(waiting))
        if len(waiting) == 5:
            threads.update(thread.name for thread in threading.enumerate() if thread not in before)
            for each in waiting:
                each.set_result("fine")
            waiting.clear()
        return begun(answer)

    outcomes = run([str(number) for number in range(40)], must_not_wait, begin=begin, limits=Limits(forks=5))
    assert {outcome.value for outcome in outcomes.values()} == {"fine"}
    assert most == 5
    assert threads == {"remotesvc-hosts"}


def test_what_begins_may_fail_at_once_or_later_or_leave_the_rest_to_a_thread() -> None:
    def begin(host: str, attempt: Attempt) -> Begun | None:
        attempt.rc = 7
        if host == "refused":
            raise ValueError(host)
        if host == "waits":
            return None
        answer = Answer()
        if host == "fails":
            answer.set_exception(KeyError(host))
        elif host == "items":
            answer.set_result(iter("abc"))
        else:
            answer.set_result(host)
        return begun(answer)

    def work(host: str, attempt: Attempt) -> str:
        return threading.current_thread().name

    outcomes = run(["refused", "waits", "fails", "items", "fine"], work, begin=begin)
    assert isinstance(outcomes["refused"].error, ValueError) and outcomes["refused"].rc == 7
    assert outcomes["waits"].value.startswith("remotesvc-host-")
    assert isinstance(outcomes["fails"].error, KeyError)
    assert outcomes["items"].value == ["a", "b", "c"]
    assert outcomes["fine"].value == "fine"


def test_a_stop_cancels_what_has_begun() -> None:
    stop = Stop()
    outcomes: dict[str, Outcome] = {}

    def begin(host: str, attempt: Attempt) -> Begun:
        answer: Answer = attempt.start(Answer)
        if host == "a":
            answer.set_result(host)
        return begun(answer)

    for outcome in gather(list("abcd"), must_not_wait, begin=begin, limits=Limits(forks=3), stop=stop):
        outcomes[outcome.host] = outcome
        stop.request()
    assert outcomes["a"].value == "a"
    # "d" takes the turn of "a", unless the stop comes first.
    assert [type(outcomes[host].error) for host in "bc"] == [CancelledError] * 2
    assert len(outcomes) == 4


def test_a_host_that_does_not_begin_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "STUCK", 0.05)
    monkeypatch.setattr(gather_module, "LOOK", 0.05)
    gate = threading.Event()

    def begin(host: str, attempt: Attempt) -> Begun:
        if host == "b":
            gate.wait(20)
        answer = Answer()
        answer.set_result(host)
        return begun(answer)

    order = []
    for outcome in gather(list("abcd"), must_not_wait, begin=begin, limits=Limits(forks=2)):
        order.append(outcome.host)
        if len(order) == 3:
            gate.set()
    assert order == ["a", "c", "d", "b"]
