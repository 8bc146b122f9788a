"""Debian's nginx under a folder of the test's own, and servers behind it that do as told."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server, socket

from service.catalogue.nginx.target import NginxTarget
from service.ports.nginx import Place
from service.providers.nginx import NginxCommand
from tests.programs import require

PATIENCE_S = 60.0
_MAIN = """\
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/conf.d/*.conf;
}}
"""


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@dataclass
class Balancer:
    """One nginx: its folder, its ports, and the command with which it is called."""

    root: Path
    command: NginxCommand
    listen: int = field(default_factory=free_port)
    check_port: int = field(default_factory=free_port)

    @property
    def file(self) -> Path:
        return self.root / "conf.d" / "edge.conf"

    @property
    def main(self) -> Path:
        return self.root / "nginx.conf"

    @property
    def place(self) -> Place:
        return Place("edge", str(self.file), str(self.main), self.check_port)

    def target(self, *servers: str, **changes: object) -> NginxTarget:
        """A target for this nginx."""
        facts = {"listen": self.listen, "check_port": self.check_port, **changes}
        return NginxTarget("edge", str(self.file), str(self.main), servers, **facts)  # type: ignore[arg-type]

    def start(self) -> None:
        """Start nginx; it goes into the background when it listens."""
        ran = self.command.run("-c", str(self.main), "-p", str(self.root))
        assert ran.status == 0, ran.said

    def stop(self) -> None:
        """End it, and wait until its first process has removed its file. Needs no sound files."""
        pid = self.root / "nginx.pid"
        os.kill(int(pid.read_text()), signal.SIGTERM)
        until = time.monotonic() + PATIENCE_S
        while pid.exists() and time.monotonic() < until:
            time.sleep(0.01)

    def log(self) -> str:
        """What nginx has written about itself."""
        return (self.root / "error.log").read_text(encoding="utf-8")


@contextlib.contextmanager
def nginx_under(root: Path, *, started: bool = True) -> Iterator[Balancer]:
    """nginx in a folder. Without nginx the test is skipped."""
    balancer = Balancer(root, NginxCommand([require("nginx", "nginx")]))
    (root / "conf.d").mkdir()
    balancer.main.write_text(_MAIN.format(root=root), encoding="utf-8")
    if started:
        balancer.start()
    try:
        yield balancer
    finally:
        with contextlib.suppress(OSError):  # it may have ended, or never begun
            balancer.stop()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """nginx closes the connections of servers that hang."""


class Server:
    """One server: what it was asked, over how many connections, and what it answers.

    `status` is its answer; None: it takes the request and never answers.
    """

    def __init__(self, status: int | None = 200) -> None:
        self.status = status
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.headers: list[dict[str, str]] = []
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_GET(self) -> None:
                outer._answer(self)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.asked[request.command] += 1
        self.headers.append(dict(request.headers))
        if self.status is None:
            self._over.wait(PATIENCE_S)
            request.close_connection = True
            return
        request.send_response(self.status)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


@contextlib.contextmanager
def servers(*statuses: int | None) -> Iterator[list[Server]]:
    """Servers with these answers."""
    made = [Server(status) for status in statuses]
    try:
        yield made
    finally:
        for each in made:
            each.close()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address that is taken and refuses every connection."""
    with socket() as held:
        held.bind(("127.0.0.1", 0))  # without listen: a connection is refused
        yield f"127.0.0.1:{held.getsockname()[1]}"
