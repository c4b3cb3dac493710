"""Through one bastion and through two in a row, to hosts in networks of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remotesvc import ConnectError, HostKeyError, Router
from remotesvc.ssh import SSHOptions
from tests.containers import Hosts
from tests.integration.bastion import address, known
from tests.kernel.contexts import until

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture
def way(hosts: Hosts, tmp_path: Path) -> dict[str, Any]:
    """Options by the name of the host at the end of the way."""
    bastion = hosts["bastion"].options()
    inner, deep = address(hosts, "inner", "bastion"), address(hosts, "deep", "inner")
    files = known(hosts, tmp_path, bastion=f"[{bastion['host']}]:{bastion['port']}", inner=inner, deep=deep)
    common = {key: bastion[key] for key in ("user", "key_filename", "ssh_config", "extra_options")}
    common["known_hosts"] = files
    first = SSHOptions.parse(bastion["host"], port=bastion["port"], **common)
    second = SSHOptions.parse(inner, jump=first, **common)
    return {
        "inner": {"host": inner, "jump": first, **common},
        "deep": {"host": deep, "jump": [first, SSHOptions.parse(inner, **common)], **common},
        "deep by options of options": {"host": deep, "jump": second, **common},
    }


@pytest.mark.parametrize("target", ["inner", "deep", "deep by options of options"])
def test_functions_run_behind_bastions(target: str, way: dict[str, Any], hosts: Hosts, router: Router) -> None:
    name, *_ = target.split()
    before = hosts._hosts[name].written_logs()
    context = router.ssh(**way[target])
    source = address(hosts, *{"inner": ("bastion", "inner"), "deep": ("inner", "deep")}[name])
    login = f"Accepted publickey for root from {source} "
    until(lambda: login in hosts._hosts[name].written_logs()[len(before) :])
    assert hosts._hosts[name].id.startswith(context.call("socket:gethostname"))
    assert context.call("builtins:len", bytes(1_000_000)) == 1_000_000


def test_two_hosts_share_the_bastion(way: dict[str, Any], hosts: Hosts, router: Router) -> None:
    before = hosts["bastion"].written_logs().count("Accepted publickey")
    contexts = [router.ssh(**way[target]) for target in ("inner", "deep")]
    assert [context.call("builtins:len", b"fine") for context in contexts] == [4, 4]
    assert hosts["bastion"].written_logs().count("Accepted publickey") == before + 1


def test_a_bastion_that_leads_astray(way: dict[str, Any], router: Router, hosts: Hosts, tmp_path: Path) -> None:
    """Another host answers under the name that was asked for: its key gives it away, whatever the bastion does."""
    options = way["inner"]
    other = hosts["bastion"].keys.private.with_suffix(".pub").read_text()
    (tmp_path / "noted").write_text(f"{options['host']} {other}")
    with pytest.raises(HostKeyError, match="CHANGED"):
        router.ssh(**{**options, "known_hosts": str(tmp_path / "noted")})


def test_the_host_in_the_middle_is_down(way: dict[str, Any], router: Router) -> None:
    with pytest.raises(ConnectError) as caught:
        router.ssh(**{**way["inner"], "port": 2})
    assert caught.value.stage == "tcp"
    assert "jump host 127.0.0.1 cannot reach" in caught.value.message
