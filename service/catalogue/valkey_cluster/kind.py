"""The entry of a cluster of one's own in the catalogue."""

from __future__ import annotations

from service.catalogue.scale_cache import SCALE_CACHE
from service.catalogue.spec import KindSpec
from service.catalogue.valkey_cluster.plan import (
    changed_cluster,
    choices,
    cluster_is,
    cluster_values,
    plan_cluster,
    refused_options,
)
from service.catalogue.valkey_cluster.steps import NodesWork, seen_by_doctor
from service.catalogue.valkey_cluster.target import (
    NAME,
    PRICES,
    ClusterShape,
    ClusterTarget,
    build_cluster,
)

KIND = KindSpec(
    name=NAME,
    stand_in="",
    target=ClusterTarget,
    shape=ClusterShape,
    build=build_cluster,
    actions=(SCALE_CACHE,),
    plan=plan_cluster,
    state=cluster_is,
    work=NodesWork,
    look=seen_by_doctor,
    prices=PRICES,
    changed=changed_cluster,
    values=cluster_values,
    choices=choices,
    cost=lambda _: 0.0,
    refuses=refused_options,
    interrupts=False,
    apart=True,
)
