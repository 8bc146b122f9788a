"""Removing what is unused, one after another: a snapshot where the vendor takes one, then the
deletion, each after a fresh look at the account."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.digitalocean_account.plan import (
    MOST_AT_ONCE,
    item_of,
    kinds_of,
    name_of,
    option_of,
    removable,
)
from service.catalogue.digitalocean_account.target import AccountTarget
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.unused import BEFORE_REMOVAL
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.bills import SNAPSHOT, Resource
from service.ports.digitalocean_account import Account


def snapshot_name(run: str, item: Mapping[str, Any]) -> str:
    """The name of the snapshot that a run takes of a thing: the same in each execution."""
    return f"{BEFORE_REMOVAL}{item['id']}-{run}"


class AccountWork:
    """The steps of `remove_unused` over one port."""

    def __init__(self, account: Account, tools: Tools) -> None:
        self._account = account
        self._needed = tools.needed
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: AccountTarget) -> Record:
        """Nothing that is asked for by no request."""
        return {"needed": None, "unused": []}

    def observe_for(self, request: Request) -> Record:
        """What is unused by the options of the request. Reads only."""
        target = request.target
        if not isinstance(target, AccountTarget):
            raise TypeError(f"{target.name} is no account")
        needed = self._needed()
        if needed is None:
            return {"needed": None, "unused": []}
        found = self._unused(needed, target.keep, request.options)
        return {"needed": sorted(needed), "unused": found}

    def _unused(
        self, needed: Collection[str], keep: Sequence[str], options: Mapping[str, Any]
    ) -> list[Record]:
        listed = [each for kind in kinds_of(options) for each in self._listed(kind)]
        now = self._clock.time()
        return [item_of(each) for each in removable(listed, now, tuple(needed), keep, options)]

    def _listed(self, kind: str) -> tuple[Resource, ...]:
        look = partial(self._account.listed, kind)
        return read(look, clock=self._clock, timings=self._timings)

    def steps(self) -> Mapping[str, StepFunction]:
        """Two for each thing of a plan, and verify."""
        made: dict[str, StepFunction] = {}
        for number in range(MOST_AT_ONCE):
            made[f"snapshot_{number + 1}"] = partial(self._snapshot, number)
            made[f"remove_{number + 1}"] = partial(self._remove, number)
        return {**made, "verify": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Nothing is unsafe: what is left is left as it was. Says what that is."""
        items = plan.wanted["items"]
        try:
            there = [each for each in items if self._is_there(each)]
        except VendorError as problem:
            return f"What is left in the account is not known. {problem}"
        gone = [name_of(each) for each in items if each not in there]
        left = ", ".join(map(name_of, there)) or "nothing of the plan"
        return f"Gone: {', '.join(gone) or 'nothing'}. Left as it was: {left}."

    def _is_there(self, item: Mapping[str, Any]) -> bool:
        return any(each.id == item["id"] for each in self._listed(item["kind"]))

    def _snapshot(
        self,
        number: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Take a snapshot that stays, and wait until it is complete."""
        item, step = plan.wanted["items"][number], f"snapshot_{number + 1}"
        name = snapshot_name(context.run_id, item)
        intent = context.intent(step)
        sent = intent.repeated

        def look() -> Applied | Pending[None]:
            # A droplet is busy while its snapshot is taken, and the snapshot is listed after that.
            if self._has_snapshot(item, name) or (sent and self._is_busy(item)):
                return Applied({"snapshot": name})
            self._require_unused(step, item, plan)
            return Pending(None)

        def send(_: None) -> Record:
            nonlocal sent
            sent = True
            self._account.take_snapshot(item["kind"], item["id"], name)
            return {"snapshot": name}

        write = Write(step, f"taking a snapshot of {name_of(item)}", look, send)
        record = apply_once(context, intent, write, self._timings)
        self._await_snapshot(step, item, name)
        return record

    def _await_snapshot(self, step: str, item: Mapping[str, Any], name: str) -> None:
        timings = self._timings
        by_size_s = timings.snapshot_per_gb_s * float(item["gigabytes"])
        deadline_s = max(timings.snapshot_deadline_s, by_size_s)
        poll(
            lambda: True if self._has_snapshot(item, name) and not self._is_busy(item) else None,
            clock=self._clock,
            timings=timings,
            deadline_s=deadline_s,
            late=lambda: StepFailed(
                step,
                f"No snapshot {name} of {name_of(item)} is listed after {deadline_s / 60:.0f} "
                "minutes. It was not removed. Look at its snapshots in the control panel.",
            ),
        )

    def _is_busy(self, item: Mapping[str, Any]) -> bool:
        return any(each.busy for each in self._listed(item["kind"]) if each.id == item["id"])

    def _has_snapshot(self, item: Mapping[str, Any], name: str) -> bool:
        of = f"{item['kind']} {item['id']}"
        return any(each.name == name and each.of == of for each in self._listed(SNAPSHOT))

    def _remove(
        self,
        number: int,
        context: StepContext,
        request: Request,
        plan: Plan,
        done: Mapping[str, Record],
    ) -> Record:
        """Delete one thing that is still unused, and of which the snapshot is there."""
        item, step = plan.wanted["items"][number], f"remove_{number + 1}"
        name = done.get(f"snapshot_{number + 1}", {}).get("snapshot", "")
        intent = context.intent(step)

        def look() -> Applied | Pending[None]:
            if not self._is_there(item):
                return Applied({"removed": item["id"], "snapshot": name})
            self._require_unused(step, item, plan)
            if item["snapshot"] and not self._has_snapshot(item, name):
                raise StepFailed(
                    step,
                    f"The snapshot {name} of {name_of(item)} is not there any more, so it was not "
                    "removed. Run it again: it takes another one.",
                )
            return Pending(None)

        def send(_: None) -> Record:
            self._account.delete(item["kind"], item["id"])
            return {"removed": item["id"], "snapshot": name}

        write = Write(step, f"deleting {name_of(item)}", look, send)
        record = apply_once(context, intent, write, self._timings)
        left = f"; its snapshot is {name}" if name else ""
        context.progress(f"Removed {name_of(item)}{left}.")
        return record

    def _require_unused(self, step: str, item: Mapping[str, Any], plan: Plan) -> None:
        """What a person has begun to use, has tagged, or named as a target, is left."""
        needed, options = self._needed(), plan.wanted["options"]
        if needed is not None:
            one = {**options, "kinds": [option_of(item["kind"])]}
            found = self._unused(needed, plan.wanted["keep"], one)
            if any((each["kind"], each["id"]) == (item["kind"], item["id"]) for each in found):
                return
        raise TargetChanged(
            step,
            f"{name_of(item)} is not unused any more: somebody uses it, has given it a tag that "
            "keeps it, or named it in the rules. It was left, and so was what came after it.",
        )

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """None of it is listed any more."""
        items = plan.wanted["items"]

        def look() -> bool | None:
            return None if any(map(self._is_there, items)) else True

        poll(
            look,
            clock=self._clock,
            timings=self._timings,
            deadline_s=self._timings.snapshot_listing_s,
            late=lambda: StepFailed(
                "verify",
                "What was deleted is still listed a minute later: "
                f"{', '.join(name_of(each) for each in items if self._is_there(each))}. Look at "
                "it in the control panel, and at the vendor's status page.",
            ),
        )
        return {"removed": [each["id"] for each in items]}
