"""Plain HTTP for the vendors without an SDK: httpx, with our time-outs and our errors."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from service.providers.errors import (
    Call,
    from_status,
    never_sent,
    no_answer,
    no_url,
    vendor_message,
)
from service.providers.told import told
from service.providers.waits import Timeouts, retry_after

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer. The largest that we expect (Supabase's price list) has some 20 kB."""
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""No limits. At a limit, httpx's pool may close a connection that it has just given to another
thread (httpcore #1110). There are never more connections than the worker has threads."""
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def make_http_client(
    base_url: str, *, token: str = "", timeouts: Timeouts | None = None
) -> httpx.Client:
    """A client for one vendor. Threads may share it.

    A proxy of the environment is used for https only. The sandbox is the only vendor on plain HTTP,
    and it is reached directly.
    """
    limits = timeouts or Timeouts()
    return httpx.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=httpx.Timeout(limits.read, connect=limits.connect, pool=limits.connect),
        limits=_LIMITS,
        follow_redirects=False,
        trust_env=not base_url.startswith("http://"),
    )


def ask(
    client: httpx.Client,
    call: Call,
    method: str,
    path: str,
    *,
    params: Mapping[str, str | list[str]] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Send one request, and return the decoded JSON of a 2xx.

    Raises:
        VendorError: any other outcome.
    """
    return _json(call, _send(client, call, method, path, params=params, body=body))


def send(
    client: httpx.Client,
    call: Call,
    method: str,
    path: str,
    *,
    params: Mapping[str, str | list[str]] | None = None,
    body: Mapping[str, Any] | None = None,
    read_s: float | None = None,
) -> None:
    """Send one request whose success is documented without a body.

    `read_s` is how many seconds the answer may take, if the client's own time-out is too short.

    An empty body and a JSON object count as the vendor's success. Anything else, such as the HTML
    page of a proxy, is not the vendor's answer. This looks at the body and not at its content type,
    because web frameworks call an empty body HTML.

    Raises:
        VendorError: any other outcome.
    """
    content = _send(client, call, method, path, params=params, body=body, read_s=read_s)
    if content.strip() and not isinstance(_json(call, content), dict):
        raise no_answer(call, "the answer is not a JSON object")


def fetch(client: httpx.Client, call: Call, path: str) -> None:
    """Send one GET of which only the status counts: any 2xx is the vendor's success.

    Raises:
        VendorError: any other outcome.
    """
    _send(client, call, "GET", path)


def _send(
    client: httpx.Client,
    call: Call,
    method: str,
    path: str,
    *,
    params: Mapping[str, str | list[str]] | None = None,
    body: Mapping[str, Any] | None = None,
    read_s: float | None = None,
) -> bytes:
    """The body of a 2xx."""
    with told(call):
        return _answer(client, call, method, path, params=params, body=body, read_s=read_s)


def _answer(
    client: httpx.Client,
    call: Call,
    method: str,
    path: str,
    *,
    params: Mapping[str, str | list[str]] | None,
    body: Mapping[str, Any] | None,
    read_s: float | None,
) -> bytes:
    timeout = client.timeout
    if read_s is not None:
        timeout = httpx.Timeout(read_s, connect=timeout.connect, pool=timeout.pool)
    try:
        with client.stream(method, path, params=params, json=body, timeout=timeout) as response:
            content = _read(response, timeout)
    except _NEVER_SENT as problem:
        raise never_sent(call, problem) from problem
    except httpx.HTTPError as problem:
        raise no_answer(call, problem) from problem
    except httpx.InvalidURL as problem:
        raise no_url(call, problem) from problem
    if response.is_success:
        return content
    said = vendor_message(_decoded(content))
    raise from_status(
        call, response.status_code, said, retry_after(response.headers, response.status_code)
    )


def _read(response: httpx.Response, timeout: httpx.Timeout) -> bytes:
    """The body. httpx bounds the wait for each piece; this bounds the time for all of them."""
    deadline = time.monotonic() + (timeout.read or 0)
    content = b""
    for piece in response.iter_bytes():
        content += piece
        if len(content) > LARGEST_ANSWER:
            raise httpx.ReadError(f"more than {LARGEST_ANSWER} bytes")
        if time.monotonic() > deadline:
            raise httpx.ReadError("the answer trickles in too slowly")
    return content


def _json(call: Call, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as problem:
        raise no_answer(call, "the answer is not JSON") from problem


def _decoded(content: bytes) -> object:
    try:
        decoded: object = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    return decoded
