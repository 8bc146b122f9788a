"""Reads the body of a request within bounds, so that no sender can exhaust the memory.

A declared length is checked before anything is read. A body without one (chunked) is counted while
it is read. All large bodies together are bounded too (`InFlight`).
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from service.intake.parse import PayloadRefused

SMALL = 64 * 1024
"""Bytes of a body that `InFlight` does not count, so that large bodies never crowd out a small
one."""

Hold = Callable[[int], None]
"""Counts more bytes as held."""


class BodyTooLarge(Exception):  # noqa: N818 - it names an answer (413)
    """The body is larger than the limit in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        """The sentence for the sender's log: what happened, and what to do about it."""
        return (
            f"The notification is larger than {self.limit} bytes: set max_alerts at the sender, "
            "or raise MAX_BODY_BYTES here."
        )


class BodyCutShort(Exception):  # noqa: N818 - it names what happened
    """The connection ended in the middle of the body, or the sender paused for too long."""

    def __str__(self) -> str:
        """The sentence for the sender, if it still listens."""
        return "The body ended before its end: nothing was kept, send it again."


class TooMuchInFlight(Exception):  # noqa: N818 - it names an answer (503)
    """There is no room for one more large body."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        """The sentence for the sender."""
        return (
            f"There is no room now: large notifications may have {self.limit} bytes together. "
            "This one was not kept, send it again."
        )


GZIP = ("gzip", "x-gzip")
_ANY_GZIP_HEADER = 31
"""zlib's `wbits` for a gzip stream: 16 stands for gzip, 15 for the largest window."""


def is_gzip(environ: dict[str, Any]) -> bool:
    """Whether the request says that its body is compressed by gzip.

    Raises:
        PayloadRefused: 415, for any other encoding.
    """
    given = environ.get("HTTP_CONTENT_ENCODING")
    if not given:
        return False
    encoding = given.strip().lower()
    if encoding in GZIP:
        return True
    if encoding in ("identity", ""):
        return False
    raise PayloadRefused(415, "The Content-Encoding is neither gzip nor identity.")


def unpacked(body: bytes, limit: int, hold: Hold) -> bytes:
    """The decompressed body, of at most `limit` bytes. `hold` counts all of it.

    Raises:
        BodyTooLarge: the decompressed body is larger than `limit`.
        PayloadRefused: 422, the body is not gzip, or its end is missing.
        TooMuchInFlight: `hold` found no room.
    """
    pieces, size = [], 0
    # A gzip body may be several streams, one after the other (RFC 1952, 2.2).
    while body:
        stream = zlib.decompressobj(_ANY_GZIP_HEADER)
        while not stream.eof:
            try:
                piece = stream.decompress(body, min(SMALL, limit + 1 - size))
            except zlib.error as error:
                sentence = f"The body says that it is gzip, and it cannot be unpacked: {error}."
                raise PayloadRefused(422, sentence) from error
            body = stream.unconsumed_tail
            if not piece and not body and not stream.eof:
                raise PayloadRefused(422, "The body is gzip whose end is missing.")
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(limit)
            hold(len(piece))
            pieces.append(piece)
        body = stream.unused_data
    return b"".join(pieces)


class InFlight:
    """Counts the bytes of large bodies whose requests are not answered yet: at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def request(self) -> Iterator[Hold]:
        """A counter for one request. What it counted is given back when the request is answered.

        Raises:
            TooMuchInFlight: from the counter, when there is no room.
        """
        mine = 0

        def hold(count: int) -> None:
            nonlocal mine
            self._take(count)
            mine += count

        try:
            yield hold
        finally:
            self._take(-mine)

    def _take(self, count: int) -> None:
        with self._lock:
            if self._held + count > self._limit:
                raise TooMuchInFlight(self._limit)
            self._held += count


def declared_length(environ: dict[str, Any], limit: int) -> int | None:
    """The bytes that the request says its body has; None when it does not say.

    Raises:
        BodyTooLarge: more than `limit`.
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if not declared.isdecimal():
        return None
    length = int(declared)
    if length > limit:
        raise BodyTooLarge(limit)
    return length


def _uncounted(_bytes: int) -> None:
    """A `Hold` without a bound."""


def read_body(
    environ: dict[str, Any], length: int | None, limit: int, hold: Hold = _uncounted
) -> bytes:
    """The body; `length` is its declared length in bytes (`declared_length`).

    `hold` counts a body of more than `SMALL` bytes.

    Raises:
        TooMuchInFlight: `hold` found no room.
        BodyTooLarge: a body without a declared length has more than `limit` bytes.
        BodyCutShort: fewer bytes came than were declared, or they took too long.
    """
    stream = environ["wsgi.input"]
    try:
        if length is not None:
            if length > SMALL:
                hold(length)
            return _exactly(stream, length)
        if environ.get("wsgi.input_terminated"):
            return _upto(stream, limit, hold)
    except OSError:
        # A deadline has passed, or gunicorn met the end of the connection or a wrong chunk.
        raise BodyCutShort from None
    # Without a length and without an end there is no body (RFC 9112, 6.3).
    return b""


def _exactly(stream: Any, length: int) -> bytes:
    body: bytes = stream.read(length)
    while len(body) < length:
        more = stream.read(length - len(body))
        if not more:
            raise BodyCutShort
        body += more
    return body


def _upto(stream: Any, limit: int, hold: Hold) -> bytes:
    pieces, size = [], 0
    while piece := stream.read(min(SMALL, limit + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(limit)
        if size > SMALL:
            hold(len(piece))
    return b"".join(pieces)
