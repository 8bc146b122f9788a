"""From what a look at the objects showed to the one that is put, or the guard that holds it.

Pure. What is `observed` is the record of `service.catalogue.bucket.steps.BucketWork.observe`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.catalogue.bucket.contents import LARGE, MOST_BYTES, NO_OBJECT, digest_of
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.shapes import Shape
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

PUT_STEPS = ("keep", "put", "verify")
_MARK = "object "


class PutOptions(Shape):
    """Which of the target's objects, and which of its bodies. Never a text of an alert."""

    object: str = ""
    body: str = ""


def lacks_object(options: Mapping[str, Any]) -> str:
    """What is wrong with the options as a whole; empty where nothing is."""
    if options["object"] and options["body"]:
        return ""
    return "put_object needs object and body, such as {object: config, body: static}."


def attribute_of(object_: str) -> str:
    """The attribute of the target that an object is."""
    return _MARK + object_


def refused_options(target: BucketTarget, action: str, options: Mapping[str, Any]) -> Iterator[str]:
    """What of the options can never be done on this target."""
    object_, body = options["object"], options["body"]
    if not object_ or not body:
        return
    if object_ not in target.objects:
        known = ", ".join(target.objects) or "none"
        yield f"target {target.name} names no object {object_!r}; it names {known}."
    elif body not in (bodies := target.objects[object_]["bodies"]):
        yield f"object {object_} of {target.name} has no body {body!r}; it has {', '.join(bodies)}."


def objects_are(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What each object is: the name of a body, or its digest."""
    return {
        attribute_of(name): each["body"] or each["value"]
        for name, each in observed["objects"].items()
    }


def object_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The digest of each object, which is what a plan changes."""
    return {attribute_of(name): each["value"] for name, each in observed["objects"].items()}


def object_changed(plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """The digest of the object before and after."""
    return {plan.what: (plan.wanted["before"], plan.wanted["after"])}


def plan_object(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The one object that is put: one of the target's bodies, or what an earlier run replaced."""
    target = request.target
    if not isinstance(target, BucketTarget):
        raise TypeError(f"{target.name} is no bucket")
    object_, after = _wanted(target, request)
    if held := _held(target, request, object_, observed):
        return held
    seen = observed["objects"][object_]
    if seen["value"] == after:
        return nothing_to_do(target)
    body = target.body_with(object_, after)
    if not body and not observed["kept"]:
        return PlanHeld(
            "not_kept",
            f"What {seen['key']} held as {after} is not kept any more, so it cannot be put back. "
            f"{seen['key']} was left as it is. Put one of the target's bodies.",
        )
    return Plan(
        what=attribute_of(object_),
        before=_shown(seen["body"], seen["value"]),
        after=_shown(body, after),
        steps=PUT_STEPS,
        wanted={
            "object": object_,
            "place": {
                "endpoint": target.endpoint,
                "region": target.region,
                "bucket": target.bucket,
            },
            "key": seen["key"],
            "before": seen["value"],
            "etag": seen["etag"],
            "public": seen["public"] if seen["etag"] else target.objects[object_]["public"],
            "after": after,
        },
        price_before=0.0,
        price_after=0.0,
        downtime=" ".join(_told(target, object_, seen, body)),
    )


def _wanted(target: BucketTarget, request: Request) -> tuple[str, str]:
    """The object's name and the digest that it shall have; empty where nothing says so."""
    if request.wanted:
        (wanted,) = request.wanted
        return wanted.attribute.removeprefix(_MARK), str(wanted.to)
    object_, body = request.options["object"], request.options["body"]
    if body not in target.objects.get(object_, {}).get("bodies", {}):
        return object_, ""
    return object_, digest_of(target.contents(object_, body))


def _held(
    target: BucketTarget, request: Request, object_: str, observed: Mapping[str, Any]
) -> PlanHeld | None:
    if not request.wanted:
        for sentence in (
            lacks_object(request.options),
            *refused_options(target, request.action, request.options),
        ):
            if sentence:
                return PlanHeld("options", f"{sentence} Nothing was changed.")
    if object_ not in target.objects:
        return PlanHeld(
            "options",
            f"Target {target.name} names no object {object_} any more. Nothing was changed.",
        )
    seen = observed["objects"][object_]
    if any(each.to != seen["value"] for each in request.expects):
        return PlanHeld(
            "changed_by_a_person",
            f"Somebody has changed {seen['key']} since: it is {seen['value']} now. It was left.",
            by_person=True,
        )
    if request.wanted and request.wanted[0].to == NO_OBJECT:
        return PlanHeld(
            "no_undo",
            f"{seen['key']} was new, and runbookd deletes no object. It was left. Put another of "
            "its bodies, or delete it by hand.",
        )
    if seen["value"].startswith(LARGE):
        return PlanHeld(
            "too_large",
            f"{seen['key']} has {seen['size']:,} bytes, and what is over {MOST_BYTES:,} could not "
            "be put back by an undo. It was left. Look whether the key is the right one.",
        )
    return None


def _shown(body: str, value: str) -> str:
    return f"{body} ({value})" if body else value


def _told(target: BucketTarget, object_: str, seen: Mapping[str, Any], body: str) -> Iterator[str]:
    if not seen["etag"]:
        who = "everybody" if target.objects[object_]["public"] else "nobody but its owner"
        yield (
            f"There is no {seen['key']} yet, and {who} will be able to read it. An undo leaves it, "
            "because no object is deleted."
        )
    else:
        yield "No downtime. Who may read it stays as it is."
        if seen.get("versioned"):
            yield "The bucket keeps what is there as a former version, which an undo puts back."
    cache = target.objects[object_]["cache_control"] if body else ""
    yield (
        f"It is served with cache-control {cache}."
        if cache
        else "Copies in caches and in a CDN stay until they are old."
    )
