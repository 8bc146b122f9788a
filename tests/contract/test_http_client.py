"""One client of a vendor, used by many threads at once."""

from __future__ import annotations

import select
import socket
from concurrent.futures import ThreadPoolExecutor

from service.providers.http import make_http_client

THREADS = 30
"""More than the 20 connections that httpx keeps by itself."""
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_no_connection_of_many_threads_is_closed_to_make_room() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=THREADS) as server:
        server.settimeout(30.0)
        client = make_http_client(f"http://127.0.0.1:{server.getsockname()[1]}")
        with client, ThreadPoolExecutor(THREADS) as pool:
            sent = [pool.submit(client.get, "/") for _ in range(THREADS)]
            # Nobody is answered before all have asked: each needs a connection of its own.
            connections = [server.accept()[0] for _ in range(THREADS)]
            for connection in connections:
                connection.recv(65_536)
            for connection in connections:
                connection.sendall(ANSWER)
            assert {each.result().status_code for each in sent} == {204}

            closed, _, _ = select.select(connections, [], [], 0)

        for connection in connections:
            connection.close()
    assert not closed, "a connection was closed that a thread may just have been given"
