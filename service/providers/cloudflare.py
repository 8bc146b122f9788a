"""Cloudflare: a zone's state, purges of its cache, and what its edge says of one address.

It uses httpx. The vendor's own SDK has 105 MB and takes seconds to its first call, for a handful of
requests, and it returns None where an answer says `success: false` (docs/libraries.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote as url_quote
from urllib.parse import urlsplit

import httpx

from service.domain.errors import VendorError
from service.ports.cloudflare_zone import Answered, CacheLevel, CacheRules, EdgeCopy, ZoneState
from service.providers.errors import (
    Call,
    busy,
    never_sent,
    no_answer,
    no_url,
    reading,
    refused,
    vendor_message,
)
from service.providers.http import ask, make_http_client
from service.providers.scopes import (
    PURGE,
    READ_CACHE_LEVEL,
    READ_CACHE_RULES,
    READ_ZONE,
    SET_CACHE_LEVEL,
    SET_CACHE_RULES,
    Needed,
)
from service.providers.waits import Timeouts

ENDPOINT = "https://api.cloudflare.com"
EVERYTHING = "everything"
NO_LIST = 10003
"""The code of Cloudflare's error for a zone that has no list of cache rules yet."""
_CACHE_RULES = "rulesets/phases/http_request_cache_settings/entrypoint"
_CACHE_LEVEL = "settings/cache_level"
TOO_FAST = (971, 1134)
"""Codes of errors that ask for a later try: the limit of all calls, and the limit of purges."""


class CloudflareApi:
    """Cloudflare's API (`service.ports.CloudflareZones`). Safe for threads.

    `edge_url` stands in for the edge: the address of a site is asked for below it. Empty: the site
    itself is asked. `origin_url` does the same for a site's own server. The token is never sent to
    either.
    """

    def __init__(
        self,
        *,
        token: str,
        base_url: str = ENDPOINT,
        edge_url: str = "",
        origin_url: str = "",
        timeouts: Timeouts | None = None,
    ) -> None:
        self._token = token
        self._edge_url = edge_url
        self._origin_url = origin_url
        self._http: httpx.Client = make_http_client(base_url, token=token, timeouts=timeouts)
        self._edge: httpx.Client = make_http_client(edge_url, timeouts=timeouts)
        self._origin: httpx.Client = make_http_client(origin_url, timeouts=timeouts)

    def zone(self, zone: str) -> ZoneState:
        """The zone as it is now."""
        call = self._call(f"read zone {zone}", READ_ZONE)
        found = self._result(call, "GET", _path(zone))
        with reading(call):
            plan = found.get("plan") or {}
            return ZoneState(
                zone,
                str(found["name"]),
                str(found["status"]),
                bool(found.get("paused")),
                str(plan.get("legacy_id") or plan.get("name") or ""),
            )

    def purge(self, zone: str, by: str, entries: Sequence[str]) -> None:
        """Ask for one purge. Cloudflare answers as soon as it has taken it."""
        body = {"purge_everything": True} if by == EVERYTHING else {by: list(entries)}
        what = EVERYTHING if by == EVERYTHING else f"{len(entries)} {by}"
        call = self._call(f"purge {what} of zone {zone}", PURGE, repeatable=False)
        self._result(call, "POST", _path(zone, "purge_cache"), body=body)

    def cache_rules(self, zone: str) -> CacheRules:
        """The zone's cache rules now. A zone that has never had one has no list, which is a 404."""
        call = self._call(f"read the cache rules of zone {zone}", READ_CACHE_RULES)
        try:
            found = self._result(call, "GET", _path(zone, _CACHE_RULES))
        except VendorError as problem:
            if problem.status == httpx.codes.NOT_FOUND and str(NO_LIST) in problem.sentence:
                return CacheRules(0, ())
            raise
        return _rules(call, found)

    def set_cache_rules(self, zone: str, rules: Sequence[Mapping[str, Any]]) -> CacheRules:
        """Replace all cache rules of the zone in one write. Cloudflare takes no condition on it."""
        call = self._call(f"set the cache rules of zone {zone}", SET_CACHE_RULES, repeatable=False)
        body = {"rules": list(rules)}
        return _rules(call, self._result(call, "PUT", _path(zone, _CACHE_RULES), body=body))

    def cache_level(self, zone: str) -> CacheLevel:
        """The zone's cache level now."""
        call = self._call(f"read the cache level of zone {zone}", READ_CACHE_LEVEL)
        return _level(call, self._result(call, "GET", _path(zone, _CACHE_LEVEL)))

    def set_cache_level(self, zone: str, value: str) -> CacheLevel:
        """Set the zone's cache level, and none of its other settings."""
        call = self._call(f"set the cache level of zone {zone}", SET_CACHE_LEVEL, repeatable=False)
        path = _path(zone, _CACHE_LEVEL)
        return _level(call, self._result(call, "PATCH", path, body={"value": value}))

    def copy(self, url: str) -> EdgeCopy:
        """Get this address as a visitor does. The body is not read, and no token is sent."""
        _, headers = _visited(self._edge, url, _below(self._edge_url, url))
        age = headers.get("age", "")
        seconds = int(age) if age.isascii() and age.isdecimal() else None
        return EdgeCopy(headers.get("cf-cache-status", "").upper(), seconds)

    def answer(self, url: str, host: str) -> Answered:
        """Get this address of a site's own server as a stranger does. The body is not read, and no
        token is sent."""
        at = _below(self._origin_url, url, host)
        named = {"Host": host} if host and not self._origin_url else {}
        status, headers = _visited(self._origin, url, at, named)
        return Answered(
            status,
            "set-cookie" in headers,
            headers.get("cache-control", ""),
            headers.get("vary", ""),
        )

    def close(self) -> None:
        """Close the connections."""
        for client in (self._http, self._edge, self._origin):
            client.close()

    def _call(self, operation: str, needs: Needed, *, repeatable: bool = True) -> Call:
        setting = "CLOUDFLARE_API_TOKEN"
        return Call("cloudflare", operation, repeatable, setting, self._token, needs)

    def _result(
        self, call: Call, method: str, path: str, *, body: Mapping[str, Any] | None = None
    ) -> Any:
        """The result of an answer that says that it succeeded.

        Cloudflare's answers have the same envelope whatever their status. One with
        `success: false` is a refusal, also with status 200.
        """
        answer = ask(self._http, call, method, path, body=body)
        with reading(call):
            success, codes = answer["success"], _codes(answer)
        if success is True and answer.get("result") is not None:
            return answer["result"]
        if success is not False:
            raise no_answer(call, "the answer does not say that it succeeded, nor has it a result")
        said = vendor_message(answer)
        if codes & set(TOO_FAST):
            raise busy(call, httpx.codes.OK, said, None)
        raise refused(call, httpx.codes.OK, said)


