"""The balloon's entry in the catalogue, its own action and its steps."""

from __future__ import annotations

from collections.abc import Mapping

from service.catalogue.toy.plan import plan_size
from service.catalogue.toy.target import NAME, PRICES, ToyShape, ToyTarget, build_toy
from service.ports.toy import Balloons

from service.catalogue.actions import one_size_up
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import ActionSpec, Effect, KindSpec, Tools
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request

INFLATE = ActionSpec("inflate", Effect.CHANGES, "up", wanted=one_size_up, climbs=True)


class Inflation:
    """The steps blow and verify over one port."""

    def __init__(self, balloons: Balloons, tools: Tools) -> None:
        self._balloons = balloons

    def observe(self, target: ToyTarget) -> Record:
        """The size now."""
        return {"toy": target.toy, "size": self._balloons.size(target.toy)}

    def steps(self) -> Mapping[str, StepFunction]:
        """blow, verify."""
        return {"blow": self._blow, "verify": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """A balloon is safe as it is."""
        return "The balloon was left as it is."

    def _blow(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        context.intent("blow")
        context.fence()
        self._balloons.inflate(plan.wanted["toy"], plan.wanted["after"])
        return {"size": plan.wanted["after"]}

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        return {"size": self._balloons.size(plan.wanted["toy"])}


KIND = KindSpec(
    size_form=r"[a-z0-9-]+",
    name=NAME,
    stand_in="toy",
    target=ToyTarget,
    shape=ToyShape,
    build=build_toy,
    actions=(INFLATE,),
    plan=plan_size,
    work=Inflation,
    look=lambda balloons, target: f"balloon {target.toy} is {balloons.size(target.toy)}",
    prices=PRICES,
)
