"""The reader of a running service: its API over HTTP.

This uses the standard library's client. httpx takes 0.2 s of processor time to load, as long as a
whole command of this kind takes (docs/performance.md). A list needs one request and no pool.
"""

from __future__ import annotations

import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from service.cli.output import hide_with
from service.domain.errors import Told
from service.domain.filters import BadFilter
from service.domain.people import BadRequest, Conflict, Forbidden, NotFound
from service.domain.redaction import shown_address
from service.environment import redactor_by_name

TIMEOUT_S = 20.0
"""Seconds to connect, and to wait for each piece of an answer. After that a person is told, and not
left to wait for the 30 s that the service gives its database."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer that are read. Two hundred of the largest alerts are less."""
_API = "/api/v1"
_GIVEN = "--url, or RUNBOOKD_URL,"
_NO_ADDRESS = "write it as https://runbookd.example.com, or http://127.0.0.1:8080"


class NotAnswered(Told):
    """The service gave no answer that can be shown."""


class RemoteReader:
    """Asks the service at one address, with a token if there is one.

    Raises:
        BadFilter: the address is no URL of a service, or the token cannot be sent in a header.
    """

    def __init__(self, address: str, token: str = "") -> None:
        self._base = _checked(address)
        self._token = _sendable(token)
        self._shown = shown_address(address)
        hide_with(redactor_by_name(token))
        # A proxy of the environment (HTTP_PROXY) cannot reach a service on this machine's loopback.
        proxies = urllib.request.ProxyHandler({}) if _is_loopback(self._base) else None
        handlers = [_NoRedirect(), *([proxies] if proxies else [])]
        self._opener = urllib.request.build_opener(*handlers)

    def page(self, what: str, filters: Mapping[str, str]) -> dict[str, Any]:
        """A page of alerts, decisions, runs or quarantined alerts."""
        return self._there(f"/{what}", filters, "items")

    def run(self, run_id: str) -> dict[str, Any] | None:
        """One run with its steps and decisions."""
        return self._get(f"/runs/{quote(run_id, safe='/')}", {}, "steps")

    def explain(self, of: str | None) -> dict[str, Any] | None:
        """What led to what."""
        return self._get("/explain", {"last": "true"} if of is None else {"of": of}, "decisions")

    def status(self, target: str | None) -> dict[str, Any]:
        """How things are now."""
        return self._there("/status", {} if target is None else {"target": target}, "targets")

    def levels(self, at: float | None, days: int) -> dict[str, Any]:
        """What should hold by the rules of that service."""
        asked = {"days": str(days), **({} if at is None else {"at": f"{at:.6f}"})}
        return self._there("/levels", asked, "items")

    def targets(self) -> tuple[str, ...]:
        """The names of the targets in the rules of that service."""
        return tuple(self.status(None)["targets"])

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request that may change something, and return the API's JSON answer.

        Raises:
            BadRequest: the request makes no sense.
            Refusal: the request may not, or cannot, be carried out.
        """
        code, answered = self._answer(f"{self._base}{_API}{path}", method, body)
        value = _parsed(answered)
        if code < HTTPStatus.MULTIPLE_CHOICES and value is not None:
            return value
        sentence = value.get("error") if value is not None else None
        refusals = {422: BadRequest, 404: NotFound, 409: Conflict, 403: Forbidden}
        if code in refusals and isinstance(sentence, str):
            raise refusals[code](sentence)
        raise self._refused(code, sentence)

    def _there(self, path: str, asked: Mapping[str, str], key: str) -> dict[str, Any]:
        found = self._get(path, asked, key)
        if found is None:
            raise self._not_ours()
        return found

    def _get(self, path: str, asked: Mapping[str, str], key: str) -> dict[str, Any] | None:
        """The answer, which must have that key. None if the thing that `path` names does not
        exist."""
        query = f"?{urlencode(asked)}" if asked else ""
        code, body = self._answer(f"{self._base}{_API}{path}{query}")
        value = _parsed(body)
        if code == HTTPStatus.OK:
            if value is None or key not in value:
                raise self._not_ours()
            return value
        sentence = value.get("error") if value is not None else None
        if code == HTTPStatus.NOT_FOUND and isinstance(sentence, str):
            if sentence.startswith("There is nothing at"):
                raise NotAnswered(
                    f"The runbookd at {self._shown} is older than this terminal: it does not know "
                    f"{_API}{path}. Update it, or use the terminal that came with it."
                )
            return None
        raise self._refused(code, sentence)

    def _refused(self, code: int, sentence: object) -> Told:
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotAnswered(self._not_let_in(code, sentence))
        if code == HTTPStatus.UNPROCESSABLE_ENTITY and isinstance(sentence, str):
            return BadFilter(sentence)
        if not isinstance(sentence, str):
            if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return NotAnswered(
                    f"{self._shown} answered {code}, and not in runbookd's words: a proxy before "
                    "it may have no runbookd to ask. Look whether the web process runs."
                )
            return self._not_ours()
        return NotAnswered(f"The runbookd at {self._shown} answered {code}: {sentence}")

    def _not_let_in(self, code: int, sentence: object) -> str:
        said = f": {sentence}" if isinstance(sentence, str) else "."
        if code == HTTPStatus.FORBIDDEN:
            return f"The token may not read this at {self._shown}{said}"
        do = "The token is not one of its API_TOKENS." if self._token else "It wants a token."
        return (
            f"{self._shown} does not let this terminal in (401){said} {do} Set RUNBOOKD_TOKEN, or "
            "name a file that holds the token with --token-file."
        )

    def _answer(
        self, url: str, method: str = "GET", body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body. `_checked` allows only http and https."""
        headers = {"Accept": "application/json", "User-Agent": "runbookd-terminal"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return int(response.status), response.read(LARGEST)
        except urllib.error.HTTPError as answered:
            with answered:
                self._refuse_redirect(answered)
                return answered.code, answered.read(LARGEST)
        except (OSError, HTTPException) as error:
            raise NotAnswered(
                f"No runbookd can be reached at {self._shown} ({_reason(error)}). Look whether its "
                "web process runs, and whether this machine may reach it; or read the local store "
                'with --url "".'
            ) from None

    def _refuse_redirect(self, answered: urllib.error.HTTPError) -> None:
        """Refuse to follow a redirect: only the address that was named may get the token."""
        place = answered.headers.get("Location")
        if place and HTTPStatus.MULTIPLE_CHOICES <= answered.code < HTTPStatus.BAD_REQUEST:
            raise NotAnswered(
                f"{self._shown} is not where runbookd is: it sends to {shown_address(place)} "
                f"({answered.code}). If that is right, name it with --url or RUNBOOKD_URL."
            )

    def _not_ours(self) -> NotAnswered:
        return NotAnswered(
            f"What answers at {self._shown} is not a runbookd. Name the address of its web "
            "process, without /api, with --url or RUNBOOKD_URL."
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an answer like any other."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Return None, so that the redirect is not followed."""
        return


def _checked(address: str) -> str:
    """The address without a slash at its end.

    Raises:
        BadFilter: it is no URL of a service, or it holds a secret.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise BadFilter(f"{_GIVEN} holds no address ({error}): {_NO_ADDRESS}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadFilter(f"{_GIVEN} holds no address: {_NO_ADDRESS}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadFilter(
            f"{_GIVEN} must be the place alone: a token belongs in RUNBOOKD_TOKEN or in the file "
            "that --token-file names."
        )
    if not address.isascii() or not address.isprintable() or " " in address:
        raise BadFilter(f"{_GIVEN} holds a character that no address has.")
    return address.rstrip("/")


def _sendable(token: str) -> str:
    if not token.isascii() or not token.isprintable():
        raise BadFilter(
            "The token holds a character that no header may: RUNBOOKD_TOKEN, or the file that "
            "--token-file names, must hold one token and nothing else."
        )
    return token


def _is_loopback(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _reason(error: Exception) -> str:
    """Why the request failed, in the system's words."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(words)
