"""Supabase's entry in the catalogue, and its own actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from service.catalogue.actions import one_size_up
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.catalogue.supabase import pooler, replicas
from service.catalogue.supabase.plan import (
    compute_costs,
    plan_project,
    project_changed,
    project_is,
    project_values,
)
from service.catalogue.supabase.target import (
    NAME,
    PRICES,
    SupabaseShape,
    SupabaseTarget,
    build_project,
)
from service.catalogue.supabase.work import SupabaseWork
from service.domain.levels.levels import Bounds
from service.ports import DatabaseCompute

SCALE_DATABASE = ActionSpec("scale_database", Effect.CHANGES, "up", wanted=one_size_up, climbs=True)
"""The next compute size of a project (runbook, Database Scaling)."""


def _look(database: DatabaseCompute, target: SupabaseTarget) -> str:
    found = database.get(target.project)
    database.health(target.project)
    database.started_at(target.project)
    pool = ""
    if target.pooler:
        size = database.pool_size(target.project)
        most = database.max_connections(target.project)
        pool = f"; pool size {size or pooler.DEFAULT} of {most} connections"
    copies = _look_at_replicas(database, target) if target.replicas else ""
    return f"Supabase knows project {target.project}, {found.variant}, {found.status}{pool}{copies}"


def _look_at_replicas(database: DatabaseCompute, target: SupabaseTarget) -> str:
    listed = database.replicas(target.project, database.home(target.project).organization)
    told = f"; {len(listed)} replicas"
    if database.sql is None:
        return f"{told}, and set_replicas is held until SUPABASE_SQL_URL is set"
    addresses = database.addresses(target.project)
    at = addresses.get(target.project)
    if at is not None:
        # A read: whether the role may write a heartbeat, only a run shows.
        database.sql.readers(at, target.replicas["readers"])
    return f"{told}, and its primary answers over SQL"


def _levels(target: SupabaseTarget) -> dict[str, Bounds]:
    """What a level can hold: the compute size, and the read replicas, where the target has some."""
    found = {"size": Bounds(values=target.sizes, ladder=True)} if target.sizes else {}
    if not target.replicas:
        return found
    return {**found, replicas.ATTRIBUTE: Bounds(0, replicas.most_replicas(target.replicas))}


def _reaching(target: SupabaseTarget, ceilings: Mapping[str, int]) -> SupabaseTarget:
    """The project whose alerts go up to the ceiling of a level, and never above its limit."""
    ceiling = ceilings.get(replicas.ATTRIBUTE)
    if ceiling is None or not target.replicas:
        return target
    most = replicas.most_replicas(target.replicas)
    section = {**target.replicas, "max": min(ceiling, most), "limit": most}
    return replace(target, replicas=section)


def _refuses(target: SupabaseTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    if action == pooler.SET_POOLER.name:
        return pooler.refusals(target.name, target.pooler, options)
    if action == replicas.SET_REPLICAS.name:
        return replicas.refusals(target.name, target.replicas, options)
    return ()


KIND = KindSpec(
    name=NAME,
    stand_in="supabase",
    target=SupabaseTarget,
    shape=SupabaseShape,
    build=build_project,
    actions=(SCALE_DATABASE, pooler.SET_POOLER, replicas.SET_REPLICAS),
    plan=plan_project,
    state=project_is,
    work=SupabaseWork,
    look=_look,
    prices=PRICES,
    cost=compute_costs,
    changed=project_changed,
    values=project_values,
    refuses=_refuses,
    levels=_levels,
    reaching=_reaching,
    size_form=r"ci_[a-z0-9_]+",
)
