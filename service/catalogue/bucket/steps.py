"""Putting one object: keep what is there for the undo, put it, read it back. And the way from an
action to its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.bucket.assets_plan import COMPRESS
from service.catalogue.bucket.assets_steps import AssetWork
from service.catalogue.bucket.contents import (
    MOST_BYTES,
    NO_OBJECT,
    Version,
    digest_of,
    dump,
    load,
    note_of,
    value_of,
)
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.bucket import NEW, Buckets, Contents, Place, Stored


class BucketWork:
    """The steps of both actions over one port."""

    def __init__(self, buckets: Buckets, tools: Tools) -> None:
        self._buckets = buckets
        self._notes = tools.notes
        self._clock = tools.clock
        self._timings = tools.timings
        self._assets = AssetWork(buckets, tools)

    def observe(self, target: BucketTarget) -> Record:
        """Each object that the target names. Reads only."""
        return {"objects": {name: self._seen(target, name) for name in target.objects}}

    def observe_for(self, request: Request) -> Record:
        """The same, and whether what an undo names is kept, or the assets that are asked for."""
        target = request.target
        if not isinstance(target, BucketTarget):
            raise TypeError(f"{target.name} is no bucket")
        if request.action == COMPRESS:
            return {**self.observe(target), "assets": self._assets.observe(target, request)}
        kept = [self._kept(str(each.to)) for each in request.wanted]
        return {**self.observe(target), "kept": any(each is not None for each in kept)}

    def _kept(self, digest: str) -> Contents | None:
        """What an earlier run replaced, from the database or from the bucket's versions."""
        text = self._notes.get(note_of(digest))
        found = load(text) if text else None
        if isinstance(found, Version):
            stored = self._look(found.place, found.key, found.version)
            found = stored.contents if stored else None
        return found if found is not None and digest_of(found) == digest else None

    def _seen(self, target: BucketTarget, name: str) -> Record:
        key = target.objects[name]["key"]
        stored = self._look(target.place, key)
        value = value_of(stored)
        return {
            "key": key,
            "value": value,
            "body": target.body_with(name, value),
            "etag": stored.etag if stored else NEW,
            "size": stored.size if stored else 0,
            "public": stored.public if stored else False,
            "versioned": bool(stored and stored.version),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """keep and put of an object, those of the assets, and verify."""
        own = {"keep": self._keep, "put": self._put}
        return {**own, **self._assets.steps(), "verify": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """An object is replaced whole or not at all, so only what is there is told."""
        if _of_assets(plan):
            return self._assets.make_safe(plan)
        key = plan.wanted["key"]
        try:
            value = value_of(self._look(_place(plan), key))
        except VendorError as problem:
            return f"What {key} holds is not known. {problem}"
        known = {plan.wanted["after"]: "what this run puts", plan.wanted["before"]: "as before"}
        return f"{key} is {value}, {known.get(value, 'which this run has not put')}."

    def _keep(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Keep what is there, so that an undo can put it back."""
        key, before = plan.wanted["key"], plan.wanted["before"]
        stored = self._look(_place(plan), key)
        now = value_of(stored)
        if now == plan.wanted["after"]:
            return {"kept": ""}
        if now != before:
            raise _changed("keep", key, before, now)
        if stored is None or stored.contents is None:
            return {"kept": ""}
        place, version = _place(plan), stored.version
        text = Version(place, key, version).dump() if version else dump(stored.contents)
        self._notes.put(note_of(before), text)
        return {"kept": before, "version": version}

    def _put(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Put it in the place of what was looked at, and of nothing else."""
        key, before, after = (plan.wanted[name] for name in ("key", "before", "after"))
        contents = self._contents(request, plan)
        intent = context.intent("put")

        def look() -> Applied | Pending[str]:
            stored = self._buckets.look(_place(plan), key, MOST_BYTES)
            now = value_of(stored)
            if now == after:
                return Applied({"value": now})
            if now != before:
                raise _changed("put", key, before, now)
            if stored is not None and stored.public != plan.wanted["public"]:
                raise _access_changed(key)
            return Pending(stored.etag if stored else NEW)

        def send(etag: str) -> Record:
            if not self._buckets.put(
                _place(plan), key, contents, etag, public=plan.wanted["public"]
            ):
                now = value_of(self._look(_place(plan), key))
                if now != after:
                    raise _changed("put", key, before, now)
            return {"value": after}

        write = Write("put", f"putting {key}", look, send)
        return apply_once(context, intent, write, self._timings)

    def _contents(self, request: Request, plan: Plan) -> Contents:
        """One of the target's bodies, or what was kept."""
        target, object_, after = request.target, plan.wanted["object"], plan.wanted["after"]
        if isinstance(target, BucketTarget) and (body := target.body_with(object_, after)):
            return target.contents(object_, body)
        found = self._kept(after)
        if found is None:
            raise StepFailed(
                "put",
                f"What {plan.wanted['key']} held as {after} is not kept any more. Nothing was "
                "changed. Put one of the target's bodies.",
            )
        return found

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Read it back: the bytes, what they are served with, and who may read them."""
        if _of_assets(plan):
            return self._assets.verify(plan, done)
        key, after = plan.wanted["key"], plan.wanted["after"]
        stored = self._look(_place(plan), key)
        if (now := value_of(stored)) != after:
            raise StepFailed(
                "verify",
                f"{key} was put as {after}, and is {now} a moment later. Somebody has changed it "
                "since, or the store changes what it is given. It was left.",
            )
        if stored is not None and stored.public != plan.wanted["public"]:
            raise StepFailed(
                "verify",
                f"{key} was put, and {'not everybody' if plan.wanted['public'] else 'everybody'} "
                "may read it now. Look at its permissions.",
            )
        return {"value": now}

    def _look(self, place: Place, key: str, version: str = "") -> Stored | None:
        return read(
            lambda: self._buckets.look(place, key, MOST_BYTES, version),
            clock=self._clock,
            timings=self._timings,
        )


def _of_assets(plan: Plan) -> bool:
    return "items" in plan.wanted


def _place(plan: Plan) -> Place:
    place: Mapping[str, Any] = plan.wanted["place"]
    return Place(**place)


def _access_changed(key: str) -> TargetChanged:
    return TargetChanged(
        "put",
        f"Somebody has changed who may read {key} since this run looked. Nothing was put there: it "
        "would be open to whom it was open to before.",
    )


def _changed(step: str, key: str, before: str, now: str) -> TargetChanged:
    was = "not there" if before == NO_OBJECT else before
    is_ = "not there" if now == NO_OBJECT else now
    return TargetChanged(
        step,
        f"Somebody has changed {key}: it was {was} when this run looked, and is {is_} now. It was "
        "left so.",
    )
