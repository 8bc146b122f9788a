"""DigitalOcean's SDK with one request per call, bounded time, and every failure a VendorError.

pydo 0.44 by itself repeats a POST after a 5xx, waits 300 s, follows redirects, refuses plain HTTP,
and returns a 404 as an ordinary answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import pydo
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpResponse
from requests.exceptions import ConnectTimeout, ProxyError
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from service.domain.errors import FailureKind, VendorError
from service.providers.errors import (
    Call,
    from_status,
    never_sent,
    no_answer,
    refused,
    vendor_message,
)
from service.providers.scopes import Needed
from service.providers.told import told
from service.providers.waits import Timeouts, retry_after

ENDPOINT = "https://api.digitalocean.com"
PER_PAGE = 200
"""The vendor's largest page."""
MOST_PAGES = 10
"""Pages that are read at most, so that a wrong `next` never makes an endless loop."""
_NO_CONNECTION = (NewConnectionError, ConnectTimeoutError, ConnectTimeout, ProxyError)


class DigitalOceanClient:
    """pydo for several threads: each thread gets a client of its own at its first request.

    The transport below pydo (one requests.Session) is documented as not safe for threads. A further
    client costs about 1 ms and 0.1 MB.
    """

    def __init__(self, *, token: str, endpoint: str = ENDPOINT, timeouts: Timeouts | None = None):
        self._token = token
        self._endpoint = endpoint.rstrip("/")
        self._timeouts = timeouts or Timeouts()
        self._mine = threading.local()

    def call(self, operation: str, needs: Needed | None = None, *, repeatable: bool = True) -> Call:
        """Describe a request for its errors: its name, and what its token must be allowed.

        A read is `repeatable`. A write is not.
        """
        setting = "DIGITALOCEAN_TOKEN"
        return Call("digitalocean", operation, repeatable, setting, self._token, needs)

    def ask(self, call: Call, send: Callable[[pydo.Client], object], key: str) -> Mapping[str, Any]:
        """Send a request once. The answer has `key`.

        Raises:
            VendorError: any failure, also an answer without `key`.
        """
        return _with_key(call, self._sent(call, send), key)

    def tell(self, call: Call, send: Callable[[pydo.Client], object]) -> None:
        """Send a request once whose success has no body.

        Raises:
            VendorError: any failure.
        """
        answer = self._sent(call, send)
        if answer is not None:
            _with_key(call, answer, "")

    def _sent(self, call: Call, send: Callable[[pydo.Client], object]) -> object:
        with told(call):
            try:
                return send(self._sdk())
            except AzureError as problem:
                raise _translated(call, problem) from problem
            except ValueError as problem:
                raise no_answer(call, "the answer cannot be read") from problem

    def pages(
        self, call: Call, send: Callable[[pydo.Client, int], object], key: str
    ) -> Iterator[Mapping[str, Any]]:
        """The items under `key` on all pages, at most `MOST_PAGES` of them.

        Raises:
            VendorError: the request for a page failed.
        """
        for page in range(1, MOST_PAGES + 1):
            answer = self.ask(call, _at_page(send, page), key)
            yield from answer[key] or ()
            links = answer.get("links") or {}
            if not (links.get("pages") or {}).get("next"):
                return

    def _sdk(self) -> pydo.Client:
        mine: pydo.Client | None = getattr(self._mine, "client", None)
        if mine is None:
            mine = self._mine.client = make_sdk_client(self._token, self._endpoint, self._timeouts)
        return mine


def make_sdk_client(token: str, endpoint: str, timeouts: Timeouts) -> pydo.Client:
    """The SDK's client, without retries and redirects, and with our time-outs.

    Plain HTTP is for the sandbox. The SDK's own policy would refuse to send a token over it, and a
    proxy of the environment could not reach it.
    """
    plain: dict[str, Any] = {}
    if endpoint.startswith("http://"):
        plain = {"authentication_policy": _PlainBearer(token), "use_env_settings": False}
    return pydo.Client(
        token,
        endpoint=endpoint,
        retry_total=0,
        permit_redirects=False,
        connection_timeout=timeouts.connect,
        read_timeout=timeouts.read,
        **plain,
    )


class _PlainBearer(SansIOHTTPPolicy[Any, Any]):
    """Sends the token over plain HTTP too."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._value = f"Bearer {token}"

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Add the header."""
        request.http_request.headers["Authorization"] = self._value


def _at_page(
    send: Callable[[pydo.Client, int], object], page: int
) -> Callable[[pydo.Client], object]:
    return lambda sdk: send(sdk, page)


def moment(text: object) -> datetime | None:
    """A time in the vendor's form (ISO 8601). None if it is missing or empty."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _with_key(call: Call, answer: object, key: str) -> Mapping[str, Any]:
    if isinstance(answer, Mapping) and key in answer:
        return answer
    if isinstance(answer, Mapping) and "id" in answer and "message" in answer:
        status = 404 if answer["id"] == "not_found" else None
        raise refused(call, status, str(answer["message"]))
    what = f'the answer has no "{key}"' if key else "an answer that it does not document came"
    raise no_answer(call, what)


def _translated(call: Call, problem: AzureError) -> VendorError:
    if isinstance(problem, HttpResponseError):
        return _from_response(call, problem)
    cause = problem.inner_exception
    if isinstance(problem, ServiceRequestError) and _no_connection(cause):
        return never_sent(call, cause)
    return no_answer(call, cause or problem)


def _no_connection(cause: object) -> bool:
    """Whether the connection was never made. The SDK says "request error" for other failures
    too."""
    reasons = [cause, *getattr(cause, "args", ())]
    reasons += [one.reason for one in reasons if isinstance(one, MaxRetryError)]
    return any(isinstance(one, _NO_CONNECTION) for one in reasons)


def _from_response(call: Call, problem: HttpResponseError) -> VendorError:
    response = problem.response
    if not isinstance(response, HttpResponse) or (
        isinstance(problem, DecodeError) and response.status_code < 300  # noqa: PLR2004 - success
    ):
        return no_answer(call, "the answer cannot be read")
    return from_status(
        call,
        response.status_code,
        _said(response),
        retry_after(response.headers, response.status_code),
    )


def _said(response: HttpResponse) -> str:
    try:
        return vendor_message(response.json())
    except (ValueError, AzureError):
        return response.text()


def is_busy_elsewhere(problem: VendorError) -> bool:
    """Whether a refusal only says that the target's previous action has not ended.

    This reads the answer itself, because the error's sentence quotes only a part of it.
    """
    answer = problem.__cause__
    if not isinstance(answer, HttpResponseError) or not isinstance(answer.response, HttpResponse):
        return False
    words = _said(answer.response).lower()
    return (
        problem.kind is FailureKind.PERMANENT
        and problem.status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
        and any(word in words for word in ("pending event", "locked", "another action"))
    )
