from __future__ import annotations

import io
from typing import Any

import pytest

from service.web.body import BodyCutShort, BodyTooLarge, declared_length, read_body


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
