"""Detached jobs on Debian hosts: with a minimal Python, as other users, in containers, where nothing can be written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import remotesvc
from remotesvc import Context, Router
from tests.containers import PASSWORD, Hosts
from tests.integration import jobs_minimal
from tests.integration.bastion import config_to
from tests.kernel import called, called_jobs, called_waiting
from tests.kernel.contexts import LIMIT, until

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

Connect = Callable[..., Context]
DEBIANS = {"python36": (3, 6), "bullseye": (3, 9), "bookworm": (3, 11), "trixie": (3, 13)}


@pytest.mark.parametrize("service", DEBIANS)
def test_a_job_outlives_its_connection(connect: Connect, service: str) -> None:
    first = connect(service, fresh=True)
    job = first.detach(called_jobs.lasting, "/tmp/begun", "/tmp/go-on")
    until(lambda: first.call("os.path:exists", "/tmp/begun"))
    first.close()
    second = connect(service, fresh=True)
    job = job.on(second)
    assert job.state() == "running"
    second.call(called_waiting.touch, "/tmp/go-on")
    assert job.result(LIMIT)["pid"] == job.info().pid
    assert job.output() == "waiting\ngoing on\n"
    job.forget()
    for name in ("/tmp/begun", "/tmp/go-on"):
        second.call("os:remove", name)
    assert second.jobs() == []


@pytest.mark.parametrize("service", ["bullseye", "bookworm", "trixie"])
def test_a_minimal_python_gets_what_it_lacks(connect: Connect, service: str) -> None:
    job = connect(service).detach(jobs_minimal.parsed, ["--number", "41"])
    if DEBIANS[service] == sys.version_info[:2]:
        assert job.result(LIMIT) == '{"number": 42, "id": "00000000-0000-0000-0000-00000000002a"}'
    else:
        with pytest.raises(ModuleNotFoundError, match="libpython{}.{}-stdlib".format(*DEBIANS[service])):
            job.result(LIMIT)
    job.forget()


@pytest.mark.parametrize("method", ["sudo", "su"])
def test_another_users_jobs_are_that_users(connect: Connect, router: Router, method: str) -> None:
    base = connect("accounts", user="wheel")
    with router.sudo(via=base) if method == "sudo" else router.su(via=base, password=PASSWORD) as root:
        job = root.detach("os:getuid")
        assert job.result(LIMIT) == 0
        assert job.id not in {info.id for info in base.jobs()}
        with pytest.raises(remotesvc.JobError, match="there is no job"):
            job.on(base).state()
        with pytest.raises(remotesvc.JobError, match="cannot be kept|Permission denied|belongs to"):
            base.options(jobs_dir="/root/.local/state/remotesvc/jobs").jobs()
        job.forget()
    mine = base.detach("os:getuid")
    assert mine.result(LIMIT) == base.info["uid"] != 0
    mine.forget()


def test_a_job_behind_a_bastion(hosts: Hosts, router: Router, tmp_path: Path) -> None:
    """By a jump host, and by a context there that is the parent of the one where the job begins."""
    config = str(config_to(hosts, "inner", tmp_path))
    first = router.ssh("target", ssh_config=config)
    job = first.detach(called_jobs.lasting, "/tmp/begun", "/tmp/go-on")
    until(lambda: first.call("os.path:exists", "/tmp/begun"))
    first.close()
    second = router.ssh("target", ssh_config=config, fresh=True)
    below = router.local(via=second)
    other = below.detach(called.add, 1, 1)
    second.call(called_waiting.touch, "/tmp/go-on")
    assert job.on(below).result(LIMIT)["pid"] == job.on(second).info().pid
    assert other.on(second).result(LIMIT) == 2
    for each in (job, other):
        each.on(second).forget()
    for name in ("/tmp/begun", "/tmp/go-on"):
        second.call("os:remove", name)


def test_a_job_in_a_container(hosts: Hosts, router: Router) -> None:
    name = hosts["bookworm"].id
    first = router.docker(name)
    job = first.detach("time:sleep", 300)
    first.close()
    second = router.docker(name)
    assert job.on(second).state() == "running"
    assert job.on(second).kill().state == "failed"
    job.on(second).forget()


def test_a_job_where_nothing_can_be_written(connect: Connect) -> None:
    context = connect("readonly")
    assert context.jobs() == []
    with pytest.raises(remotesvc.JobError, match="Read-only file system; name a directory that this user may write to"):
        context.detach(called.add, 1, 1)
    assert context.call(called.add, 1, 1) == 2
