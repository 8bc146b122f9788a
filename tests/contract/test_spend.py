"""What the targets cost, in SQL and in memory, and what runs reserve of a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.decisions.budget import Budget, Spend
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import Policy
from service.domain.decisions.requests import Request
from service.ports.runs import Outcome
from service.ports.spend import Spending
from service.store.runs import RunStore
from service.store.spend import SpendStore, spends
from tests.contract.test_controls import queued
from tests.fakes.runs import API, WORKER, request_for
from tests.fakes.spend import FakeSpend

NOW = 1_795_000_000.0
BUDGET = Budget(100.0, targets=("api", "worker-vm"))


@pytest.fixture(params=["fake", "sql"])
def spend(request: pytest.FixtureRequest, engine: sa.Engine) -> Spending:
    """The record, with nothing in it."""
    return FakeSpend() if request.param == "fake" else SpendStore(engine)


def test_nothing_is_known_of_a_target_that_was_never_seen(spend: Spending) -> None:
    assert list(spend.known()) == []


def test_the_last_look_counts_and_the_dollars_of_the_month_add_up(spend: Spending) -> None:
    spend.saw("api", 24.0, NOW)
    spend.saw("worker-vm", None, NOW)
    spend.saw("api", 36.0, NOW + 3_600)
    api, worker = spend.known()
    assert (api.target, api.dollars_month, api.seen_at) == ("api", 36.0, NOW + 3_600)
    assert api.accrued == pytest.approx(24.0 / 30 / 24)
    assert worker == Spend("worker-vm", None, NOW)


def test_a_look_that_began_before_what_is_known_tells_nothing_new(spend: Spending) -> None:
    spend.saw("api", 36.0, NOW + 100)
    spend.saw("api", 24.0, NOW + 50)
    (api,) = spend.known()
    assert (api.dollars_month, api.seen_at) == (36.0, NOW + 100)


def test_a_look_that_was_under_way_when_a_run_ended_does_not_hide_what_that_run_has_spent(
    runs: RunStore, engine: sa.Engine
) -> None:
    assert runs.enter(OUT, NOW) is None
    runs.conclude(OUT.id, Outcome("succeeded", "2 → 5", NOW + 600), NOW + 9)
    SpendStore(engine).saw("api", 24.0, NOW + 5)
    held = runs.enter(UP, NOW + 10)
    assert held is not None
    assert held.guard == "budget"


def planned(runs: RunStore, request: Request, before: float, after: float) -> None:
    plan = Plan("replicas", "2", "3", ("verify",), {}, before, after)
    runs.set_plan(request.id, plan)


OUT = replace(request_for("horizontal_scale", API), policy=Policy(budget=BUDGET))
UP = replace(request_for("vertical_scale", WORKER), policy=Policy(budget=BUDGET))


@pytest.fixture
def runs(engine: sa.Engine) -> RunStore:
    """Two runs of a budget of $100, whose targets cost $24 each."""
    runs = queued(engine, OUT, UP)
    store = SpendStore(engine)
    store.saw("api", 24.0, NOW)
    store.saw("worker-vm", 24.0, NOW)
    planned(runs, OUT, 24.0, 60.0)
    planned(runs, UP, 24.0, 48.0)
    return runs


def known(engine: sa.Engine, besides: str = "") -> Sequence[tuple[float | None, float]]:
    with engine.connect() as connection:
        return [(each.dollars_month, each.reserved) for each in spends(connection, besides)]


def test_of_two_runs_that_fit_alone_the_second_is_held_at_its_first_write(
    runs: RunStore, engine: sa.Engine
) -> None:
    assert runs.enter(OUT, NOW) is None
    assert known(engine) == [(24.0, 36.0), (24.0, 0.0)]
    held = runs.enter(UP, NOW)
    assert held is not None
    assert (held.guard, held.until) == ("budget", NOW + 60)
    assert "$108 a month, and the budget is $100" in held.saw
    assert known(engine) == [(24.0, 36.0), (24.0, 0.0)], "what was held has reserved nothing"


def test_what_a_run_reserves_is_spent_when_it_succeeds(runs: RunStore, engine: sa.Engine) -> None:
    assert runs.enter(OUT, NOW) is None
    runs.conclude(OUT.id, Outcome("succeeded", "2 → 5", NOW + 600), NOW + 1)
    assert known(engine) == [(60.0, 0.0), (24.0, 0.0)]


def test_what_a_run_reserves_is_free_again_when_it_wrote_nothing(
    runs: RunStore, engine: sa.Engine
) -> None:
    assert runs.enter(OUT, NOW) is None
    runs.conclude(OUT.id, Outcome("failed", "refused", NOW + 60), NOW + 1)
    assert known(engine) == [(24.0, 0.0), (24.0, 0.0)]
    assert runs.enter(UP, NOW + 2) is None


def test_after_a_failed_write_the_dearer_of_both_is_counted(
    runs: RunStore, engine: sa.Engine
) -> None:
    runs.intend(OUT.id, "update_app", NOW)
    assert runs.enter(OUT, NOW) is None
    runs.conclude(OUT.id, Outcome("failed", "never healthy", NOW + 60), NOW + 1)
    assert known(engine) == [(60.0, 0.0), (24.0, 0.0)]


def test_what_a_person_has_approved_is_reserved_beyond_the_budget(
    runs: RunStore, engine: sa.Engine
) -> None:
    assert runs.enter(OUT, NOW) is None
    assert runs.enter(replace(UP, approved="0123456789ab"), NOW) is None
    assert known(engine) == [(24.0, 36.0), (24.0, 24.0)]
    assert known(engine, besides=UP.id) == [(24.0, 36.0), (24.0, 0.0)]
