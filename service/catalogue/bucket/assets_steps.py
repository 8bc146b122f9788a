"""Compressing text assets, one after another: each is read, put in gzip in the place of what was
read, and at the end all are read back and unpacked. An undo puts the originals back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from service.catalogue.bucket.assets_plan import COMPRESSING, MOST_AT_ONCE, RESTORING
from service.catalogue.bucket.contents import digest_of
from service.catalogue.bucket.packing import (
    MOST_BYTES,
    MOST_LISTED,
    PACKED,
    form_of,
    judged,
    packed,
    unpacked,
    worth_a_look,
)
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.bucket import Buckets, Contents, Place, Stored

_Item = Mapping[str, Any]


class AssetWork:
    """The steps of `compress_assets` and of its undo over one port."""

    def __init__(self, buckets: Buckets, tools: Tools) -> None:
        self._buckets = buckets
        self._notes = tools.notes
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: BucketTarget, request: Request) -> Record:
        """What could be compressed, or what an undo names as it is now. Reads only."""
        if request.wanted:
            return self._kept(str(request.wanted[0].to))
        prefix = request.options["prefix"] or target.assets
        if not target.assets or not prefix.startswith(target.assets):
            return {"items": [], "left": {}, "unread": 0}
        return self._found(target, prefix)

    def _found(self, target: BucketTarget, prefix: str) -> Record:
        listed = read(
            lambda: self._buckets.listed(target.place, prefix, MOST_LISTED),
            clock=self._clock,
            timings=self._timings,
        )
        named = {each["key"] for each in target.objects.values()}
        chosen, unread = worth_a_look(listed, named)
        seen = [judged(each.key, self._look(target.place, each.key)) for each in chosen]
        return {
            "items": [each for each in seen if not isinstance(each, str)],
            "left": dict(Counter(each for each in seen if isinstance(each, str))),
            "unread": len(unread),
        }

    def _kept(self, wanted: str) -> Record:
        text = self._notes.get(_note(wanted.partition(" ")[2]))
        if not text:
            return {"items": [], "kept": False}
        kept = json.loads(text)
        place = Place(**kept["place"])
        items = [{**each, **self._now(place, each["key"])} for each in kept["items"]]
        return {"items": items, "kept": True}

    def _now(self, place: Place, key: str) -> Record:
        stored = self._look(place, key)
        return {"now": form_of(stored), "public": bool(stored and stored.public)}

    def steps(self) -> Mapping[str, StepFunction]:
        """remember, and one for each object, each way."""
        made: dict[str, StepFunction] = {"remember": self._remember}
        for number in range(MOST_AT_ONCE):
            for name in (COMPRESSING, RESTORING):
                step = f"{name}_{number + 1}"
                made[step] = partial(self._put, step, number)
        return made

    def make_safe(self, plan: Plan) -> str:
        """Each object is replaced whole or not at all, so only what is there is told."""
        items = plan.wanted["items"]
        try:
            now = [form_of(self._look(_place(plan), each["key"])) for each in items]
        except VendorError as problem:
            return f"Which objects were replaced is not known. {problem}"
        done = sum(form == each["after"] for form, each in zip(now, items, strict=True))
        left = sum(form == each["before"] for form, each in zip(now, items, strict=True))
        return (
            f"Each object is whole. Of {len(items)} this run has replaced {done}, {left} are as "
            f"before, and {len(items) - done - left} are somebody else's."
        )

    def _remember(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Keep which objects they are, with the versions of the originals, for the undo."""
        name = _note(plan.wanted["id"])
        if not self._notes.get(name):
            items = [
                {
                    "key": each["key"],
                    "digest": _digest(each),
                    "version": each["version"],
                    "size": each["size"],
                    "packed": each["packed"],
                }
                for each in plan.wanted["items"]
            ]
            self._notes.put(name, json.dumps({"place": plan.wanted["place"], "items": items}))
        return {"objects": len(plan.wanted["items"])}

    def _put(
        self,
        step: str,
        number: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Put one object in its other form, in the place of what was looked at."""
        item, place = plan.wanted["items"][number], _place(plan)
        key = item["key"]
        intent = context.intent(step)

        def look() -> Applied | Pending[Stored]:
            stored = self._buckets.look(place, key, MOST_BYTES)
            now = form_of(stored)
            if now == item["after"]:
                return Applied({"put": key})
            if stored is None or now != item["before"] or stored.public != item["public"]:
                return Applied({"left": key})
            return Pending(stored)

        def send(stored: Stored) -> Record:
            contents = self._contents(step, place, item, stored)
            if self._buckets.put(place, key, contents, stored.etag, public=stored.public):
                return {"put": key}
            seen = look()
            return seen.record if isinstance(seen, Applied) else {"left": key}

        write = Write(step, f"putting {key}", look, send)
        record = apply_once(context, intent, write, self._timings)
        if "left" in record:
            context.progress(f"Somebody has changed {key} since this run looked. It was left.")
        return record

    def _contents(self, step: str, place: Place, item: _Item, stored: Stored) -> Contents:
        """The copy in gzip, or the original, which is never anything else than it was."""
        present = stored.contents
        if present is None:
            raise TypeError(f"{item['key']} was read without its bytes")
        if item["after"].startswith(PACKED):
            return packed(present)
        former = self._look(place, item["key"], item["version"])
        original = former.contents if former else None
        if original is None or digest_of(original) != _digest(item):
            # The bucket has removed the version, and the copy holds every byte of it.
            original = unpacked(present)
        if original is None or digest_of(original) != _digest(item):
            raise StepFailed(
                step,
                f"Neither the version {item['version']} of {item['key']} nor what is unpacked is "
                "the original. It was left as it is. Upload it anew.",
            )
        return original

    def verify(self, plan: Plan, done: Mapping[str, Record]) -> Record:
        """Read each back and unpack it: every byte, header and access is the original's."""
        put = {record["put"] for record in done.values() if "put" in record}
        items = [each for each in plan.wanted["items"] if each["key"] in put]
        if not items:
            raise TargetChanged(
                "verify",
                "Somebody has changed all of the objects since this run looked. They were left, "
                "and nothing was put.",
            )
        for each in items:
            stored = self._look(_place(plan), each["key"])
            if form_of(stored) != each["after"]:
                raise StepFailed(
                    "verify",
                    f"{each['key']} was put, and holds something else a moment later. Somebody has "
                    "changed it since, or the store changes what it is given. It was left.",
                )
            if stored is not None and stored.public != each["public"]:
                raise StepFailed(
                    "verify",
                    f"{each['key']} was put, and who may read it has changed. Look at its "
                    "permissions.",
                )
        left = [each["key"] for each in plan.wanted["items"] if each["key"] not in put]
        return {"put": len(items), "left": left}

    def _look(self, place: Place, key: str, version: str = "") -> Stored | None:
        return read(
            lambda: self._buckets.look(place, key, MOST_BYTES, version),
            clock=self._clock,
            timings=self._timings,
        )


def _digest(item: _Item) -> str:
    return str(item["before"]).partition(" ")[2]


def _place(plan: Plan) -> Place:
    place: Mapping[str, Any] = plan.wanted["place"]
    return Place(**place)


def _note(id_: str) -> str:
    return f"assets {id_}"
