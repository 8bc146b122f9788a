"""Setting read replicas up one by one, proving each of them, and taking them away.

The vendor answers a setup without saying which replica it has made. So each setup knows which ones
were there before it, and the one that is new is its own. A setup whose answer was lost is sent
again only when no new replica has shown for `replica_listing_s`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.supabase.replicas import (
    ATTRIBUTE,
    AWAIT,
    FAILED,
    HEALTHY,
    LEAVING,
    REMOVALS,
    SETUPS,
    VERIFY,
    VERIFY_GONE,
    fault_of,
    still_read,
)
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports import DatabaseCompute
from service.ports.supabase import Address, DatabaseSql, Replica


class ReplicaSteps:
    """The steps of `set_replicas` over one port."""

    def __init__(self, database: DatabaseCompute, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, project: str, section: Mapping[str, Any]) -> dict[str, Any]:
        """The replicas, who reads from each, and what limits them; or why they could not be read:
        then only what is about replicas is held."""
        try:
            home = self._read(lambda: self._database.home(project))
            listed = self._read(lambda: self._database.replicas(project, home.organization))
        except VendorError as problem:
            return {"problem": str(problem)}
        return {
            "organization": home.organization,
            "engine": home.engine,
            "list": [
                {"identifier": one.identifier, "region": one.region, "status": one.status}
                for one in listed
            ],
            "sql": self._database.sql is not None,
            "readers": self._readers(project, listed, section["readers"]),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """One step for each setup and each removal, and those that verify."""
        setups = {name: partial(self._setup, at) for at, name in enumerate(SETUPS)}
        removals = {name: partial(self._remove, at) for at, name in enumerate(REMOVALS)}
        return {
            **setups,
            **removals,
            AWAIT: self._await,
            VERIFY: self._verify,
            VERIFY_GONE: self._verify_gone,
        }

    def left(self, plan: Plan) -> str:
        """Which replicas there are, in one sentence."""
        project = plan.wanted["project"]
        try:
            found = self._listed(plan)
        except VendorError as problem:
            return f"Which replicas project {project} has is not known. {problem} Look at them."
        shown = ", ".join(f"{one.identifier} ({one.status})" for one in found) or "none"
        return (
            f"Project {project} has {len(found)} replicas now: {shown} (before: "
            f"{plan.wanted['before']}, wanted: {plan.wanted['after']}). Each is billed."
        )

    # ---- More ----

    def _setup(
        self,
        at: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Ask for one replica, and wait until the vendor lists it by its name."""
        step, project, region = SETUPS[at], plan.wanted["project"], plan.wanted["regions"][at]
        before = [*plan.wanted["known"], *(done[name]["identifier"] for name in SETUPS[:at])]
        intent = context.intent(step)
        ours = [intent.repeated]

        def look() -> Applied | Pending[None]:
            listed = self._listed(plan)
            _check_all_there(step, listed, before)
            new = [one for one in listed if one.identifier not in before]
            if new and not ours[0]:
                raise TargetChanged(
                    step,
                    f"Somebody set up replica {new[0].identifier} of project {project} since this "
                    "run looked. It was left, and no further one was set up.",
                )
            return Applied(_record(_nearest(new, region))) if new else Pending(None)

        def send(_: None) -> Record:
            ours[0] = True
            self._database.setup_replica(project, region)
            context.progress(f"Asked for a read replica in {region}.")
            return {}

        write = Write(step, f"setting up a replica of project {project} in {region}", look, send)
        timings = replace(self._timings, settle_unknown_s=self._timings.replica_listing_s)
        record = apply_once(context, intent, write, timings)
        return record or self._seen_in_list(step, plan, before, region)

    def _seen_in_list(self, step: str, plan: Plan, before: Sequence[str], region: str) -> Record:
        def look() -> Record | None:
            new = [one for one in self._listed(plan) if one.identifier not in before]
            return _record(_nearest(new, region)) if new else None

        project = plan.wanted["project"]
        return poll(
            look,
            clock=self._clock,
            timings=self._timings,
            deadline_s=self._timings.database_deadline_s,
            late=lambda: StepFailed(
                step,
                f"Supabase took the request for a replica of project {project} in {region}, and "
                f"lists none after {self._timings.database_deadline_s / 60:.0f} minutes. It may "
                "still appear, and is billed then. Look at the project's replicas in the vendor's "
                "dashboard.",
            ),
        )

    def _await(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Wait until each new replica is healthy by the vendor's word."""
        project, ours = plan.wanted["project"], _ours(done)
        last: dict[str, str] = {}

        def look() -> Record | None:
            found = {one.identifier: one.status for one in self._listed(plan)}
            last.clear()
            last.update({each: found.get(each, "gone") for each in ours})
            for each, status in last.items():
                if status in (FAILED, "gone", *LEAVING):
                    raise StepFailed(
                        AWAIT,
                        f"Replica {each} of project {project} is {status}, so it will not serve. "
                        f"It was not removed. Remove it: runbookd run set_replicas "
                        f"{request.target.name} --to replicas={plan.before}.",
                    )
            return dict(last) if all(each == HEALTHY for each in last.values()) else None

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.replica_deadline_s,
            late=lambda: StepFailed(
                AWAIT,
                f"Not every new replica of project {project} is {HEALTHY} after "
                f"{self._timings.replica_deadline_s / 60:.0f} minutes: {_shown(last)}. It goes on "
                "at the vendor, and is billed. Nothing reads from it. Look at it in the dashboard.",
            ),
        )

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Have the primary write something, and see it on each new replica; and that there are as
        many as were wanted."""
        project, sql = plan.wanted["project"], self._sql(VERIFY)
        addresses = self._read(lambda: self._database.addresses(project))
        proofs = {
            each: self._proved(
                context,
                sql,
                project,
                _address(VERIFY, addresses, project),
                _address(VERIFY, addresses, each),
                plan.wanted["max_lag_s"],
            )
            for each in _ours(done)
        }
        listed = self._listed(plan)
        if len(listed) != plan.wanted["after"]:
            shown = ", ".join(one.identifier for one in listed)
            raise StepFailed(
                VERIFY,
                f"Project {project} was to have {plan.wanted['after']} replicas and has "
                f"{len(listed)}: {shown}. Each is billed. Look whose the others are, and remove "
                "what nobody needs.",
            )
        return proofs

    def _proved(
        self,
        context: StepContext,
        sql: DatabaseSql,
        project: str,
        primary: Address,
        replica: Address,
        max_lag_s: float,
    ) -> str:
        mark = self._read(lambda: sql.heartbeat(primary))
        last = ["was not seen"]

        def look() -> str | None:
            sight = sql.sight(replica, mark)
            last[:] = [fault_of(sight, mark)]
            return None if last[0] else f"shows {mark.lsn} of the primary, {sight.lag_s:.1f} s old"

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=max_lag_s,
            late=lambda: StepFailed(
                VERIFY,
                f"Replica {replica.identifier} of project {project} {last[0]} for "
                f"{max_lag_s:g} s. It was left, and nothing should read from it. Look at it in "
                "the vendor's dashboard: a replica that has stopped answers all the same, with "
                "old rows.",
            ),
        )

    # ---- Fewer ----

    def _remove(
        self,
        at: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Ask for the end of one replica, unless somebody reads from it now."""
        step, project, victim = REMOVALS[at], plan.wanted["project"], plan.wanted["victims"][at]
        intent = context.intent(step)

        def look() -> Applied | Pending[None]:
            listed = self._listed(plan)
            found = [one for one in listed if one.identifier == victim]
            if not found or found[0].status in LEAVING:
                return Applied({"identifier": victim})
            gone = plan.wanted["victims"][:at]
            kept = [each for each in plan.wanted["known"] if each not in gone]
            _check_all_there(step, listed, kept)
            if found[0].status != FAILED:
                readers = self._read_by(step, project, victim, plan.wanted["readers"])
                if readers:
                    raise TargetChanged(step, still_read(victim, request.target.name, readers))
            return Pending(None)

        def send(_: None) -> Record:
            self._database.remove_replica(project, victim)
            return {"identifier": victim}

        write = Write(step, f"removing replica {victim} of project {project}", look, send)
        return apply_once(context, intent, write, self._timings)

    def _verify_gone(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        project, after = plan.wanted["project"], plan.wanted["after"]
        last: list[str] = []

        def look() -> Record | None:
            last[:] = [one.identifier for one in self._listed(plan)]
            gone = not set(plan.wanted["victims"]) & set(last)
            return {ATTRIBUTE: len(last)} if gone and len(last) == after else None

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.database_deadline_s,
            late=lambda: StepFailed(
                VERIFY_GONE,
                f"Project {project} was to have {after} replicas and has {len(last)} after "
                f"{self._timings.database_deadline_s / 60:.0f} minutes: {', '.join(last)}. Each is "
                "billed. Look at them in the vendor's dashboard.",
            ),
        )

    # ---- Reading ----

    def _read(self, look: Any) -> Any:
        return read(look, clock=self._clock, timings=self._timings)

    def _listed(self, plan: Plan) -> Sequence[Replica]:
        wanted = plan.wanted
        found = self._database.replicas(wanted["project"], wanted["organization"])
        return [one for one in found if one.status != "REMOVED"]

    def _readers(
        self, project: str, listed: Sequence[Replica], roles: Sequence[str]
    ) -> dict[str, int | str]:
        """How many connections read from each replica; why nobody knows, where that is so."""
        if self._database.sql is None or not listed:
            return {}
        found: dict[str, int | str] = {}
        for one in listed:
            try:
                ill = one.status == FAILED
                found[one.identifier] = (
                    0 if ill else self._read_by("observe", project, one.identifier, roles)
                )
            except (VendorError, StepFailed) as problem:
                found[one.identifier] = str(problem)
        return found

    def _read_by(self, step: str, project: str, identifier: str, roles: Sequence[str]) -> int:
        addresses = self._database.addresses(project)
        return self._sql(step).readers(_address(step, addresses, identifier), roles)

    def _sql(self, step: str) -> DatabaseSql:
        if self._database.sql is None:
            raise StepFailed(
                step,
                "SUPABASE_SQL_URL is not set any more, so a replica can't be asked. Set it, and "
                "look at the project's replicas in the vendor's dashboard.",
            )
        return self._database.sql


def _check_all_there(step: str, listed: Sequence[Replica], expected: Sequence[str]) -> None:
    there = {one.identifier for one in listed}
    for each in expected:
        if each not in there:
            raise TargetChanged(
                step, f"Somebody removed replica {each} since this run looked. Nothing was added."
            )


def _nearest(new: Sequence[Replica], region: str) -> Replica:
    """Of several that are new, one in the region that was asked for."""
    return next((one for one in new if one.region == region), new[0])


def _record(one: Replica) -> Record:
    return {"identifier": one.identifier, "region": one.region}


def _ours(done: Mapping[str, Record]) -> list[str]:
    return [done[name]["identifier"] for name in SETUPS if name in done]


def _address(step: str, addresses: Mapping[str, Address], identifier: str) -> Address:
    try:
        return addresses[identifier]
    except KeyError:
        raise StepFailed(
            step,
            f"Supabase names no address of database {identifier}, so it can't be asked. Look at "
            "it in the vendor's dashboard.",
        ) from None


def _shown(statuses: Mapping[str, str]) -> str:
    return ", ".join(f"{each} is {status}" for each, status in statuses.items()) or "none is seen"
