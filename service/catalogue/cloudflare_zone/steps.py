"""A purge, request by request, and what the edge shows of it afterwards.

Cloudflare keeps no record of a purge that an API token could read. So a request whose answer was
lost is sent again only where the probe shows a copy that is older than the request. Where nothing
shows it, the run fails, says so, and leaves it to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from service.catalogue.cloudflare_zone import level, rules, samples
from service.catalogue.cloudflare_zone.level_steps import LevelWork
from service.catalogue.cloudflare_zone.plan import PURGE_STEPS, to_sample
from service.catalogue.cloudflare_zone.purge import counted
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.context import Intent, Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports import Clock, CloudflareZones
from service.ports.cloudflare_zone import CacheRules, EdgeCopy

_NEW = ("MISS", "EXPIRED", "REVALIDATED")
"""Cloudflare's words for an answer that came from the origin just now, or that it confirmed."""
_KEPT = ("HIT", "STALE", "UPDATING")
"""Its words for an answer from a copy, whose age is in the header Age."""


class Seen(Enum):
    """What the probe shows of a purge."""

    PURGED = "purged"
    OLD = "old"
    """A copy that is older than the request to purge it."""
    TOO_CLOSE = "too close"
    """Its age was rounded while the answer was on its way: another look can tell."""
    UNTOLD = "untold"
    """The edge does not cache the probe, or does not say how old its copy is."""


OLD_ENOUGH_S = 1.2
"""Seconds between a copy that is just made and the request to purge it. It has to be more than one,
because an age is in whole seconds."""
CLOSE_LOOKS = 8
CLOSE_PAUSE_S = 0.3
"""Seconds between looks at a copy whose age was rounded meanwhile, and how many there are."""


def seen(copy: EdgeCopy, least_s: float, most_s: float) -> Seen:
    """What a copy shows of a purge that was asked for between `least_s` and `most_s` ago.

    An age is in whole seconds, rounded down. What was cached before the request is at least a
    second older than it (`OLD_ENOUGH_S`), so its age is larger than the time since then, and that
    of a newer copy is not.
    """
    if copy.status in _NEW:
        return Seen.PURGED
    if copy.status not in _KEPT or copy.age_s is None:
        return Seen.UNTOLD
    if copy.age_s <= least_s:
        return Seen.PURGED
    return Seen.OLD if copy.age_s > most_s else Seen.TOO_CLOSE


