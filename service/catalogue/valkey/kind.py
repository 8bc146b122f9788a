"""Managed Valkey's entry in the catalogue."""

from __future__ import annotations

from service.catalogue.scale_cache import SCALE_CACHE
from service.catalogue.spec import KindSpec
from service.catalogue.valkey.plan import (
    changed_cluster,
    choices,
    cluster_costs,
    cluster_is,
    cluster_values,
    plan_cluster,
    refused_options,
)
from service.catalogue.valkey.steps import ClusterWork, seen_by_doctor
from service.catalogue.valkey.target import (
    NAME,
    PRICES,
    ValkeyShape,
    ValkeyTarget,
    build_cluster,
)

KIND = KindSpec(
    name=NAME,
    stand_in="digitalocean",
    target=ValkeyTarget,
    shape=ValkeyShape,
    build=build_cluster,
    actions=(SCALE_CACHE,),
    plan=plan_cluster,
    state=cluster_is,
    work=ClusterWork,
    look=seen_by_doctor,
    prices=PRICES,
    cost=cluster_costs,
    values=cluster_values,
    changed=changed_cluster,
    choices=choices,
    refuses=refused_options,
    size_form=r"(db|gd|m3|so1_5)-[a-z0-9_-]+",
)
