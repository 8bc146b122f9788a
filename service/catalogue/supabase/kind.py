"""Supabase's entry in the catalogue, and its own action."""

from __future__ import annotations

from service.catalogue.actions import one_size_up
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.catalogue.supabase.plan import compute_costs, plan_compute, project_is, project_size
from service.catalogue.supabase.steps import ComputeResize
from service.catalogue.supabase.target import (
    NAME,
    PRICES,
    SupabaseShape,
    SupabaseTarget,
    build_project,
)
from service.ports import DatabaseCompute

SCALE_DATABASE = ActionSpec("scale_database", Effect.CHANGES, "up", wanted=one_size_up, climbs=True)
"""The next compute size of a project (runbook, Database Scaling)."""


def _look(database: DatabaseCompute, target: SupabaseTarget) -> str:
    found = database.get(target.project)
    database.health(target.project)
    database.started_at(target.project)
    return f"Supabase knows project {target.project}, {found.variant}, {found.status}"


KIND = KindSpec(
    name=NAME,
    stand_in="supabase",
    target=SupabaseTarget,
    shape=SupabaseShape,
    build=build_project,
    actions=(SCALE_DATABASE,),
    plan=plan_compute,
    state=project_is,
    work=ComputeResize,
    look=_look,
    prices=PRICES,
    cost=compute_costs,
    values=project_size,
    size_form=r"ci_[a-z0-9_]+",
)