class ZoneWork:
    """The steps of purges, of sets of cache rules and of cache levels over one port."""

    def __init__(self, zones: CloudflareZones, tools: Tools) -> None:
        self._zones = zones
        self._clock = tools.clock
        self._timings = tools.timings
        self._level = LevelWork(zones, tools)

    def observe(self, target: ZoneTarget) -> Record:
        """The zone's domain, status and plan. It also asks for the probe, so that the edge has a
        copy of it before the purge."""
        zone = read(lambda: self._zones.zone(target.zone), clock=self._clock, timings=self._timings)
        return {
            "name": zone.name,
            "status": zone.status,
            "paused": zone.paused,
            "plan": zone.plan,
            "probe": self._warmed(target.probe),
            "rules": self._rules(target),
            "level": self._level.seen(target.zone) if target.cache_levels else None,
        }

    def observe_for(self, request: Request) -> Record:
        """The same. Where a set of cache rules is wanted, also what the origin answers for the
        paths that it would cache from then on."""
        target = request.target
        if not isinstance(target, ZoneTarget):
            raise TypeError(f"{target.name} is no Cloudflare zone")
        seen = self.observe(target)
        sets = [str(each.to) for each in request.wanted if each.attribute == rules.ATTRIBUTE]
        if not (sets and target.origin and seen["rules"] is not None):
            return seen
        return {**seen, "samples": self._sampled(to_sample(target, sets[0], seen["rules"]))}

    def _sampled(self, wanted: list[samples.Sample]) -> list[Record]:
        """What the origin says of each path. One that does not answer proves nothing."""
        until = self._clock.monotonic() + samples.BUDGET_S
        found: list[Record] = []
        for sample in wanted:
            if len(found) >= samples.MOST or self._clock.monotonic() > until:
                found.append(samples.unread(sample, "not asked for: too many, or too slow"))
                continue
            try:
                answered = self._zones.answer(sample.url, sample.host)
            except VendorError as problem:
                found.append(samples.unread(sample, problem.clause))
            else:
                found.append(samples.record_of(sample, answered))
        return found

    def steps(self) -> Mapping[str, StepFunction]:
        """One step for each request and its verification, and those of sets and levels."""
        requests = {name: partial(self._purge, number) for number, name in enumerate(PURGE_STEPS)}
        return {
            **requests,
            **self._level.steps(),
            "verify": self._verify,
            "set_rules": self._set_rules,
            "verify_rules": self._verify_rules,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """A purge leaves nothing unsafe: what is gone from the cache comes from the origin. Rules
        are replaced in one write, so there are never some of a set."""
        if plan.what == rules.ATTRIBUTE:
            return self._left(plan)
        if plan.what == level.ATTRIBUTE:
            return self._level.left(plan.wanted["zone"])
        return (
            f"Zone {plan.wanted['zone']} serves as before; what was purged comes from the origin "
            "until it is cached again."
        )

    def _left(self, plan: Plan) -> str:
        zone = plan.wanted["zone"]
        try:
            found = self._read_rules(zone)
        except VendorError as problem:
            return f"Which cache rules zone {zone} has is not known. {problem} Look at them."
        return f"Zone {zone} has our cache rules {rules.value_of(found.rules)!r} now."

    def _rules(self, target: ZoneTarget) -> list[dict[str, Any]] | None:
        """The zone's cache rules; None where the target names no sets, so that a token that may
        only purge need not read them."""
        if not target.cache_rules:
            return None
        return [dict(rule) for rule in self._read_rules(target.zone).rules]

    def _read_rules(self, zone: str) -> CacheRules:
        return read(lambda: self._zones.cache_rules(zone), clock=self._clock, timings=self._timings)

    def _set_rules(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Replace our rules in one write. People's rules go back as they were read right before."""
        zone, was, wanted = (plan.wanted[key] for key in ("zone", "was", "rules"))
        intent = context.intent("set_rules")

        def look() -> Applied | Pending[CacheRules]:
            found = self._zones.cache_rules(zone)
            if rules.same(rules.ours(found.rules), wanted):
                return Applied({"version": found.version})
            if not rules.same(rules.ours(found.rules), was):
                raise TargetChanged(
                    "set_rules",
                    f"The cache rules that runbookd set in zone {zone} are not those that this "
                    "run was planned from. They were left as they are.",
                )
            return Pending(found)

        def send(read_last: CacheRules) -> Record:
            made = self._zones.set_cache_rules(zone, rules.merged(read_last.rules, wanted))
            return {"version": made.version, "read": read_last.version}

        what = f"setting the cache rules of zone {zone}"
        return apply_once(context, intent, Write("set_rules", what, look, send), self._timings)

    def _verify_rules(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Read them back, and see whether somebody came between our last look and our write."""
        zone, wanted = plan.wanted["zone"], plan.wanted["rules"]
        set_by_us = done["set_rules"]
        was = set_by_us.get("read")  # not known where the answer was lost
        if was is not None and set_by_us["version"] > was + 1:
            raise StepFailed(
                "verify_rules",
                f"Somebody changed the cache rules of zone {zone} while runbookd set its own: "
                f"version {was} was read, and ours is version {set_by_us['version']}. What was "
                "between is overwritten. Look at the versions of the zone's cache rules at "
                "Cloudflare now, and put back what is missing.",
            )
        found = self._read_rules(zone)
        if rules.same(rules.ours(found.rules), wanted):
            return {"version": found.version, "rules": len(found.rules)}
        raise StepFailed(
            "verify_rules",
            f"Cloudflare took the cache rules of zone {zone}, and others are there now: "
            f"{rules.value_of(found.rules)}. Look at them at Cloudflare.",
        )

    def _warmed(self, probe: str) -> str:
        """The status of the probe's copy. A probe that does not answer only proves nothing."""
        if not probe:
            return ""
        try:
            return self._zones.copy(probe).status
        except VendorError as problem:
            return problem.clause

    def _purge(
        self,
        number: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Send one request, and look at the probe where its answer was lost."""
        step, batch = PURGE_STEPS[number], plan.wanted["batches"][number]
        if batch["probed"]:
            self._keep_an_old_copy(context.clock, plan.wanted["probe"])
        intent = context.intent(step)
        attempt = _Attempt(self._zones, context, plan, batch, step, intent)
        write = Write(step, attempt.what, attempt.look, attempt.send)
        return apply_once(context, intent, write, self._timings)

    def _keep_an_old_copy(self, clock: Clock, probe: str) -> None:
        """Have the edge keep a copy of the probe that is surely older than the request to come.

        An earlier request of the run may have purged it. Where that is done anew after a crash, a
        copy that had been purged is made anew, which is newer than the intent and shows it. A probe
        that does not answer only proves nothing.
        """
        with suppress(VendorError):
            copy = self._zones.copy(probe)
            if copy.status in _NEW or (copy.status in _KEPT and not copy.age_s):
                clock.sleep(OLD_ENOUGH_S)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Wait until the probe shows no copy from before the purge."""
        probed = [
            done[name]["asked_at"]
            for name, batch in zip(PURGE_STEPS, plan.wanted["batches"], strict=False)
            if batch["probed"]
        ]
        if not probed:
            return {"proof": "none: Cloudflare took each request, and no probe shows its effect"}
        probe, asked_at = plan.wanted["probe"], max(probed)
        last: list[EdgeCopy] = []

        def look() -> EdgeCopy | None:
            found, copy = _look_at(self._zones, context.clock, probe, asked_at)
            last[:] = [copy]
            # A probe that is not cached proves nothing, and is no failure of the purge.
            return copy if found in (Seen.PURGED, Seen.UNTOLD) else None

        copy = poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.purge_deadline_s,
            late=lambda: StepFailed(
                "verify",
                f"Cloudflare took the purge, and {probe} still comes from a copy that is "
                f"{last[0].age_s} s old, {self._timings.purge_deadline_s:.0f} s after it. Look at "
                "the vendor's status page; a purge may be repeated.",
            ),
        )
        return {"proof": _proof(probe, copy), "status": copy.status, "age_s": copy.age_s}


def _proof(probe: str, copy: EdgeCopy) -> str:
    if copy.status in (*_NEW, *_KEPT):
        return f"{probe} is no longer served from a copy of before"
    said = copy.status or "nothing"
    return f"none: the edge says {said} of {probe}, so it does not cache it"


class _Attempt:
    """One request on its way. `sent` is whether this execution has sent it."""

    def __init__(
        self,
        zones: CloudflareZones,
        context: StepContext,
        plan: Plan,
        batch: Mapping[str, Any],
        step: str,
        intent: Intent,
    ) -> None:
        self._zones = zones
        self._context = context
        self._plan = plan
        self._batch = batch
        self._step = step
        self._at = intent.recorded_at
        self._unsure = intent.repeated

    @property
    def what(self) -> str:
        """The request, for sentences."""
        by, entries = self._batch["by"], self._batch["entries"]
        return f"purging {counted(by, len(entries))} of zone {self._plan.wanted['zone']}"

    def look(self) -> Applied | Pending[None]:
        """Before it was sent there is nothing to see. After it, only the probe can tell."""
        if not self._unsure:
            return Pending(None)
        found = Seen.UNTOLD
        if self._batch["probed"]:
            probe = self._plan.wanted["probe"]
            found, _ = _look_at(self._zones, self._context.clock, probe, self._at)
        if found is Seen.PURGED:
            return Applied(self._record(proof="the probe"))
        if found is Seen.OLD:
            return Pending(None)
        raise StepFailed(
            self._step,
            f"It is not known whether Cloudflare took the request for {self.what}: its answer was "
            "lost, and nothing shows its effect. It was not sent again. A purge may be repeated; "
            "it costs the origin the same requests once more: "
            f"`runbookd retry {self._context.run_id}`.",
        )

    def send(self, _: None) -> Record:
        """Ask Cloudflare for it."""
        self._unsure = True
        try:
            self._zones.purge(self._plan.wanted["zone"], self._batch["by"], self._batch["entries"])
        except VendorError as problem:
            self._unsure = problem.kind is FailureKind.UNKNOWN
            raise
        return self._record(proof="its answer")

    def _record(self, proof: str) -> Record:
        """What the step leaves: when it was asked for, and what shows that it was taken."""
        return {"asked_at": self._at, "entries": len(self._batch["entries"]), "proof": proof}


def _look_at(
    zones: CloudflareZones, clock: Clock, probe: str, asked_at: float
) -> tuple[Seen, EdgeCopy]:
    """What the probe shows of a purge that was asked for at `asked_at`."""
    for _ in range(CLOSE_LOOKS):
        least_s = clock.time() - asked_at
        copy = zones.copy(probe)
        found = seen(copy, least_s, clock.time() - asked_at)
        if found is not Seen.TOO_CLOSE:
            break
        clock.sleep(CLOSE_PAUSE_S)
    return found, copy
