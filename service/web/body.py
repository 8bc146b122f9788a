"""Reads a request's body whole, and counts while reading: nobody makes us hold more.

A declared length is checked before anything else; a body without one (chunked) is counted as it
comes.
"""

from __future__ import annotations

from typing import Any

_PIECE = 1024 * 1024
"""Bytes asked for at a time when no length was declared."""


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


def read_body(environ: dict[str, Any], length: int | None, limit: int) -> bytes:
    """The body in bytes; `length` is what was declared (`declared_length`).

    Raises:
        BodyTooLarge: more than `limit` bytes came without having been declared.
        BodyCutShort: fewer came than were declared, or none for too long.
    """
    stream = environ["wsgi.input"]
    try:
        if length is not None:
            return _exactly(stream, length)
        if environ.get("wsgi.input_terminated"):
            return _upto(stream, limit)
    except TimeoutError:
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


def _upto(stream: Any, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := stream.read(min(_PIECE, limit + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(limit)
    return b"".join(pieces)
