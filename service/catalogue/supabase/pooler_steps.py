"""Setting the pool size of a project's pooler, and reading it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.supabase.pooler import ATTRIBUTE, DEFAULT, STEPS
from service.domain.capacity.three_way import AlreadyThere, Conflict, merge
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports import DatabaseCompute


class PoolerSteps:
    """The steps set_pool_size and verify_pool_size over one port."""

    def __init__(self, database: DatabaseCompute, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, project: str) -> dict[str, Any]:
        """The pool size and the database's max_connections, or why they could not be read: then
        only what is about the pooler is held."""
        try:
            size, most = self._size(project), self._database.max_connections(project)
        except VendorError as problem:
            return {"problem": str(problem)}
        return {"size": size, "max_connections": most}

    def steps(self) -> Mapping[str, StepFunction]:
        """set_pool_size and verify_pool_size."""
        return dict(zip(STEPS, (self._set, self._verify), strict=True))

    def left(self, plan: Plan) -> str:
        """How the pooler was left, in one sentence."""
        project = plan.wanted["project"]
        try:
            size = self._size(project)
        except VendorError as problem:
            return f"Which pool size project {project} has is not known. {problem} Look at it."
        return (
            f"The pooler of project {project} has pool size {size} now (before: "
            f"{plan.wanted['before']}, wanted: {plan.wanted['after']})."
        )

    def _size(self, project: str) -> int | str:
        found = read(
            lambda: self._database.pool_size(project), clock=self._clock, timings=self._timings
        )
        return DEFAULT if found is None else found

    def _set(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Set the size, unless it is set already or somebody has changed it since the plan."""
        project, before, after = (plan.wanted[key] for key in ("project", "before", "after"))
        step = STEPS[0]
        intent = context.intent(step)

        def look() -> Applied | Pending[None]:
            found = self._database.pool_size(project)
            size = DEFAULT if found is None else found
            merged = merge({ATTRIBUTE: before}, {ATTRIBUTE: size}, {ATTRIBUTE: after})
            if isinstance(merged, AlreadyThere):
                return Applied({ATTRIBUTE: after})
            if isinstance(merged, Conflict):
                raise TargetChanged(
                    step,
                    f"A person changed the pooler of project {project}: {merged}. It was left so, "
                    f"and {after} was not set.",
                )
            return Pending(None)

        def send(_: None) -> Record:
            self._database.set_pool_size(project, None if after == DEFAULT else after)
            return {ATTRIBUTE: after}

        what = f"setting the pool size of project {project} to {after}"
        return apply_once(context, intent, Write(step, what, look, send), self._timings)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Read the size back, and see that database and pooler answer."""
        project, after = plan.wanted["project"], plan.wanted["after"]
        last: list[str] = []

        def look() -> Record | None:
            found = self._database.pool_size(project)
            size = DEFAULT if found is None else found
            ill = [one.name for one in self._database.health(project) if not one.healthy]
            last[:] = [f"pool size {size}", *(f"{name} does not answer" for name in ill)]
            return {ATTRIBUTE: size} if size == after and not ill else None

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.health_deadline_s,
            late=lambda: StepFailed(
                STEPS[1],
                f"Supabase took pool size {after} for project {project}, and after "
                f"{self._timings.health_deadline_s / 60:.0f} minutes it shows "
                f"{', '.join(last) or 'nothing'}. Look at the database's settings in the vendor's "
                "dashboard now.",
            ),
        )
