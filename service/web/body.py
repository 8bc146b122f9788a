"""Reads a request's body whole, and counts while reading: nobody makes us hold more.

A declared length is checked before anything else; a body without one (chunked) is counted as it
comes. All large bodies together are bounded too (`InFlight`).
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from service.intake.parse import PayloadRefused

SMALL = 64 * 1024
"""Bytes of a body that nobody counts: a small notification is never refused for large ones."""

Hold = Callable[[int], None]
"""Counts more bytes as held."""


class BodyTooLarge(Exception):  # noqa: N818 - it names an answer (413)
    """The body is larger than is taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        """What to do about it, for the sender's log."""
        return (
            f"The notification is larger than {self.limit} bytes: set max_alerts at the sender, "
            "or raise MAX_BODY_BYTES here."
        )


class BodyCutShort(Exception):  # noqa: N818 - it names what happened
    """The connection ended, or its sender paused for too long, in the middle of the body."""

    def __str__(self) -> str:
        """For the sender, if it still listens."""
        return "The body ended before its end: nothing was kept, send it again."


class TooMuchInFlight(Exception):  # noqa: N818 - it names an answer (503)
    """There is no room for one more large body."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        """For the sender."""
        return (
            f"There is no room now: large notifications may have {self.limit} bytes together. "
            "This one was not kept, send it again."
        )


GZIP = ("gzip", "x-gzip")
_ANY_GZIP_HEADER = 31
"""zlib's own number for a stream with a header and a checksum of gzip."""


def is_gzip(environ: dict[str, Any]) -> bool:
    """Whether the request says that its body is packed by gzip.

    Raises:
        PayloadRefused: 415, for any other way of packing.
    """
    encoding = (environ.get("HTTP_CONTENT_ENCODING") or "identity").strip().lower()
    if encoding in GZIP:
        return True
    if encoding in ("identity", ""):
        return False
    raise PayloadRefused(415, "The Content-Encoding is neither gzip nor identity.")


def unpacked(body: bytes, limit: int, hold: Hold) -> bytes:
    """What gzip has packed, of at most `limit` bytes; `hold` counts all of it.

    Raises:
        BodyTooLarge: it is more, however small it was packed.
        PayloadRefused: 422, it is not gzip, or its end is missing.
        TooMuchInFlight: by `hold`.
    """
    pieces, size = [], 0
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
    """Bytes of large bodies whose requests are not answered yet, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def request(self) -> Iterator[Hold]:
        """What one request holds until it is answered.

        Raises:
            TooMuchInFlight: by what it yields, when there is no room.
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
    """Nobody bounds what is held."""


def read_body(
    environ: dict[str, Any], length: int | None, limit: int, hold: Hold = _uncounted
) -> bytes:
    """The body in bytes; `length` is what was declared (`declared_length`).

    `hold` counts what is more than `SMALL` bytes.

    Raises:
        TooMuchInFlight: by `hold`.
        BodyTooLarge: more than `limit` bytes came without having been declared.
        BodyCutShort: fewer came than were declared, or they took too long.
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
        # A deadline is over, or gunicorn met the end of the connection or a wrong chunk.
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
