"""The API server: what `kubectl exec` asks for, answered as Kubernetes answers it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from .streams import STATUS, STDERR, STDIN, STDOUT, SpdyStreams, Streams, WebSocketStreams

_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_PODS = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"],
         "shortNames": ["po"]}  # fmt: skip
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_PODS]},
}


@dataclass
class Pod:
    """A pod: its containers by name, each with the words that run a command in it."""

    containers: Mapping[str, Sequence[str]]
    phase: str = "Running"


@dataclass
class Cluster:
    """What a server knows: pods by (namespace, name); of namespaces in `forbidden` it says nothing."""

    pods: dict[tuple[str, str], Pod] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    protocols: set[str] = field(default_factory=set)
    """In which a command's streams came."""


class Refused(Exception):
    """The answer to a request that comes to nothing."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
                       "reason": reason, "code": code}  # fmt: skip
        self.code = code


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        cluster = self.server.cluster
        url = urlsplit(self.path)
        try:
            if url.path in _DISCOVERY:
                self._answer(200, _DISCOVERY[url.path])
                return
            namespace, name, verb = self._pod_of(url.path)
            if namespace in cluster.forbidden:
                raise Refused(403, "Forbidden", f'pods "{name}" is forbidden: User "test" cannot get resource "pods"'
                                                f' in API group "" in the namespace "{namespace}"')
            pod = cluster.pods.get((namespace, name))
            if pod is None:
                raise Refused(404, "NotFound", f'pods "{name}" not found')
            if verb == "exec":
                self._exec(name, pod, parse_qs(url.query))
            else:
                self._answer(200, _as_object(namespace, name, pod))
        except Refused as refused:
            self._answer(refused.code, refused.status)

    do_POST = do_GET

    def _pod_of(self, path: str) -> tuple[str, str, str]:
        parts = path.split("/")
        if len(parts) not in (7, 8) or parts[:4] != ["", "api", "v1", "namespaces"] or parts[5] != "pods":
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return parts[4], parts[6], "".join(parts[7:])

    def _exec(self, name: str, pod: Pod, query: Mapping[str, list[str]]) -> None:
        container = query.get("container", [next(iter(pod.containers))])[0]
        if container not in pod.containers:
            raise Refused(400, "BadRequest", f"container {container} is not valid for pod {name}")
        streams = self._upgrade()
        self.close_connection = True
        run([*pod.containers[container], *query["command"]], streams)

    def _upgrade(self) -> Streams:
        kinds = {"spdy/3.1": SpdyStreams, "websocket": WebSocketStreams}
        kind: Any = kinds.get(self.headers.get("Upgrade", "").lower())
        if kind is None:
            raise Refused(400, "BadRequest", "you must specify at least 1 of stdin, stdout, stderr over an upgrade")
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", self.headers["Upgrade"])
        if kind is WebSocketStreams:
            key = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + _WEBSOCKET)
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(key.digest()).decode())
            self.send_header("Sec-WebSocket-Protocol", kind.PROTOCOL)
        else:
            self.send_header("X-Stream-Protocol-Version", kind.PROTOCOL)
        self.end_headers()
        self.server.cluster.protocols.add(kind.PROTOCOL)
        return kind(lambda: self.rfile.read1(65536), self.wfile.write)  # type: ignore[no-any-return]

    def _answer(self, code: int, value: Mapping[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Listens on loopback; closing it waits for its threads."""

    daemon_threads = False

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cluster = cluster

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(cluster: Cluster) -> Iterator[Server]:
    """A server that answers."""
    with Server(cluster) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="kube-server")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def run(command: Sequence[str], streams: Streams) -> None:
    """Run a command with its streams at the other end of a connection; returns when that has ended."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr
    with process:
        pumps = [threading.Thread(target=_pump, args=(streams, number, pipe), name="kube-pump")
                 for number, pipe in ((STDOUT, process.stdout), (STDERR, process.stderr))]
        ending = threading.Thread(target=_finish, args=(process, pumps, streams), name="kube-end")
        for thread in (*pumps, ending):
            thread.start()
        with suppress(OSError):  # it has ended, or kubectl has
            for stream, data in streams.incoming():
                if stream == STDIN and data:
                    process.stdin.write(data)
                    process.stdin.flush()
                elif stream == STDIN:
                    process.stdin.close()
        with suppress(OSError):
            process.stdin.close()
        for thread in (*pumps, ending):
            thread.join()


def _pump(streams: Streams, number: int, pipe: BinaryIO) -> None:
    with suppress(OSError):
        while data := pipe.read1(32768):  # type: ignore[attr-defined]
            streams.send(number, data)


def _finish(process: subprocess.Popen[bytes], pumps: Sequence[threading.Thread], streams: Streams) -> None:
    for pump in pumps:
        pump.join()
    code = process.wait()
    status: dict[str, Any] = {"metadata": {}, "status": "Success"}
    if code:
        causes = [{"reason": "ExitCode", "message": str(code)}]
        status = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes},
                  "message": f"command terminated with non-zero exit code: {code}"}  # fmt: skip
    with suppress(OSError):
        streams.send(STATUS, json.dumps(status).encode())
        streams.end()


def _as_object(namespace: str, name: str, pod: Pod) -> dict[str, Any]:
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": container} for container in pod.containers]},
        "status": {"phase": pod.phase},
    }  # fmt: skip
