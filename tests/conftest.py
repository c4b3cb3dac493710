"""What holds for every test: the leak check, the rule on skips, and the interpreters named in the header."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import interpreters, stopwatch
from tests.leaks import RUN_ID, RUN_VARIABLE, Snapshot, activity
from tests.skips import SkipRule
from tests.spread import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.spread import pytest_xdist_auto_num_workers as pytest_xdist_auto_num_workers
from tests.spread import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

OURS = ("REMOTESVC_TEST_", "REMOTESVC_REQUIRE_", "REMOTESVC_SOAK_", "REMOTESVC_BASE")
"""Beginnings of the names of variables that are for the tests. Others of REMOTESVC_ are what a user has set."""

UNIT_TESTS = Path(__file__).parent / "unit"

# How long an example takes to make and to run is a matter of the machine and of what else it does.
settings.register_profile("remotesvc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("remotesvc")

# What runs in the background of a script, or under nohup, inherits that Ctrl-C or a hang-up is ignored, and so would
# every process that tests start.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    os.environ[RUN_VARIABLE] = RUN_ID
    if config.getoption("numprocesses", None):
        interpreters.hand_down()
    config.pluginmanager.register(SkipRule(), "remotesvc-skip-rule")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is there when tests have been collected stays until the end. The leak check collects garbage after many
    tests: to look at nine thousand tests and all modules takes 0.15 s each time."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> list[str]:
    lines = ["interpreters: " + " ".join(map(str, interpreters.found()))]
    if interpreters.missing():
        lines.append("NOT TESTED, no such interpreter here: " + " ".join(interpreters.missing()))
    return lines


_reported: set[str] = set()


def _check(before: Snapshot, who: str) -> None:
    left = before.wait_until_gone(known=_reported)
    _reported.update(left)
    if left:
        pytest.fail(f"{who} left behind:\n  " + "\n  ".join([*left, *activity(left)]), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def own_directories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands that tests run remember hosts here, jobs are kept here, and what the user has configured is not here."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("cache", "state", "config"):
            patched.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path_factory.mktemp(name)))
        for name in [name for name in os.environ if name.startswith("REMOTESVC_") and not name.startswith(OURS)]:
            patched.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_leaks_of_the_session() -> Iterator[None]:
    """Ends after all other fixtures of the session: what those of wider scopes left behind is found here."""
    before = Snapshot()
    yield
    _check(before, "the fixtures of modules and of the session")


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test but the pure ones leaves threads, descriptors and processes as it found them.

    Fixtures of wider scopes that a test names are set up before this one, so they are not held against it.
    """
    if UNIT_TESTS in request.path.parents:
        yield
        return
    before = Snapshot()
    yield
    stopwatch.stop_all()
    _check(before, "the test")
