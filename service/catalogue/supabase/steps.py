"""A Supabase project to its next compute size (runbook, Database Scaling).

The runbook's `supabase db resize` does not exist; a compute add-on does what it meant
(docs/vendors.md). It costs about two minutes of downtime, and the vendor brings the database back
by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.steps.price_lists import told_prices
from service.catalogue.supabase.plan import HEALTHY, NANO
from service.catalogue.supabase.target import PRICES, SupabaseTarget
from service.domain.capacity.three_way import AlreadyThere, Conflict, merge
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports import DatabaseCompute
from service.ports.supabase import ComputeState, ServiceHealth

RESIZING = "RESIZING"
"""The vendor's word for a project on its way to another compute size."""


class ComputeResize:
    """The steps resize, await_healthy and verify over one port."""

    def __init__(self, database: DatabaseCompute, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings
        self._tools = tools

    def observe(self, target: SupabaseTarget) -> Record:
        """Size, status, the vendor's own prices, and since when the database runs.

        The last is None where the database can't be asked: one whose connections are used up can't.
        """
        state = self._read(target.project)
        try:
            started_at: float | None = self._database.started_at(target.project)
        except VendorError:
            started_at = None
        prices = {size: {"price_monthly": price} for size, price in state.prices.items()}
        return {
            "variant": state.variant,
            "status": state.status,
            "started_at": started_at,
            **told_prices(PRICES, prices, self._tools),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """resize, await_healthy, verify."""
        return {
            "resize": self._resize,
            "await_healthy": self._await_healthy,
            "verify": self._verify,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says how the project was left; only the vendor can bring it up, and does."""
        project = plan.wanted["project"]
        try:
            state = self._read(project)
        except VendorError as problem:
            return f"How project {project} was left is not known. {problem} Look at it by hand."
        return (
            f"Project {project} is {state.status} at {state.variant or NANO} now (before: "
            f"{plan.wanted['before'] or NANO}, wanted: {plan.wanted['after']})."
        )

    def _read(self, project: str) -> ComputeState:
        return read(lambda: self._database.get(project), clock=self._clock, timings=self._timings)

    def _resize(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Ask for the size, unless the project has it or is already on its way to it."""
        project, before, after = (plan.wanted[key] for key in ("project", "before", "after"))
        self._wait_while_busy(context, plan)
        intent = context.intent("resize")

        def look() -> Applied | Pending[None]:
            state = self._database.get(project)
            merged = merge({"size": before}, {"size": state.variant}, {"size": after})
            if isinstance(merged, AlreadyThere) or state.status == RESIZING:
                return Applied({"variant": after})
            if isinstance(merged, Conflict):
                raise TargetChanged("resize", _person(project, before, after, state.variant))
            return Pending(None)

        def send(_: None) -> Record:
            self._database.resize(project, after)
            context.progress(f"Asked for {after}; the database restarts, in about two minutes.")
            return {"variant": after, "sent": True}

        write = Write("resize", f"resizing project {project} to {after}", look, send)
        record = apply_once(context, intent, write, self._timings)
        return {**record, "ours": intent.repeated or bool(record.get("sent"))}

    def _wait_while_busy(self, context: StepContext, plan: Plan) -> None:
        """What the project is in the middle of is let through: its end shows what it was."""
        project, before = plan.wanted["project"], plan.wanted["before"]
        last: list[ComputeState] = []

        def look() -> bool | None:
            last[:] = [self._database.get(project)]
            settled = last[0].status == HEALTHY or last[0].variant != before
            return True if settled else None

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.database_deadline_s,
            late=lambda: StepFailed(
                "resize",
                f"Project {project} has been {_status(last)} for "
                f"{self._timings.database_deadline_s / 60:.0f} minutes, so no resize was asked "
                "for. Look at it in the vendor's dashboard.",
            ),
        )

    def _await_healthy(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Wait for the new size, and for the database's own word that it was started since.

        The project shows its new size long before its database restarts. Where the database can't
        be asked, a project that was seen going down and coming back is believed, or one that has
        not gone down for long.
        """
        project, before, after = (plan.wanted[key] for key in ("project", "before", "after"))
        last: list[ComputeState] = []
        went_down: list[str] = []
        believed_at = context.clock.monotonic() + self._timings.database_begins_s
        ours = done["resize"].get("ours", False)  # an earlier version does not say it
        before_it = plan.wanted.get("started_at") if ours else None
        restart = _Restart(self._database, context, project, before_it)

        def look() -> ComputeState | None:
            state = self._database.get(project)
            last[:] = [state]
            if state.variant not in (before, after):
                changed = _person(project, before, after, state.variant)
                raise StepFailed("await_healthy", changed)
            if state.status != HEALTHY:
                went_down.append(state.status)
            elif state.variant == after and restart.proved(
                otherwise=bool(went_down) or context.clock.monotonic() >= believed_at
            ):
                return state
            return None

        state = poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.database_deadline_s,
            late=lambda: StepFailed(
                "await_healthy",
                f"Project {project} was to be {HEALTHY} at {after} and is {_status(last)} after "
                f"{self._timings.database_deadline_s / 60:.0f} minutes. It may be down: look at it "
                "in the vendor's dashboard now.",
            ),
        )
        return {"variant": state.variant, "status": state.status, "proof": restart.told()}

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        project = plan.wanted["project"]
        last: list[ServiceHealth] = []

        def look() -> list[str] | None:
            last[:] = self._database.health(project)
            return [one.name for one in last] if last and all(one.healthy for one in last) else None

        def late() -> StepFailed:
            ill = "; ".join(f"{one.name}: {one.detail}" for one in last if not one.healthy)
            return StepFailed(
                "verify",
                f"Project {project} was resized to {plan.wanted['after']}, but not all of it "
                f"answers after {self._timings.health_deadline_s / 60:.0f} minutes "
                f"({ill or 'no service was reported'}). Look at it in the vendor's dashboard now.",
            )

        healthy = poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.health_deadline_s,
            late=late,
        )
        return {"variant": plan.wanted["after"], "healthy": healthy}


class _Restart:
    """Whether the database was started anew since the plan was made: it alone knows."""

    def __init__(
        self, database: DatabaseCompute, context: StepContext, project: str, before: float | None
    ) -> None:
        self._database = database
        self._context = context
        self._project = project
        self._before = before
        self._why_not = "" if before is not None else "it could not be asked before the resize"
        self._proved = False

    def proved(self, *, otherwise: bool) -> bool:
        """Whether it was; `otherwise` where the database can't be asked."""
        if self._why_not or self._before is None:
            return otherwise
        try:
            self._proved = self._database.started_at(self._project) != self._before
        except VendorError as error:
            if error.kind is FailureKind.PERMANENT:
                self._why_not = error.clause
                self._context.progress(
                    f"The database can't be asked whether it has restarted ({error.clause}), so "
                    "the project's status is believed."
                )
                return otherwise
            return False  # it is away, as it is in a restart
        return self._proved

    def told(self) -> str:
        """What proved it, for the record of the step."""
        if self._proved:
            return "the database says that it was started anew"
        return f"not by the database: {self._why_not}"


def _person(project: str, before: str, after: str, found: str) -> str:
    return (
        f"A person changed the compute size of project {project}: it was {before or NANO} when "
        f"this run looked and is {found or NANO} now. It was left so, and {after} was not set."
    )


def _status(last: list[ComputeState]) -> str:
    return f"{last[0].status} at {last[0].variant or NANO}" if last else "unreadable"
