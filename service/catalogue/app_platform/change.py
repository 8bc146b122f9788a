"""One planned value of one component, held against what the vendor shows.

Pure. Whether the value is there, may be set, or must not be set because a person was here: the
same answers serve the write, the wait for its deployment and the verification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.app_platform.spec import INSTANCE_COUNT, value_of, with_value
from service.domain.capacity.three_way import AlreadyThere, Conflict, ToWrite, Value, merge
from service.ports.app_platform import ComponentHealth, Deployment


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """`key` of `component` of `app`, from `before` to `after`.

    `last_deployment` is the newest deployment when the plan was made. `planned_from` holds every
    field of the component that the plan was made from.
    """

    app: str
    component: str
    key: str
    before: int | str
    after: int | str
    last_deployment: str | None
    planned_from: Mapping[str, Value]

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> PlannedValue:
        """The value that a plan of `service.catalogue.app_platform.plan` wants.

        A stored plan of an earlier version names only the value that it changes.
        """
        known = {"planned_from": {wanted["key"]: wanted["before"]}, **wanted}
        return cls(**{name: known[name] for name in cls.__slots__})

    def __str__(self) -> str:
        """As sentences name it."""
        return f"{self.key} of {self.component}"

    def found_in(self, spec: Mapping[str, Any]) -> Value:
        """The present value; None where the component is gone or the vendor decides on it."""
        return value_of(spec, self.component, self.key)

    def is_set_in(self, spec: Mapping[str, Any]) -> bool:
        """Whether a spec holds the wanted value."""
        return self.found_in(spec) == self.after

    def merged(self, spec: Mapping[str, Any]) -> ToWrite | AlreadyThere | Conflict:
        """The three-way merge of what the plan saw, this spec, and what is wanted."""
        found = {name: value_of(spec, self.component, name) for name in self.planned_from}
        return merge(self.planned_from, found, {self.key: self.after})

    def needed(self, health: ComponentHealth) -> int:
        """How many replicas must serve; what the vendor wants where we set no count."""
        return int(self.after) if self.key == INSTANCE_COUNT else max(health.desired, 1)

    def carrier(self, deployments: Sequence[Deployment]) -> str | None:
        """The newest deployment since the plan that carries the wanted value: ours, or as good."""
        newer = _newer_than(self.last_deployment, deployments)
        return next((one.id for one in newer if self.is_set_in(one.spec)), None)

    def conflict(self, spec: Mapping[str, Any], deployments: Sequence[Deployment]) -> str | None:
        """Why a value that is not there must not be set on the ground of this plan.

        `deployments` were read before `spec`.
        """
        merged = self.merged(spec)
        if isinstance(merged, Conflict):
            return self._left(f"A person changed {self.component} of app {self.app}: {merged}")
        if carrier := self.carrier(deployments):
            return self._left(
                f"A person changed {self} of app {self.app}: it is {self.before} again, after "
                f"deployment {carrier} had set it to {self.after}"
            )
        if newer := _newer_than(self.last_deployment, deployments):
            return self._left(
                f"Deployment {newer[0].id} of app {self.app} is not ours and began after this run "
                "had planned its change"
            )
        return None

    def overwritten(self, sent: str | None, deployments: Sequence[Deployment]) -> str | None:
        """A deployment that our write replaced without having seen it, if there is one.

        The vendor has no conditional write, so a deployment can begin between our last read and
        our write. `sent` is the deployment of our write. None means that its answer was lost;
        then it is the first since the plan that carries the value.
        """
        since = list(_newer_than(self.last_deployment, deployments))
        if len(since) == len(deployments):
            return None  # What the plan saw is not listed any more, so nothing can be told.
        carriers = [one.id for one in since if self.is_set_in(one.spec)]
        ours = sent or next(reversed(carriers), None)
        place = next((at for at, one in enumerate(since) if one.id == ours), len(since))
        if place + 1 >= len(since):
            return None
        mine, theirs = since[place], since[place + 1]
        if self.found_in(theirs.spec) not in (self.before, self.after):
            return theirs.id
        kept = with_value(theirs.spec, self.component, self.key, self.after)
        return None if kept == dict(mine.spec) else theirs.id

    def _left(self, why: str) -> str:
        return f"{why}. The app was left so, and {self.key} {self.after} was not set."


def _newer_than(anchor: str | None, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """What comes before `anchor` in a list, newest first; all of it where it is not listed.

    By place and not by time, so that the clocks need not agree.
    """
    ids = [one.id for one in deployments]
    return deployments[: ids.index(anchor)] if anchor in ids else deployments
