"""Redis: the cooldown gate in front of SQL, and the locks beside it.

Redis debounces, SQL decides. Whatever happens here - no answer, an empty or an old data set -
costs speed and the second barrier, never a decision. After a failure Redis is left alone for a
second, so that a storm does not wait for it request by request.

Several installations may share one Redis. With the same rules their runs have the same ids, so each
has keys of its own for its cooldowns, and the owner of a lock says whose run it is. What people
have locked is in SQL, which no other installation reads, so each shows it to the others here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from typing import Any, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.domain.decisions.claims import BUSY_UNTIL, Cooldown
from service.domain.decisions.controls import Control, PersonLock
from service.domain.errors import StoreConflict, StoreUnavailable
from service.ports.admission import GateReply
from service.ports.loop import Loop
from service.store.on_loop import redis_on

OLDEST_REDIS = (6, 2)
"""The oldest Redis that runbookd works with (README.md)."""
HOLD_MS = 15_000
"""How long a free claim is held while SQL decides; if the process dies, it lasts that long."""
BUSY_MS = 3_600_000
"""How long a run under way is remembered here; SQL knows better should it take longer."""
LOCK_MS = 60_000
"""How long a target's lock lasts without being renewed."""
_REST_AFTER_FAILURE_S = 1.0

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class Coordination:
    """The gate and the locks on one Redis; `client` None means that there is none.

    `installation` tells the id of this installation. It is asked for when it is first needed, and
    may raise StoreUnavailable until it is known.
    """

    def __init__(
        self,
        client: redis.Redis | None,
        installation: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._installation = installation
        self._monotonic = monotonic
        self._rest_until = 0.0
        if client is not None:
            self._ask = client.register_script(_lua("ask"))
            self._give_back = client.register_script(_lua("give_back"))
            self._cool_down = client.register_script(_lua("cool_down"))
            self._lock = client.register_script(_lua("people", "lock"))
            self._elsewhere = client.register_script(_lua("people", "locked_elsewhere"))
            self._show = client.register_script(_lua("people", "show_locks"))
            self._unlock = client.register_script(_lua("unlock"))

    def ask(self, claims: Collection[str], token: str) -> GateReply:
        """Which claims are in cooldown, and a hold on the free ones; one round trip."""
        if self._client is None:
            return GateReply({}, available=False, asked=False)
        keys = list(claims)
        redis_keys = self._cooldown_keys(keys)
        found = self._try(lambda: self._ask(keys=redis_keys, args=[token, HOLD_MS]))
        if found is None:
            return GateReply({}, available=False)
        cooling = {
            key: value
            for key, value in zip(keys, map(_text, found), strict=True)
            if value and not value.startswith("hold:")
        }
        return GateReply(cooling, available=True)

    def settle(self, cooldowns: Collection[Cooldown], token: str, now: float) -> None:
        """After the commit: remember what SQL decided, and give back what it left free."""

        def send(client: redis.Redis) -> bool:
            pipeline = client.pipeline(transaction=False)
            free: list[str] = []
            for cooldown in cooldowns:
                rest_ms = BUSY_MS if cooldown.busy else int((cooldown.until - now) * 1000)
                if rest_ms > 0:
                    pipeline.set(self._cooldown_key(cooldown.key), cooldown.run, px=rest_ms)
                else:
                    free.append(cooldown.key)
            if free:
                self._give_back(keys=self._cooldown_keys(free), args=[token], client=pipeline)
            pipeline.execute()
            return True

        self._try_with(send)

    def give_back(self, claims: Collection[str], token: str) -> None:
        """After a failed commit: let go of what `token` holds."""
        if claims and self._client is not None:
            keys = self._cooldown_keys(claims)
            self._try(lambda: self._give_back(keys=keys, args=[token]))

    def cool_down(self, key: str, run: str, until: float, now: float) -> None:
        """At the end of a run: the cooldown of its claim, unless a later run has it."""
        if until >= BUSY_UNTIL or self._client is None:
            return

        rest_ms = max(0, int((until - now) * 1000))
        keys = [self._cooldown_key(key)]
        self._try(lambda: self._cool_down(keys=keys, args=[run, rest_ms]))

    def lock(self, resource: str, run: str) -> str | None:
        """Take or renew the lock of a vendor resource for a run.

        None when it is ours, or when Redis cannot say; otherwise who owns it, in words.
        """
        if self._client is None:
            return None
        ours, keys = self._owner(run), [f"lock:{resource}", _person_key(resource)]
        arguments: list[str | int] = [ours, LOCK_MS, self._installation()]
        held = self._try(lambda: self._lock(keys=keys, args=arguments))
        if held is None or _text(held[0]) == ours:
            return None
        return self._named(_text(held[0])) if len(held) == 1 else _person(held)

    def locked_elsewhere(self, resource: str) -> str | None:
        """The person of another installation who has locked a resource, in words.

        None where nobody has, or Redis cannot say. What people of this installation have locked is
        not looked at: SQL knows that.
        """
        if self._client is None:
            return None
        keys, ours = [_person_key(resource)], self._installation()
        found = self._try(lambda: self._elsewhere(keys=keys, args=[ours]))
        return _person(found) if found else None

    def show(self, resources: Collection[str], locks: Mapping[str, Control], now: float) -> bool:
        """Show other installations who has locked these resources, and that the rest is free.

        False when Redis did not take it. Each lock ends by itself here when it ends in SQL.
        """
        if self._client is None or not resources:
            return True
        arguments: list[str | int] = []
        for resource in resources:
            arguments += _shown(locks.get(resource), now)
        keys = [_person_key(each) for each in resources]
        try:
            ours = self._installation()
        except (StoreUnavailable, StoreConflict):
            return False
        return self._try(lambda: self._show(keys=keys, args=[ours, *arguments])) is not None

    def unlock(self, resource: str, run: str) -> None:
        """Give the lock back, if it is this run's."""
        if self._client is not None:
            ours = self._owner(run)
            self._try(lambda: self._unlock(keys=[f"lock:{resource}"], args=[ours]))

    def ping(self) -> str | None:
        """None when Redis answers; otherwise one sentence."""
        if self._client is None:
            return "REDIS_URL is not set: decisions are made on SQL alone"
        try:
            self._client.ping()
        except redis.RedisError as error:
            return f"Redis does not answer ({error}): decisions are made on SQL alone"
        return None

    def _owner(self, run: str) -> str:
        return f"{self._installation()}/{run}"

    def _named(self, owner: str) -> str:
        """The owner of a lock for people; one without a run is a person, or an older version."""
        installation, _, run = owner.rpartition("/")
        if not installation:
            return owner
        if installation == self._installation():
            return f"run {run}"
        return f"run {run} of another runbookd (installation {installation}) on the same Redis"

    def _cooldown_key(self, claim: str) -> str:
        return f"cooldown:{self._installation()}:{claim}"

    def _cooldown_keys(self, claims: Collection[str]) -> list[str]:
        return [self._cooldown_key(claim) for claim in claims]

    def _try(self, call: Callable[[], _T]) -> _T | None:
        return self._try_with(lambda _client: call())

    def _try_with(self, call: Callable[[redis.Redis], _T]) -> _T | None:
        if self._client is None or self._monotonic() < self._rest_until:
            return None
        try:
            return call(self._client)
        except redis.RedisError as error:
            self._rest_until = self._monotonic() + _REST_AFTER_FAILURE_S
            _log.warning("redis_unavailable", error=str(error), consequence="decided on SQL alone")
            return None


def connect(
    url: str, timeout_s: float, installation: Callable[[], str], loop: Loop | None = None
) -> Coordination:
    """Coordination on the Redis at `url`; none when `url` is empty. It may be used on `loop`."""
    if not url:
        return Coordination(None, installation)
    client = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    if loop is not None:
        redis_on(client, loop)
    return Coordination(client, installation)


def _person_key(resource: str) -> str:
    return f"person-lock:{resource}"


def _shown(lock: Control | None, now: float) -> tuple[int, str]:
    """How much longer it lasts, in milliseconds, and what others may know of it."""
    if lock is None:
        return 0, ""
    told = {"by": lock.by, "why": lock.why, "until": lock.until}
    return max(0, int((lock.until - now) * 1000)), json.dumps(told)


def _person(found: list[Any]) -> str:
    """Whose lock it is, from {installation, lock}; another version may write it otherwise."""
    installation, shown = map(_text, found)
    try:
        told = json.loads(shown)
        by, why, until = str(told["by"]), str(told["why"]), float(told["until"])
        owner = PersonLock(installation, by, why, until).owner
    except (ValueError, TypeError, KeyError, OverflowError):
        return f"a person at another runbookd (installation {installation}) on the same Redis"
    return owner


def _lua(*names: str) -> str:
    """A script; what stands in several of them comes first."""
    folder = files("service.store").joinpath("lua")
    return "".join(folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
