"""One planned value of one component, held against what the vendor shows.

Pure. Whether the value is there, may be set, or must not be set because a person was here: the
same answers serve the write, the wait for its deployment and the verification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.app_spec import INSTANCE_COUNT, value_of
from service.domain.observation import ComponentHealth, Deployment


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """`key` of `component` of `app`, from `before` to `after`.

    `last_deployment` is the newest deployment from before the plan, by which those since are
    told.
    """

    app: str
    component: str
    key: str
    before: int | str
    after: int | str
    last_deployment: str | None

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> PlannedValue:
        """The value that a plan of `service.domain.planning_app` wants."""
        return cls(**{name: wanted[name] for name in cls.__slots__})

    def __str__(self) -> str:
        """As sentences name it."""
        return f"{self.key} of {self.component}"

    def found_in(self, spec: Mapping[str, Any]) -> int | str | None:
        """The present value; None where the component is gone or the vendor decides on it."""
        return value_of(spec, self.component, self.key)

    def is_set_in(self, spec: Mapping[str, Any]) -> bool:
        """Whether a spec holds the wanted value."""
        return self.found_in(spec) == self.after

    def needed(self, health: ComponentHealth) -> int:
        """How many replicas must serve; what the vendor wants where we set no count."""
        return int(self.after) if self.key == INSTANCE_COUNT else max(health.desired, 1)

    def carrier(self, deployments: Sequence[Deployment]) -> str | None:
        """The newest deployment since the plan that carries the wanted value: ours, or as good."""
        newer = _newer_than(self.last_deployment, deployments)
        return next((one.id for one in newer if self.is_set_in(one.spec)), None)

    def conflict(self, spec: Mapping[str, Any], deployments: Sequence[Deployment]) -> str | None:
        """Why a value that is not there must not be set: a person has changed it since."""
        found = self.found_in(spec)
        if found is None:
            return self._person("is gone or scaled by the vendor itself")
        if found != self.before:
            return self._person(f"is {found} now")
        if carrier := self.carrier(deployments):
            return self._person(f"is so again, after deployment {carrier} had set it")
        return None

    def _person(self, seen: str) -> str:
        return (
            f"A person changed {self} of app {self.app}: it was {self.before} when this run looked "
            f"and {seen}. It was left so, and {self.after} was not set."
        )


def _newer_than(anchor: str | None, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """What comes before `anchor` in a list, newest first; all of it where it is not listed.

    By place and not by time, so that the clocks need not agree.
    """
    ids = [one.id for one in deployments]
    return deployments[: ids.index(anchor)] if anchor in ids else deployments
