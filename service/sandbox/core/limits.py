"""The vendors' rate limits, each with the headers and the body of that vendor's 429."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from service.sandbox.core.wire import Answer, Call, as_object

MINUTE, HOUR = 60.0, 3600.0
"""In seconds."""


@dataclass(slots=True)
class Window:
    """A sliding window: at most `limit` calls in any `seconds`. It remembers when each was made."""

    limit: int
    seconds: float
    made: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> bool:
        """Count one call. False if the limit is reached; the call is not counted then."""
        self._forget(now)
        if len(self.made) >= self.limit:
            return False
        self.made.append(now)
        return True

    def left(self, now: float) -> int:
        """How many more calls are allowed now."""
        self._forget(now)
        return self.limit - len(self.made)

    def frees_at(self, now: float) -> float:
        """When the oldest counted call leaves the window. Now, if there is none."""
        return self.made[0] + self.seconds if self.made else now

    def _forget(self, now: float) -> None:
        while self.made and self.made[0] <= now - self.seconds:
            self.made.popleft()


Headers = dict[str, str]


@dataclass(slots=True)
class Limits:
    """All windows in use, by what they count and for whom. A reset empties them.

    `blocked` is until when each of Cloudflare's callers is blocked.
    """

    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    blocked: dict[str, float] = field(default_factory=dict)

    def check(self, call: Call) -> tuple[Answer | None, Headers]:
        """Count a call. Returns a 429 if it is one too many, and the headers for any answer."""
        judge = _JUDGES.get(call.vendor)
        return judge(self, call) if judge else (None, {})

    def window(self, name: str, who: str, limit: int, seconds: float) -> Window:
        """The window that counts the calls of one kind by one caller."""
        return self.windows.setdefault((name, who), Window(limit, seconds))


def _digitalocean(limits: Limits, call: Call) -> tuple[Answer | None, Headers]:
    """5,000 calls an hour and 250 a minute for each token. Only the second limit sends
    Retry-After."""
    hour = limits.window("do-hour", call.token, 5000, HOUR)
    minute = limits.window("do-minute", call.token, 250, MINUTE)
    burst = minute.left(call.now) == 0
    too_many = burst or not hour.take(call.now)
    if not too_many:
        minute.take(call.now)
    headers = {
        "ratelimit-limit": str(hour.limit),
        "ratelimit-remaining": str(hour.left(call.now)),
        "ratelimit-reset": str(math.ceil(hour.frees_at(call.now))),
    }
    if not too_many:
        return None, headers
    if burst:
        headers["ratelimit-remaining"] = "0"
        headers["retry-after"] = _seconds_until(minute.frees_at(call.now), call.now)
    body = {"id": "too_many_requests", "message": "API rate limit exceeded."}
    return Answer(429, body), headers


def _supabase(limits: Limits, call: Call) -> tuple[Answer | None, Headers]:
    """120 calls a minute for each user and project."""
    parts = call.path.split("/")
    project = parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - /v1/projects/{ref}
    window = limits.window("supabase", f"{call.token} {project}", 120, MINUTE)
    taken = window.take(call.now)
    headers = {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.left(call.now)),
        "X-RateLimit-Reset": _seconds_until(window.frees_at(call.now), call.now),
    }
    if taken:
        return None, headers
    return Answer(429, {"message": "ThrottlerException: Too Many Requests"}), headers


def _pagerduty(limits: Limits, call: Call) -> tuple[Answer | None, Headers]:
    """About 120 events a minute for each integration key."""
    key = str(as_object(call.body).get("routing_key") or "")
    if limits.window("pagerduty", key, 120, MINUTE).take(call.now):
        return None, {}
    body = {"status": "throttle exceeded", "message": "Requests are arriving too quickly"}
    return Answer(429, body), {}


def _cloudflare(limits: Limits, call: Call) -> tuple[Answer | None, Headers]:
    """1,200 calls in five minutes for each user. Whoever exceeds it is blocked for five minutes.
    Visitors of the edge are no callers. The limits of purges are the zone's."""
    if not call.token:
        return None, {}
    window = limits.window("cloudflare", call.token, 1200, 5 * MINUTE)
    if call.now >= limits.blocked.get(call.token, call.now) and window.take(call.now):
        return None, {}
    until = limits.blocked.setdefault(call.token, call.now + 5 * MINUTE)
    if until <= call.now:
        until = limits.blocked[call.token] = call.now + 5 * MINUTE
    error = {"code": 971, "message": "Please wait and consider throttling your request speed"}
    body = {"result": None, "success": False, "errors": [error], "messages": []}
    return Answer(429, body), {"retry-after": _seconds_until(until, call.now)}


def _slack(limits: Limits, call: Call) -> tuple[Answer | None, Headers]:
    """About one new message a second for each channel, in bursts of 10. Other methods: 50 a
    minute."""
    body = as_object(call.body)
    channel = str(body.get("channel") or "")
    if call.path.endswith("chat.postMessage"):
        window = limits.window("slack-post", channel, 10, 10.0)
    else:
        window = limits.window(call.path, call.token, 50, MINUTE)
    if window.take(call.now):
        return None, {}
    retry_after = _seconds_until(window.frees_at(call.now), call.now)
    answer = Answer(429, {"ok": False, "error": "ratelimited"}, refused=True)
    return answer, {"Retry-After": retry_after}


def _seconds_until(instant: float, now: float) -> str:
    return str(max(1, math.ceil(instant - now)))


_JUDGES: dict[str, Callable[[Limits, Call], tuple[Answer | None, Headers]]] = {
    "cloudflare": _cloudflare,
    "digitalocean": _digitalocean,
    "supabase": _supabase,
    "pagerduty": _pagerduty,
    "slack": _slack,
}