def _visited(
    client: httpx.Client, url: str, at: str, more: Mapping[str, str] | None = None
) -> tuple[int, httpx.Headers]:
    """The status and the headers of an answer at an address, which `url` names in sentences."""
    call = Call("cloudflare", f"get {_shown(url)}", repeatable=True)
    try:
        with client.stream("GET", at, headers=more) as response:
            return response.status_code, response.headers
    except httpx.InvalidURL as problem:
        raise no_url(call, problem) from problem
    except httpx.ConnectError as problem:
        raise never_sent(call, problem) from problem
    except httpx.HTTPError as problem:
        raise no_answer(call, problem) from problem


def _below(base: str, url: str, host: str = "") -> str:
    """The address itself; with a `base`, the same path below what stands in for its host."""
    if not base:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{base}/{host or parts.hostname}{parts.path or '/'}{query}"


def _rules(call: Call, found: Any) -> CacheRules:
    with reading(call):
        rules = tuple({**rule} for rule in found.get("rules") or ())
        return CacheRules(int(found["version"]), rules)


def _level(call: Call, found: Any) -> CacheLevel:
    with reading(call):
        return CacheLevel(str(found["value"]), bool(found["editable"]))


def _codes(answer: Mapping[str, Any]) -> set[int]:
    return {one.get("code") for one in answer.get("errors") or ()}


def _path(zone: str, rest: str = "") -> str:
    path = f"/client/v4/zones/{url_quote(zone, safe='')}"
    return f"{path}/{rest}" if rest else path


def _shown(url: str) -> str:
    """The address without its query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
