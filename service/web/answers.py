"""Answers as JSON. Every refusal is `{"error": sentence}`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from flask import Response
from pydantic_core import to_json

RETRY_AFTER_S = 5
"""Seconds that a sender shall wait after a 503. Alertmanager ignores it and backs off by its own
rule; other senders, proxies and people heed it."""

_STATUS_LINES = {each.value: f"{each.value} {each.phrase}" for each in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body and the headers beside the usual ones."""

    status: int
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def status_line(self) -> str:
        """The status as WSGI wants it: `200 OK`."""
        return _STATUS_LINES[self.status]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, as WSGI wants them."""
        return [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            *self.extra,
        ]

    def to_flask(self) -> Response:
        """This answer as a Flask view returns it."""
        return Response(self.body, self.status, self.headers)


def answer(value: object, status: int = 200) -> Answer:
    """An answer with the value as JSON. NaN and infinities become null."""
    return Answer(status, to_json(value, inf_nan_mode="null"))


def refusal(status: int, sentence: str, *extra: tuple[str, str]) -> Answer:
    """An answer with one sentence for the sender. Alertmanager writes it into its own log."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra = (*extra, ("Retry-After", str(RETRY_AFTER_S)))
    return Answer(status, to_json({"error": sentence}), extra)
