"""Setting how the application caches, and flushing what is in its cache.

A flush by prefix keeps no place of its own: what is removed is gone, so whoever takes it up after a
crash begins a new walk and finds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.catalogue.cache import strategies
from service.catalogue.cache.removal import Removal
from service.catalogue.cache.target import CacheTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.cache import AppCache, CacheServer

SAMPLE = 1000
"""Keys that a look goes over to tell how many have a prefix: some milliseconds, and within about
3 points of a hundred of the share (1.96 × √(0.25 / 1000))."""


class CacheWork:
    """The steps of strategies and of flushes over one port."""

    def __init__(self, cache: AppCache, tools: Tools) -> None:
        self._cache = cache
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: CacheTarget) -> Record:
        """The server, the settings, the generation, and some of the keys. Reads only."""
        server = self._server()
        fields = self._fields(target.settings)
        return {
            "server": server.run_id,
            "writable": server.writable,
            "clustered": server.clustered,
            "eviction": server.eviction,
            "keys": server.keys,
            "fields": fields,
            "strategy": strategies.value_of(fields, target.values),
            "generation": self._generation(target.generation) if target.generation else 0,
            "sample": self._sample(target.prefixes),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """Those of a strategy, of a flush by generation, and of one by prefix."""
        return {
            "set_strategy": self._set_strategy,
            "verify_strategy": self._verify_strategy,
            "next_generation": self._next_generation,
            "verify_generation": self._verify_generation,
            "remove": self._remove,
            "verify_removal": self._verify_removal,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Nothing of it is unsafe: settings are replaced in one step, and what a flush has removed
        is made anew when somebody asks for it."""
        if plan.what != strategies.ATTRIBUTE:
            return (
                "The cache serves what is left in it; what was flushed is made anew when somebody "
                "asks for it."
            )
        key = plan.wanted["key"]
        try:
            found = self._fields(key)
        except VendorError as problem:
            return f"What {key} holds is not known. {problem} Look at it: HGETALL {key}."
        return f"{key} holds {_shown(found)} now, so {strategies.in_words(found)}."

    def _set_strategy(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Replace the fields in one step, only where they are as the plan was made from."""
        key, was, wanted = (plan.wanted[name] for name in ("key", "was", "fields"))
        intent = context.intent("set_strategy")

        def look() -> Applied | Pending[None]:
            found = dict(self._cache.settings(key, strategies.FIELDS))
            if found == wanted:
                return Applied({"fields": found})
            if found != was:
                raise _changed("set_strategy", key, found)
            return Pending(None)

        def send(_: None) -> Record:
            if not self._cache.replace_settings(key, was, wanted):
                found = dict(self._cache.settings(key, strategies.FIELDS))
                if found != wanted:
                    raise _changed("set_strategy", key, found)
            return {"fields": wanted}

        write = Write("set_strategy", f"setting {key}", look, send)
        return apply_once(context, intent, write, self._timings)

    def _verify_strategy(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Read it back."""
        key, wanted = plan.wanted["key"], plan.wanted["fields"]
        found = self._fields(key)
        if found == wanted:
            return {"fields": found}
        raise StepFailed(
            "verify_strategy",
            f"{key} was set, and holds {_shown(found)} a moment later. Somebody has changed it "
            "since, or the server has evicted it: look at its maxmemory-policy.",
        )

    def _next_generation(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Raise the number to the plan's. A higher one is as good: what was there is old by it."""
        key, before, after = (plan.wanted[name] for name in ("key", "before", "after"))
        intent = context.intent("next_generation")

        def look() -> Applied | Pending[None]:
            found = self._cache.generation(key)
            if found >= after:
                return Applied({"generation": found})
            if found != before:
                raise _changed_generation(key, before, found)
            return Pending(None)

        def send(_: None) -> Record:
            if not self._cache.replace_generation(key, before, after):
                found = self._cache.generation(key)
                if found < after:
                    raise _changed_generation(key, before, found)
            return {"generation": after}

        write = Write("next_generation", f"setting {key}", look, send)
        return apply_once(context, intent, write, self._timings)

    def _verify_generation(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Read it back."""
        key, after = plan.wanted["key"], plan.wanted["after"]
        found = self._generation(key)
        if found >= after:
            return {"generation": found}
        raise StepFailed(
            "verify_generation",
            f"{key} was set to {after}, and is {found} a moment later: entries that were flushed "
            "may be served again. Somebody has set it back, or the server has evicted it or was "
            "replaced by an older copy. Flush again once that is known.",
        )

    def _remove(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Walk over all keys, and remove those with the prefixes."""
        intent = context.intent("remove")
        removal = Removal(self._cache, context, self._timings, unsure=intent.repeated)
        try:
            return removal.of(plan.wanted["prefixes"])
        except (StepFailed, VendorError):
            if not removal.may_have_removed:
                context.withdraw(intent.name)
            raise

    def _verify_removal(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """See that the server is still the one that was walked over.

        A walk shows each key that is there from its beginning to its end, on one server process.
        What is there now with a prefix is therefore new, unless another server has taken over.
        """
        server, walked = self._server(), done["remove"]["server"]
        if server.run_id != walked:
            raise StepFailed(
                "verify_removal",
                "The cache's server was restarted or replaced while it was flushed, so entries "
                "from before may be there again. Nothing else was changed. Flush once more: "
                f"`runbookd retry {context.run_id}`.",
            )
        return {"server": walked, "keys": server.keys}

    def _server(self) -> CacheServer:
        return read(self._cache.server, clock=self._clock, timings=self._timings)

    def _fields(self, key: str) -> dict[str, str]:
        found = read(
            lambda: self._cache.settings(key, strategies.FIELDS),
            clock=self._clock,
            timings=self._timings,
        )
        return dict(found)

    def _generation(self, key: str) -> int:
        return read(lambda: self._cache.generation(key), clock=self._clock, timings=self._timings)

    def _sample(self, prefixes: Sequence[str]) -> Record:
        """How many keys were looked at, and how many of them have each prefix of the target."""
        if not prefixes:
            return {"looked": 0, "whole": True, "found": {}}
        seen = read(
            lambda: self._cache.walk("", 0, SAMPLE), clock=self._clock, timings=self._timings
        )
        starts = [prefix.encode() for prefix in prefixes]
        counts = [sum(key.startswith(start) for key in seen.keys) for start in starts]
        return {
            "looked": len(seen.keys),
            "whole": seen.cursor == 0,
            "found": dict(zip(prefixes, counts, strict=True)),
        }


def _changed(step: str, key: str, found: Mapping[str, str]) -> TargetChanged:
    return TargetChanged(
        step,
        f"Somebody has changed {key}: it holds {_shown(found)}, which is not what this run was "
        "planned from. It was left so.",
    )


def _changed_generation(key: str, before: int, found: int) -> TargetChanged:
    return TargetChanged(
        "next_generation",
        f"Somebody has set {key} back: it was {before} when this run looked, and is {found} now. "
        "It was left so.",
    )


def _shown(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={text}" for name, text in fields.items()) or "nothing"
