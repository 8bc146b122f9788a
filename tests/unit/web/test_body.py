from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from service.intake.parse import PayloadRefused
from service.web.body import (
    SMALL,
    BodyCutShort,
    BodyTooLarge,
    InFlight,
    TooMuchInFlight,
    declared_length,
    is_gzip,
    read_body,
    unpacked,
)


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, and counts what was taken."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(min(3, size) if size and size > 0 else size)
        self.taken += len(piece)
        return piece


def environ(body: bytes, **extra: Any) -> dict[str, Any]:
    return {"wsgi.input": Trickle(body), **extra}


def body_of(given: dict[str, Any], limit: int) -> bytes:
    """As the webhooks do it: the length first."""
    return read_body(given, declared_length(given, limit), limit)


def test_a_declared_body_is_read_whole() -> None:
    assert body_of(environ(b"0123456789rest", CONTENT_LENGTH="10"), 10) == b"0123456789"


def test_a_declared_length_above_the_limit_is_refused_before_a_byte_is_read() -> None:
    given = environ(b"01234567890", CONTENT_LENGTH="11")
    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        body_of(given, 10)
    assert given["wsgi.input"].taken == 0


def test_a_body_without_a_length_is_read_to_its_end() -> None:
    given = environ(b"0123456789", **{"wsgi.input_terminated": True})
    assert body_of(given, 10) == b"0123456789"


def test_a_body_without_a_length_is_counted_while_reading() -> None:
    given = environ(b"0" * 1000, **{"wsgi.input_terminated": True})
    with pytest.raises(BodyTooLarge):
        body_of(given, 10)
    assert given["wsgi.input"].taken == 11


def test_no_length_and_no_end_is_no_body() -> None:
    assert body_of(environ(b"whatever"), 10) == b""


@pytest.mark.parametrize("extra", [{"CONTENT_LENGTH": "10"}, {"wsgi.input_terminated": True}])
def test_a_sender_that_pauses_for_too_long_is_asked_to_send_it_again(extra: dict[str, Any]) -> None:
    class Stalled:
        def read(self, _size: int) -> bytes:
            raise TimeoutError

    with pytest.raises(BodyCutShort, match="send it again"):
        body_of({"wsgi.input": Stalled(), **extra}, 10)


def test_a_connection_that_breaks_off_is_told_from_a_whole_body() -> None:
    with pytest.raises(BodyCutShort, match="send it again"):
        body_of(environ(b"01234", CONTENT_LENGTH="10"), 10)


# ---- bytes in flight ----


def test_large_bodies_are_bounded_together_and_make_room_when_they_are_answered() -> None:
    in_flight = InFlight(100)
    with in_flight.request() as hold, in_flight.request() as other:
        hold(60)
        with pytest.raises(TooMuchInFlight, match="not kept, send it again"):
            other(41)
        other(40)
    with in_flight.request() as hold:
        hold(100)


def test_a_body_that_was_refused_takes_no_room() -> None:
    in_flight = InFlight(100)
    with in_flight.request() as hold:
        hold(60)
        with pytest.raises(TooMuchInFlight):
            hold(60)
    with in_flight.request() as hold:
        hold(100)


@pytest.mark.parametrize("declares", [True, False])
def test_a_small_body_is_never_counted_and_a_large_one_always(*, declares: bool) -> None:
    def counted(length: int) -> int:
        held: list[int] = []
        extra = {"CONTENT_LENGTH": str(length)} if declares else {"wsgi.input_terminated": True}
        given = {"wsgi.input": io.BytesIO(b"0" * length), **extra}
        body = read_body(given, declared_length(given, 10**6), 10**6, held.append)
        assert len(body) == length
        return sum(held)

    assert counted(SMALL) == 0
    assert counted(3 * SMALL) >= 2 * SMALL


def test_a_large_body_is_refused_before_it_is_read() -> None:
    given = environ(b"0" * (SMALL + 1), CONTENT_LENGTH=str(SMALL + 1))
    with InFlight(SMALL).request() as hold, pytest.raises(TooMuchInFlight):
        read_body(given, SMALL + 1, 10**6, hold)
    assert given["wsgi.input"].taken == 0


def nobody_holds(_count: int) -> None:
    """Nothing is bounded."""


def test_what_gzip_packed_comes_out_whole_in_one_piece_or_several() -> None:
    text = b"0123456789" * 20_000
    assert unpacked(gzip.compress(text), len(text), nobody_holds) == text
    several = gzip.compress(text[:5]) + gzip.compress(text[5:])
    assert unpacked(several, len(text), nobody_holds) == text


def test_a_small_body_that_unpacks_to_more_than_the_limit_is_given_up_at_the_limit() -> None:
    held: list[int] = []
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < SMALL
    with pytest.raises(BodyTooLarge, match="larger than 1000000 bytes"):
        unpacked(bomb, 1_000_000, held.append)
    assert sum(held) <= 1_000_000


def test_what_is_unpacked_counts_as_held() -> None:
    in_flight = InFlight(100_000)
    with pytest.raises(TooMuchInFlight), in_flight.request() as hold:
        unpacked(gzip.compress(b"0" * 200_000), 1_000_000, hold)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "it cannot be unpacked"),
        (gzip.compress(b"0123456789", mtime=0)[:-3], "whose end is missing"),
        (gzip.compress(b"0123456789", mtime=0) + b"rest", "it cannot be unpacked"),
    ],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadRefused, match=reason) as refused:
        unpacked(body, 1_000_000, nobody_holds)
    assert refused.value.status == 422


def test_gzip_is_the_only_packing_that_is_taken() -> None:
    assert is_gzip({"HTTP_CONTENT_ENCODING": "GZip"})
    assert not is_gzip({"HTTP_CONTENT_ENCODING": "identity"})
    assert not is_gzip({})
    with pytest.raises(PayloadRefused) as refused:
        is_gzip({"HTTP_CONTENT_ENCODING": "br"})
    assert refused.value.status == 415
