"""The entry of buckets in the catalogue, and their own actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.catalogue.bucket.assets_plan import (
    COMPRESS,
    CompressOptions,
    plan_assets,
    refused_assets,
)
from service.catalogue.bucket.contents import MOST_BYTES, value_of
from service.catalogue.bucket.packing import MOST_LISTED
from service.catalogue.bucket.plan import (
    PutOptions,
    lacks_object,
    object_changed,
    object_values,
    objects_are,
    plan_object,
    refused_options,
)
from service.catalogue.bucket.steps import BucketWork
from service.catalogue.bucket.target import NAME, PRICES, BucketShape, BucketTarget, build_bucket
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.ports.bucket import Buckets

PUT_OBJECT = ActionSpec(
    "put_object",
    Effect.CHANGES,
    "up",
    options=PutOptions,
    lacking=lacks_object,
    returns=False,
)
"""One of the objects that the target names (runbook, Emergency Scaling Procedures: static mode). It
takes no capacity away, so its direction is that of an addition."""

COMPRESS_ASSETS = ActionSpec(
    COMPRESS,
    Effect.CHANGES,
    "up",
    options=CompressOptions,
    returns=False,
)
"""Text assets, in gzip (runbook, Automatic Cost Optimization)."""


def _plan(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    planned = plan_assets if request.action == COMPRESS else plan_object
    return planned(request, observed)


def _refused(target: BucketTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    if action == COMPRESS:
        return refused_assets(target, options)
    return refused_options(target, action, options)


def _look(buckets: Buckets, target: BucketTarget) -> str:
    found = []
    for name, each in target.objects.items():
        value = value_of(buckets.look(target.place, each["key"], MOST_BYTES))
        found.append(f"{each['key']} is {target.body_with(name, value) or value}")
    if target.assets:
        listed = len(buckets.listed(target.place, target.assets, MOST_LISTED))
        found.append(f"below {target.assets} are {listed} objects")
    return f"bucket {target.bucket} answers: {', '.join(found)}"


KIND = KindSpec(
    name=NAME,
    stand_in="spaces",
    target=BucketTarget,
    shape=BucketShape,
    build=build_bucket,
    actions=(PUT_OBJECT, COMPRESS_ASSETS),
    plan=_plan,
    state=objects_are,
    work=BucketWork,
    look=_look,
    prices=PRICES,
    changed=object_changed,
    values=object_values,
    cost=lambda _: 0.0,
    refuses=_refused,
    interrupts=False,
    apart=True,
)
