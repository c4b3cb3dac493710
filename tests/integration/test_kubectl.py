"""kubectl:POD by the real kubectl, in each protocol that it speaks: which cluster, namespace, pod and container."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from remotesvc import ConnectError, Router, UnknownHost
from remotesvc.cli.main import main
from tests.containers import run
from tests.integration import fleet_tasks
from tests.integration.kube.server import Cluster
from tests.integration.kube.streams import SpdyStreams, WebSocketStreams

pytest_plugins = ("tests.integration.docker_fixtures", "tests.kernel.call_fixtures",
                  "tests.integration.engine_fixtures")  # fmt: skip


@pytest.mark.parametrize(("name", "options", "side"), [
    ("shop/web-0", {}, None),
    ("shop/web-0/side", {}, "yes"),
    ("ann@test:shop/web-0/side", {}, "yes"),
    ("shop:web-0", {}, None),
    ("shop:web-0", {"container": "side"}, "yes"),
    ("web-0", {"namespace": "shop", "container": "side"}, "yes"),
    ("web-0", {"context": "shop"}, None),
])  # fmt: skip
def test_which_pod_and_container_a_name_means(
    kube: Cluster, router: Router, name: str, options: dict[str, str], side: str | None
) -> None:
    context = router.container(name, "kubectl", options=options)
    assert context.call(os.getenv, "SIDE") == side
    assert context.call(fleet_tasks.add, 1, two=2) == 3


def test_much_data_goes_into_a_pod_and_back(kube: Cluster, router: Router) -> None:
    content = os.urandom(3 << 20)
    context = router.container("shop/web-0", "kubectl")
    context.push(content, "/root/pushed")
    assert context.call(Path.read_bytes, Path("/root/pushed")) == content


def test_a_kubeconfig_of_its_own(kube: Cluster, router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    config = os.environ["KUBECONFIG"]
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(ConnectError, match="the container engine cannot be reached, so neither can the pod shop/web-0"):
        router.container("shop/web-0", "kubectl", options={"context": "shop"}).wait_ready()
    there = router.container("shop/web-0", "kubectl", options={"kubeconfig": config})
    assert there.call(os.getuid) == 0


@pytest.mark.parametrize(("name", "error", "says", "hint"), [
    ("web-0", UnknownHost, "there is no pod web-0", "kubectl get pods"),
    ("shop/web-0/none", UnknownHost, "there is no pod shop/web-0/none", "[/CONTAINER]"),
    ("secret/web-0", ConnectError, "you may not enter the pod secret/web-0", "kubectl auth can-i"),
    ("far:web-0", ConnectError, "the container engine cannot be reached", "kubectl config get-contexts"),
])  # fmt: skip
def test_what_is_in_the_way_is_named(
    kube: Cluster, router: Router, name: str, error: type[ConnectError], says: str, hint: str
) -> None:
    with pytest.raises(ConnectError, match=says) as caught:
        router.container(name, "kubectl").wait_ready()
    assert type(caught.value) is error and hint in caught.value.hint


def test_the_command_line_and_inventories(
    kube: Cluster, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", "kubectl:shop/web-0/side,kubectl:shop:web-0", "os:getenv", "SIDE"]) == 0
    lines = ["kubectl:shop/web-0/side: yes", "kubectl:shop:web-0: None"]
    assert sorted(capfd.readouterr().out.splitlines()) == lines
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text("""
pods:
  vars: {ansible_connection: kubernetes.core.kubectl, ansible_kubectl_namespace: shop, ansible_kubectl_container: side}
  hosts:
    first: {ansible_kubectl_pod: web-0}
    web-0: {}
""")
    assert main(["run", "-i", str(inventory), "pods", "os:getenv", "SIDE"]) == 0
    assert sorted(capfd.readouterr().out.splitlines()) == ["first: yes", "web-0: yes"]


def test_kubectl_spoke_the_protocol_that_was_meant(
    kube: Cluster, router: Router, request: pytest.FixtureRequest
) -> None:
    """That both are tried above, by a kubectl that knows both."""
    router.container("shop/web-0", "kubectl").wait_ready()
    wanted = {"websocket": WebSocketStreams.PROTOCOL, "spdy": SpdyStreams.PROTOCOL}[request.node.callspec.id]
    assert kube.protocols == {SpdyStreams.PROTOCOL if old_kubectl() else wanted}


def old_kubectl() -> bool:
    """Is it one that speaks SPDY alone?"""
    version = run("kubectl", "version", "--client", "--output", "json")
    return int(json.loads(version)["clientVersion"]["minor"].rstrip("+")) < 29
