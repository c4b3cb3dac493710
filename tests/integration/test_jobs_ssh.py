"""Detached jobs over SSH: they outlive the connection, and the server's part of it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from remotesvc import Context, Fleet, Job, Lost, NotSent, Router
from remotesvc.testing.sshd import EmbeddedServer
from tests.integration import fleet_tasks
from tests.integration.ssh_servers import OpenSSHServer
from tests.kernel import called
from tests.kernel.contexts import LIMIT, gone
from tests.kernel.job_fixtures import lasting

pytest_plugins = (
    "tests.integration.sshd_fixture", "tests.integration.fleet_fixtures", "tests.kernel.job_fixtures",
    "tests.kernel.call_fixtures",
)  # fmt: skip


def connect(router: Router, server: EmbeddedServer | OpenSSHServer, jobs_dir: Path) -> Context:
    context = router.ssh(
        server.host, user=server.user, port=server.port, key_filename=server.key_file,
        known_hosts=server.known_hosts_file, ssh_config="none", extra_options=("IdentityAgent=none",),
        python=sys.executable, fresh=True,
    )  # fmt: skip
    return context.options(jobs_dir=str(jobs_dir))


def parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat.rpartition(b")")[2].split()[1])


@pytest.mark.parametrize("kind", ["openssh", "embedded"])
def test_a_job_outlives_the_connection(
    router: Router, sshd: OpenSSHServer, embedded: EmbeddedServer, jobs_dir: Path, tmp_path: Path, kind: str
) -> None:
    server = sshd if kind == "openssh" else embedded
    first = connect(router, server, jobs_dir)
    job, go_on = lasting(first, tmp_path)
    kernel = first.info["pid"]
    first.close()
    gone(kernel)
    job = job.on(connect(router, server, jobs_dir))
    assert job.state() == "running"
    go_on.touch()
    assert job.result(LIMIT)["pid"] == job.info().pid
    assert job.output() == "waiting\ngoing on\n"


def test_a_job_outlives_the_servers_part(router: Router, sshd: OpenSSHServer, jobs_dir: Path, tmp_path: Path) -> None:
    first = connect(router, sshd, jobs_dir)
    job, go_on = lasting(first, tmp_path)
    kernel = first.info["pid"]
    session = parent(kernel)
    assert "sshd" in Path(f"/proc/{session}/comm").read_text()
    os.kill(session, signal.SIGKILL)
    gone(kernel)
    with pytest.raises((Lost, NotSent)):
        first.call(called.add, 1, 1)
    go_on.touch()
    assert job.on(connect(router, sshd, jobs_dir)).wait(LIMIT).state == "done"


def test_a_job_behind_another_context(router: Router, sshd: OpenSSHServer, jobs_dir: Path, tmp_path: Path) -> None:
    """What the job imports crosses two links, and is there although both are closed then."""
    bastion = connect(router, sshd, jobs_dir)
    behind = router.local(via=bastion).options(jobs_dir=str(jobs_dir))
    job, go_on = lasting(behind, tmp_path)
    kernel = behind.info["pid"]
    bastion.close()
    gone(kernel)
    go_on.touch()
    assert job.on(connect(router, sshd, jobs_dir)).result(LIMIT)["pid"] > 1


def test_jobs_on_a_fleet(fleet: Fleet, jobs_dir: Path) -> None:
    chosen = fleet.options(jobs_dir=str(jobs_dir))
    begun = chosen.detach(fleet_tasks.where, prefix="> ").raise_for_errors().by_host()
    assert all(isinstance(job, Job) and job.host.startswith(host) for host, job in begun.items())
    assert len({job.id.partition("-")[0] for job in begun.values()}) == 1
    assert {host: job.result(LIMIT)["name"] for host, job in begun.items()} == {
        host: f"> {host}" for host in fleet.hosts
    }
    ids = {job.id for job in begun.values()}
    for infos in chosen.jobs().raise_for_errors().by_host().values():  # these hosts are one machine
        assert {info.id for info in infos} == ids
