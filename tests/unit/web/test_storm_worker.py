"""What our gunicorn worker does differently from gunicorn's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # gunicorn ships no types

from service.web.storm_worker import WholeResponse


class NarrowSocket:
    """Takes `width` bytes at a time, as one does whose reader is slow."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data[: self.width])
        return len(self.sent[-1])

    def sendall(self, data: bytes) -> None:
        while data:
            data = data[self.send(data) :]


@pytest.mark.parametrize("width", [1, 50, 10_000])
def test_an_answer_is_sent_whole_however_little_goes_out_at_once(width: int) -> None:
    narrow = NarrowSocket(width)
    asked = SimpleNamespace(version=(1, 1), method="POST", should_close=lambda: False)
    response = WholeResponse(asked, narrow, Config())
    response.start_response("200 OK", [("Content-Length", "5")])
    response.write(b"hello")
    response.close()
    whole = b"".join(narrow.sent)
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\nhello")
    assert whole.count(b"hello") == 1
    assert width < len(whole) or len(narrow.sent) == 1
