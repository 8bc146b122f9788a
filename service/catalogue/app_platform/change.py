"""The planned values of one component, held against what the vendor shows.

Pure. Whether the values are there, may be set, or must not be set because a person was here: the
same answers serve the write, the wait for its deployment and the verification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.app_platform.spec import (
    INSTANCE_COUNT,
    MIN_COUNT,
    value_of,
    with_values,
)
from service.domain.capacity.three_way import AlreadyThere, Conflict, ToWrite, Value, merge
from service.ports.app_platform import ComponentHealth, Deployment


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What `component` of `app` shall become: `after`, by the names of the spec's fields.

    `last_deployment` is the newest deployment when the plan was made. `planned_from` holds every
    field of the component that the plan was made from.
    """

    app: str
    component: str
    after: Mapping[str, Value]
    last_deployment: str | None
    planned_from: Mapping[str, Value]

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> PlannedChange:
        """The change that a plan of `service.catalogue.app_platform.plan` wants.

        A stored plan of an earlier version has one `key`, with its value `before` and `after`. The
        first of them named no other field that it was made from.
        """
        known = dict(wanted)
        if "key" in wanted:
            known["after"] = {wanted["key"]: wanted["after"]}
            known.setdefault("planned_from", {wanted["key"]: wanted["before"]})
        return cls(**{name: known[name] for name in cls.__slots__})

    def __str__(self) -> str:
        """As sentences name it."""
        return f"{_and(dict.fromkeys(key.split('.')[0] for key in self.after))} of {self.component}"

    @property
    def before(self) -> str:
        """The values that the plan was made from, as sentences name them."""
        return _shown({key: self.planned_from[key] for key in self.after})

    @property
    def wanted(self) -> str:
        """The values that are wanted, as sentences name them."""
        return _shown(self.after)

    def found_in(self, spec: Mapping[str, Any]) -> dict[str, Value]:
        """The present values; None where the component is gone or the vendor decides on one."""
        return {key: value_of(spec, self.component, key) for key in self.after}

    def told_of(self, spec: Mapping[str, Any]) -> str:
        """The present values, as sentences name them."""
        return _shown(self.found_in(spec))

    def is_set_in(self, spec: Mapping[str, Any]) -> bool:
        """Whether a spec holds the wanted values."""
        return self.found_in(spec) == self.after

    def put_into(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the whole spec with the wanted values."""
        return with_values(spec, self.component, self.after)

    def merged(self, spec: Mapping[str, Any]) -> ToWrite | AlreadyThere | Conflict:
        """The three-way merge of what the plan saw, this spec, and what is wanted."""
        found = {name: value_of(spec, self.component, name) for name in self.planned_from}
        return merge(self.planned_from, found, self.after)

    def needed(self, health: ComponentHealth) -> int:
        """How many replicas must serve; what the vendor wants where we set no count."""
        count = self.after.get(INSTANCE_COUNT)
        if count is not None:
            return int(count)
        return max(health.desired, int(self.after.get(MIN_COUNT) or 1))

    def carrier(self, deployments: Sequence[Deployment]) -> str | None:
        """The newest deployment since the plan that carries the wanted values: ours, or as good."""
        newer = _newer_than(self.last_deployment, deployments)
        return next((one.id for one in newer if self.is_set_in(one.spec)), None)

    def conflict(self, spec: Mapping[str, Any], deployments: Sequence[Deployment]) -> str | None:
        """Why values that are not there must not be set on the ground of this plan.

        `deployments` were read before `spec`.
        """
        merged = self.merged(spec)
        if isinstance(merged, Conflict):
            return self._left(f"A person changed {self.component} of app {self.app}: {merged}")
        if carrier := self.carrier(deployments):
            return self._left(
                f"A person changed {self} of app {self.app}: it is {self.before} again, after "
                f"deployment {carrier} had set it to {self.wanted}"
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
        then it is the first since the plan that carries the values.
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
        found = self.found_in(theirs.spec)
        if any(found[key] not in (self.planned_from[key], self.after[key]) for key in found):
            return theirs.id
        kept = self.put_into(theirs.spec)
        return None if kept == dict(mine.spec) else theirs.id

    def _left(self, why: str) -> str:
        return f"{why}. The app was left so, and {self} was not set to {self.wanted}."


def _and(parts: Iterable[object]) -> str:
    return " and ".join(str(part) for part in parts)


def _shown(values: Mapping[str, Value]) -> str:
    """Values as sentences name them; those within a block with their own names."""
    return _and(
        f"{key.rpartition('.')[2]} {'not set' if value is None else value}"
        if "." in key
        else ("none" if value is None else value)
        for key, value in values.items()
    )


def _newer_than(anchor: str | None, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """What comes before `anchor` in a list, newest first; all of it where it is not listed.

    By place and not by time, so that the clocks need not agree.
    """
    ids = [one.id for one in deployments]
    return deployments[: ids.index(anchor)] if anchor in ids else deployments
