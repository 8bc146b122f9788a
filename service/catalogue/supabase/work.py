"""All that is done with a Supabase project, over one port: its size, its pooler, its replicas."""

from __future__ import annotations

from collections.abc import Mapping

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.supabase import pooler, replicas
from service.catalogue.supabase.pooler_steps import PoolerSteps
from service.catalogue.supabase.replica_steps import ReplicaSteps
from service.catalogue.supabase.steps import ComputeResize
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.planning import Plan
from service.ports import DatabaseCompute


class SupabaseWork:
    """The steps of all actions on a project. Only what a target names is looked at, so that a token
    needs no rights for the rest."""

    def __init__(self, database: DatabaseCompute, tools: Tools) -> None:
        self._compute = ComputeResize(database, tools)
        self._pooler = PoolerSteps(database, tools)
        self._replicas = ReplicaSteps(database, tools)

    def observe(self, target: SupabaseTarget) -> Record:
        """The project's size, status and prices; its pooler and replicas where the target names
        them."""
        found = {**self._compute.observe(target), "project": target.project}
        if target.pooler:
            found["pooler"] = self._pooler.observe(target.project)
        if target.replicas:
            found[replicas.ATTRIBUTE] = self._replicas.observe(target.project, target.replicas)
        return found

    def steps(self) -> Mapping[str, StepFunction]:
        """The steps of a resize, of the pooler and of replicas."""
        return {**self._compute.steps(), **self._pooler.steps(), **self._replicas.steps()}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says how the project was left; none of its changes needs to be taken back."""
        if plan.what == pooler.ATTRIBUTE:
            return self._pooler.left(plan)
        if plan.what == replicas.ATTRIBUTE:
            return self._replicas.left(plan)
        return self._compute.make_safe(context, plan)
