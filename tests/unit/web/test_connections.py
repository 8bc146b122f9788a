"""How long a sender may take, who gives way, and how a connection ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket as gevent_socket
from gunicorn.http.errors import (  # type: ignore[import-untyped]  # gunicorn ships no types
    LimitRequestHeaders,
)

from service.web import connections
from service.web.connections import LARGEST_HEAD, Connection, Strangers

SOON_S = 20.0


@contextmanager
def pair(
    strangers: Strangers | None = None, address: str = "a", keepalive_s: float = 75.0
) -> Iterator[tuple[Connection, socket.socket]]:
    """A connection, and the socket of its sender."""
    ours, theirs = socket.socketpair()
    raw = gevent_socket.socket(ours.family, ours.type, fileno=ours.detach())
    strangers = Strangers(8, 8) if strangers is None else strangers
    connection = Connection(raw, address, strangers, keepalive_s)
    theirs.settimeout(SOON_S)
    with theirs:
        yield connection, theirs
        connection.close()


def received(connection: Connection) -> bytes:
    """What it gives when it is asked for a piece."""
    got: bytes = gevent.spawn(connection.recv, 8192).get(timeout=SOON_S)
    return got


def test_what_is_sent_is_received() -> None:
    with pair() as (connection, sender):
        sender.sendall(b"POST")
        assert received(connection) == b"POST"


def test_a_head_has_seconds_from_its_first_byte_whatever_comes_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with pair() as (connection, sender):
        began = time.monotonic()
        while True:
            sender.sendall(b"x")
            if received(connection) == b"":
                break
            gevent.sleep(0.02)
        assert 0.25 < time.monotonic() - began < SOON_S


def test_a_body_that_takes_too_long_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_S", 0.05)
    with pair() as (connection, sender):
        sender.sendall(b"head")
        assert received(connection) == b"head"
        connection.head_is_read()
        with pytest.raises(TimeoutError):
            received(connection)


def test_a_stranger_may_rest_for_less_time_than_a_sender_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "STRANGER_IDLE_S", 0.05)
    with pair(keepalive_s=SOON_S) as (connection, sender):
        assert received(connection) == b""
        connection.has_authenticated()
        connection.is_answered()
        waits = gevent.spawn(connection.recv, 8192)
        gevent.sleep(0.2)
        sender.sendall(b"next")
        assert waits.get(timeout=SOON_S) == b"next"


def test_a_head_is_bounded_and_a_body_is_not() -> None:
    with pair() as (connection, sender):
        connection.head_is_read()
        for _ in range(20):
            sender.sendall(b"x" * 8_000)
            assert len(received(connection)) == 8_000
        connection.is_answered()
        for _ in range(LARGEST_HEAD // 8_000):
            sender.sendall(b"x" * 8_000)
            received(connection)
        sender.sendall(b"x" * 8_000)
        with pytest.raises(LimitRequestHeaders):
            received(connection)


def test_others_go_on_between_the_pieces_of_one_connection() -> None:
    with pair() as (connection, sender):
        sender.sendall(b"x" * 100)
        order: list[str] = []

        def read() -> None:
            for _ in range(3):
                connection.recv(1)
                order.append("piece")

        reads = gevent.spawn(read)
        gevent.spawn(order.append, "other")
        reads.join(SOON_S)
        assert order == ["piece", "other", "piece", "piece"]


def test_an_idle_connection_is_ended_but_a_request_that_has_arrived_is_read() -> None:
    with pair() as (idle, _), pair() as (asked, sender):
        waits = gevent.spawn(idle.recv, 8192)
        gevent.sleep(0)
        sender.sendall(b"POST")
        for each in (idle, asked):
            each.end_if_idle()
        assert waits.get(timeout=SOON_S) == b""
        assert received(asked) == b"POST"


def test_a_connection_whose_head_is_being_read_is_not_idle() -> None:
    with pair() as (connection, sender):
        sender.sendall(b"PO")
        assert received(connection) == b"PO"
        connection.end_if_idle()
        sender.sendall(b"ST")
        assert received(connection) == b"ST"


def test_a_connection_that_is_cut_ends_whatever_it_waits_for_and_whatever_comes() -> None:
    with pair() as (connection, sender):
        sender.sendall(b"x" * 10)
        waits = gevent.spawn(connection.recv, 5)
        gevent.sleep(0)
        connection.cut()
        waits.join(SOON_S)
        assert received(connection) == b""
        assert sender.recv(1) == b""


def test_what_nobody_reads_is_thrown_away_until_the_sender_has_seen_the_answer() -> None:
    with pair() as (connection, sender):
        connection.has_unread = True
        sender.sendall(b"x" * 50_000)
        closing = gevent.spawn(connection.close)
        gevent.sleep(0.05)
        assert not closing.ready()
        assert sender.recv(1) == b"", "it is told of the end first"
        sender.sendall(b"x" * 10_000)
        sender.close()
        closing.get(timeout=SOON_S)


def test_a_stranger_that_never_stops_sending_is_closed_after_64_kib() -> None:
    with pair() as (connection, sender):
        connection.has_unread = True
        sender.setblocking(False)
        closing = gevent.spawn(connection.close)
        sent = 0
        while not closing.ready():
            try:
                sent += sender.send(b"x" * 16_384)
            except BlockingIOError:
                gevent.sleep(0.001)
            except OSError:
                break
            gevent.sleep(0)
        closing.get(timeout=SOON_S)
        assert sent < 1024 * 1024


# ---- Strangers ----


def cut(connection: Connection) -> bool:
    return connection._is_cut


def test_the_oldest_stranger_of_an_address_gives_way_to_a_new_one_of_it() -> None:
    strangers = Strangers(per_address=2, in_all=8)
    with (
        pair(strangers, "other") as (other, _),
        pair(strangers) as (first, _),
        pair(strangers) as (second, _),
        pair(strangers) as (third, _),
    ):
        assert [cut(each) for each in (other, first, second, third)] == [False, True, False, False]
        assert len(strangers) == 3


def test_the_address_with_most_strangers_gives_way_when_there_are_too_many_in_all() -> None:
    strangers = Strangers(per_address=8, in_all=3)
    with (
        pair(strangers, "one") as (one, _),
        pair(strangers, "many") as (many, _),
        pair(strangers, "many") as (more, _),
        pair(strangers, "new") as (new, _),
    ):
        assert [cut(each) for each in (one, many, more, new)] == [False, True, False, False]


def test_whoever_has_authenticated_takes_no_room_and_never_gives_way() -> None:
    strangers = Strangers(per_address=1, in_all=1)
    with pair(strangers) as (known, _):
        known.has_authenticated()
        known.has_authenticated()
        assert len(strangers) == 0
        with pair(strangers), pair(strangers):
            assert not cut(known)


def test_whoever_is_closed_takes_no_room() -> None:
    strangers = Strangers(per_address=2, in_all=2)
    for _ in range(5):
        with pair(strangers) as (connection, _):
            assert not cut(connection)
    assert len(strangers) == 0
