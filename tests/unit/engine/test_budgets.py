"""A worker changes nothing that the budget does not allow, and looks at what the targets cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.context import Record
from service.catalogue.registry import kind_spec
from service.catalogue.spec import Change
from service.domain.decisions.budget import ASK, HOLD, PAGE, Budget, Spend
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import Policy
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from service.domain.errors import FailureKind, VendorError
from service.domain.rules.rules import Target
from service.engine.budgets import within_budget
from service.engine.looks import ASK_EVERY_S, LOOK_EVERY_S, LookRound
from tests.fakes.engine import FakeChange, FakeWorker
from tests.fakes.runs import API, WORKER, request_for

RUN = "worker-vm.up.1"


def asking(over: str = ASK, monthly: float = 40.0, **changes: Any) -> Request:
    budget = Budget(monthly, over=over, targets=("api", "worker-vm"))
    request = request_for("vertical_scale", WORKER, policy=Policy(budget=budget))
    return replace(request, **changes)


@pytest.fixture
def worker() -> FakeWorker:
    """A worker whose change costs $24 instead of $12, while the API costs $12."""
    worker = FakeWorker()
    worker.change.prices = (12.0, 24.0)
    worker.spend.saw("api", 12.0, worker.clock.time())
    return worker


def test_what_fits_is_done_and_the_check_is_kept(worker: FakeWorker) -> None:
    worker.execute(asking())
    assert worker.change.value == "large"
    (check,) = [each for each in worker.runs.checks[RUN] if each.guard == "budget"]
    assert check.passed
    assert check.saw == "all targets will cost $36 of the budget of $40 a month"


def test_what_does_not_fit_is_asked_for_with_the_reason(worker: FakeWorker) -> None:
    worker.execute(asking(monthly=30.0))
    assert worker.change.value == "small"
    assert [each.run for each in worker.approvals.waiting()] == [RUN]
    (message,) = worker.messenger.messages.values()
    assert "together would cost $36 a month, and the budget is $30" in message.text


def test_a_person_is_asked_too_when_it_does_not_fit(worker: FakeWorker) -> None:
    worker.execute(asking(monthly=30.0, origin=Origin(PERSON, "anna", "a campaign")))
    assert worker.change.value == "small"
    assert [each.run for each in worker.approvals.waiting()] == [RUN]


def test_where_the_rules_say_hold_it_is_held_and_told_without_a_page(worker: FakeWorker) -> None:
    worker.execute(asking(HOLD, 30.0))
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "held"
    assert "worker-vm is left as it is: all targets together would cost $36" in outcome.reason
    assert any("together would cost $36" in said for said in worker.said())
    assert worker.pager.open == {}


def test_where_the_rules_say_page_it_is_held_for_the_cooldown_with_one_page(
    worker: FakeWorker,
) -> None:
    worker.execute(asking(PAGE, 30.0))
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "held"
    assert outcome.cooldown_until == worker.clock.time() + asking().cooldown_s
    (page,) = worker.pager.open.values()
    assert "together would cost $36 a month, and the budget is $30" in page.summary


def test_a_change_without_a_known_price_is_asked_for(worker: FakeWorker) -> None:
    worker.change.prices = (12.0, None)
    worker.execute(asking())
    assert [each.run for each in worker.approvals.waiting()] == [RUN]


def test_a_target_whose_cost_nobody_has_seen_makes_it_ask(worker: FakeWorker) -> None:
    worker.spend.rows.clear()
    worker.execute(asking())
    (message,) = worker.messenger.messages.values()
    assert "what api costs is not known yet" in message.text


def test_what_is_over_already_may_still_become_cheaper(worker: FakeWorker) -> None:
    worker.change.prices = (900.0, 800.0)
    worker.execute(asking())
    assert worker.change.value == "large"


def test_a_run_looks_at_what_nobody_has_seen_before_it_asks_a_person(worker: FakeWorker) -> None:
    worker.spend.rows.clear()
    worker.counted = (API,)
    worker.change.shows = {"replicas": 1, "size": "apps-s-1vcpu-1gb"}
    worker.execute(asking())
    assert worker.change.value == "large"
    assert worker.spend.rows["api"].dollars_month == 12.0


OBSERVED = {
    "kind": "services",
    "components": ["api"],
    "replicas": 2,
    "size": "apps-s-1vcpu-1gb",
    "autoscaling": None,
    "deploying": None,
    "last_deployment": "d-1",
    "sizes": {"apps-s-1vcpu-1gb": {"price_monthly": 12.0, "single_instance_only": False}},
    "source": "",
}


def plan_out(worker: FakeWorker, wanted: Wanted, monthly: float) -> Plan | PlanHeld:
    budget = Budget(monthly, targets=("api",), over=HOLD)
    request = request_for("horizontal_scale", API, policy=Policy(budget=budget), wanted=(wanted,))
    kind = kind_spec("app_platform")
    change = Change(kind.plan, worker.change)
    plan = change.plan(request, OBSERVED)
    assert isinstance(plan, Plan)
    return within_budget(request, change, OBSERVED, plan, worker.parts, worker.clock.time()).plan


def test_of_several_steps_the_largest_that_fits_is_made(worker: FakeWorker) -> None:
    plan = plan_out(worker, Wanted("replicas", by=4), 48.0)
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("2", "4")


def test_an_absolute_wish_is_never_cut(worker: FakeWorker) -> None:
    plan = plan_out(worker, Wanted("replicas", to=6), 48.0)
    assert isinstance(plan, PlanHeld)
    assert "$72 a month, and the budget is $48" in plan.reason


def test_a_round_looks_at_each_counted_target_whose_cost_is_old(worker: FakeWorker) -> None:
    worker.counted = (WORKER,)
    worker.spend.rows[WORKER.name] = Spend(WORKER.name, 12.0, worker.clock.time())
    look = LookRound(worker.parts)
    look(True)
    assert worker.spend.rows[WORKER.name].seen_at == worker.clock.time(), "it is fresh"
    worker.clock.sleep(LOOK_EVERY_S)
    worker.change.shows = {"size": "s-1vcpu-2gb", "sizes": {"s-1vcpu-2gb": {"price_monthly": 13.0}}}
    look(True)
    seen = worker.spend.rows[WORKER.name]
    assert (seen.dollars_month, seen.seen_at) == (13.0, worker.clock.time())


def test_a_look_counts_from_when_it_began_because_a_run_may_have_ended_during_it(
    worker: FakeWorker,
) -> None:
    worker.counted = (WORKER,)
    worker.spend.rows[WORKER.name] = Spend(WORKER.name, 12.0, 0.0)
    smaller = {"size": "s-1vcpu-1gb", "sizes": {"s-1vcpu-1gb": {"price_monthly": 6.0}}}

    class SlowToAnswer(FakeChange):
        def observe(self, target: Target) -> Record:
            worker.clock.sleep(5.0)
            worker.spend.saw(WORKER.name, 24.0, worker.clock.time())
            worker.clock.sleep(5.0)
            return smaller

    worker.change = SlowToAnswer()
    LookRound(worker.parts)(True)
    assert worker.spend.rows[WORKER.name].dollars_month == 24.0


def test_a_target_that_cannot_be_looked_at_keeps_the_cost_that_is_known(
    worker: FakeWorker,
) -> None:
    worker.counted = (WORKER,)
    worker.spend.rows[WORKER.name] = Spend(WORKER.name, 12.0, 0.0)
    worker.change.unseen = VendorError("digitalocean", "get droplet", FailureKind.TEMPORARY, "away")
    look = LookRound(worker.parts)
    look(True)
    worker.clock.sleep(ASK_EVERY_S)
    look(True)
    assert worker.spend.rows[WORKER.name] == Spend(WORKER.name, 12.0, 0.0)
