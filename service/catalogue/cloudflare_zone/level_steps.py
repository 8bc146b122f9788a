"""Setting a zone's cache level: one write, then a look."""

from __future__ import annotations

from collections.abc import Mapping

from service.catalogue.cloudflare_zone import level
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports import CloudflareZones
from service.ports.cloudflare_zone import CacheLevel


class LevelWork:
    """The steps set_level and verify_level over one port."""

    def __init__(self, zones: CloudflareZones, tools: Tools) -> None:
        self._zones = zones
        self._clock = tools.clock
        self._timings = tools.timings

    def seen(self, zone: str) -> Record:
        """The level of a zone, and whether Cloudflare lets it be changed."""
        found = self._read(zone)
        return {"value": found.value, "editable": found.editable}

    def steps(self) -> Mapping[str, StepFunction]:
        """By the names that plans use."""
        return {"set_level": self._set, "verify_level": self._verify}

    def left(self, zone: str) -> str:
        """Which level the zone has, for a run that has failed."""
        try:
            return f"Zone {zone} has the cache level {self._read(zone).value} now."
        except VendorError as problem:
            return f"Which cache level zone {zone} has is not known. {problem} Look at it."

    def _read(self, zone: str) -> CacheLevel:
        return read(lambda: self._zones.cache_level(zone), clock=self._clock, timings=self._timings)

    def _set(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Set it, unless somebody has set another one since the plan."""
        zone, was, wanted = (plan.wanted[key] for key in ("zone", "was", "level"))
        intent = context.intent("set_level")

        def look() -> Applied | Pending[None]:
            found = self._zones.cache_level(zone).value
            if found == wanted:
                return Applied({"level": found})
            if found != was:
                raise TargetChanged(
                    "set_level",
                    f"The cache level of zone {zone} is {found} and not {was}, from which this run "
                    "was planned. It was left as it is.",
                )
            return Pending(None)

        def send(_: None) -> Record:
            return {"level": self._zones.set_cache_level(zone, wanted).value}

        what = f"setting the cache level of zone {zone} to {wanted}"
        return apply_once(context, intent, Write("set_level", what, look, send), self._timings)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        zone, wanted = plan.wanted["zone"], plan.wanted["level"]
        found = self._read(zone).value
        if found == wanted:
            return {"level": found, "means": level.MEANS[wanted]}
        raise StepFailed(
            "verify_level",
            f"Cloudflare took the cache level {wanted} of zone {zone}, and it is {found} now. "
            "Somebody may have set it. Look at the zone's caching page at Cloudflare.",
        )
