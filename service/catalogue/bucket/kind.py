"""The entry of buckets in the catalogue, and their own action."""

from __future__ import annotations

from service.catalogue.bucket.contents import MOST_BYTES, value_of
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


def _look(buckets: Buckets, target: BucketTarget) -> str:
    found = []
    for name, each in target.objects.items():
        value = value_of(buckets.look(target.place, each["key"], MOST_BYTES))
        found.append(f"{each['key']} is {target.body_with(name, value) or value}")
    return f"bucket {target.bucket} answers: {', '.join(found)}"


KIND = KindSpec(
    name=NAME,
    stand_in="spaces",
    target=BucketTarget,
    shape=BucketShape,
    build=build_bucket,
    actions=(PUT_OBJECT,),
    plan=plan_object,
    state=objects_are,
    work=BucketWork,
    look=_look,
    prices=PRICES,
    changed=object_changed,
    values=object_values,
    cost=lambda _: 0.0,
    refuses=refused_options,
    interrupts=False,
    apart=True,
)
