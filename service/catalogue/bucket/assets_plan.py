"""From what a look at text assets showed to those that are compressed, or put back. Pure.

What is `observed` is the record of `service.catalogue.bucket.assets_steps.AssetWork.observe`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from service.catalogue.bucket.packing import PACKED, PLAIN, UNVERSIONED
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.shapes import Shape
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

COMPRESS = "compress_assets"
ATTRIBUTE = "assets"
MOST_AT_ONCE = 20
"""Objects that one run compresses: each is a step, which waits for its own answer."""
COMPRESSING, RESTORING = "compress", "restore"
STORED_A_GIB, SENT_A_GIB = 0.02, 0.01
"""Dollars a month for each GiB stored, and for each GiB sent, beyond the 250 GiB and the 1 TiB of
the subscription, by what the vendor has published of Spaces. It is no quote."""
LOADS = 1_000
"""How many loads of all assets a plan counts what is saved by: one is too little to see."""
_A_CENT = 0.01
_DIGEST = 16
_NAMED = 3
"""How many keys a sentence names."""


class CompressOptions(Shape):
    """Below which prefix, the target's where it is empty, and how many objects at most."""

    prefix: str = Field(default="", max_length=512)
    most: int = Field(default=10, ge=1, le=MOST_AT_ONCE)


def refused_assets(target: BucketTarget, options: Mapping[str, Any]) -> Iterator[str]:
    """What of the options can never be done on this target."""
    if not target.assets:
        yield (
            f"target {target.name} names no assets. Give it a prefix, such as assets: assets/, "
            "below which it may compress."
        )
    elif not options["prefix"].startswith(target.assets) and options["prefix"]:
        yield f"prefix must begin with {target.assets}, the assets of {target.name}."


def id_of(resource: str, items: Iterable[Mapping[str, Any]]) -> str:
    """A name for these objects of a bucket with these originals, whichever form they have."""
    each = sorted([item["key"], item["before"].partition(" ")[2]] for item in items)
    return hashlib.sha256(json.dumps([resource, each]).encode()).hexdigest()[:_DIGEST]


def plan_assets(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """Those that are compressed now, or those that an earlier run had, in their other form."""
    target = request.target
    if not isinstance(target, BucketTarget):
        raise TypeError(f"{target.name} is no bucket")
    if request.wanted:
        return _back(request, target, observed["assets"])
    for sentence in refused_assets(target, request.options):
        return PlanHeld("options", f"{sentence} Nothing was changed.")
    return _compressed(request, target, observed["assets"])


def _compressed(request: Request, target: BucketTarget, seen: Mapping[str, Any]) -> Plan | PlanHeld:
    most = request.options["most"]
    items, later = seen["items"][:most], len(seen["items"][most:]) + seen["unread"]
    left: Mapping[str, int] = seen["left"]
    if not items:
        if UNVERSIONED in left:
            return PlanHeld(
                "no_versions",
                f"{left[UNVERSIONED]} assets of {target.name} have no version, so the "
                "originals would not be kept. Nothing was changed. Let the bucket keep versions, "
                "and upload the assets once more.",
            )
        return nothing_to_do(target)
    return _plan(target, items, PACKED, " ".join(_told(items, left, later)))


def _told(items: Sequence[Mapping[str, Any]], left: Mapping[str, int], later: int) -> Iterator[str]:
    before, after = _bytes(items, "size"), _bytes(items, "packed")
    saved = (before - after) * LOADS
    yield (
        f"No downtime. {before:,} bytes become {after:,}, so whoever loads all of it gets "
        f"{100 * (before - after) // before} % less."
    )
    yield (
        f"The originals stay as versions, so the bucket holds {after:,} bytes more: "
        f"{dollars(after * STORED_A_GIB)} a month. Each {LOADS:,} loads of all of it "
        f"send {saved / 2**30:.2f} GiB less: {dollars(saved * SENT_A_GIB)}."
    )
    yield "A client that does not know gzip cannot read them; every browser does."
    for why, count in left.items():
        yield f"Left, {why}: {count}."
    if later:
        yield f"Not in this run: {later} more. Run it again, or name a longer prefix."


def dollars(bytes_dollars: float) -> str:
    """What bytes times dollars a GiB come to, as a person reads it."""
    each = bytes_dollars / 2**30
    return "less than 1 cent" if each < _A_CENT else f"${each:,.2f}"


def _back(request: Request, target: BucketTarget, seen: Mapping[str, Any]) -> Plan | PlanHeld:
    """What an earlier run had compressed, as it was before; or the other way round."""
    (wanted,) = request.wanted
    to = str(wanted.to).partition(" ")[0]
    if not seen["kept"]:
        return PlanHeld(
            "not_kept",
            f"Which objects {wanted.to} are is not kept any more. Nothing was changed.",
        )
    known = {f"{PLAIN} {each['digest']}" for each in seen["items"]} | {
        f"{PACKED} {each['digest']}" for each in seen["items"]
    }
    theirs = [each["key"] for each in seen["items"] if each["now"] not in known]
    items = [
        {**each, "before": each["now"], "after": f"{to} {each['digest']}"}
        for each in seen["items"]
        if each["now"] in known and not each["now"].startswith(to)
    ]
    if not items and theirs:
        return PlanHeld(
            "changed_by_a_person",
            f"Somebody has changed {_names(theirs)} since. Nothing was changed.",
            by_person=True,
        )
    if not items:
        return nothing_to_do(target)
    told = "No downtime."
    if theirs:
        told += f" Somebody has changed {_names(theirs)} since, so that is left."
    return _plan(target, items, to, told, id_=str(wanted.to).partition(" ")[2])


def _plan(
    target: BucketTarget,
    items: Sequence[Mapping[str, Any]],
    to: str,
    told: str,
    id_: str = "",
) -> Plan:
    was, step = (PLAIN, COMPRESSING) if to == PACKED else (PACKED, RESTORING)
    texts = {
        PLAIN: f"{len(items)} plain with {_bytes(items, 'size'):,} bytes",
        PACKED: f"{len(items)} in gzip with {_bytes(items, 'packed'):,} bytes",
    }
    name = id_ or id_of(target.resource, items)
    return Plan(
        what=ATTRIBUTE,
        before=texts[was],
        after=texts[to],
        steps=("remember", *(f"{step}_{number + 1}" for number in range(len(items))), "verify"),
        wanted={
            "place": {
                "endpoint": target.endpoint,
                "region": target.region,
                "bucket": target.bucket,
            },
            "id": name,
            "before": f"{was} {name}",
            "after": f"{to} {name}",
            "items": [dict(each) for each in items],
        },
        price_before=0.0,
        price_after=0.0,
        downtime=told,
    )


def _bytes(items: Iterable[Mapping[str, Any]], which: str) -> int:
    return sum(int(each[which]) for each in items)


def _names(keys: Sequence[str]) -> str:
    """Some of the keys, as a person reads them."""
    few = ", ".join(keys[:_NAMED])
    return few if len(keys) <= _NAMED else f"{few} and {len(keys) - _NAMED} more"
