"""apply_balancer on nginx in memory: what holds it, how it fails, what it leaves."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.nginx.digest import digest_on_disk
from service.catalogue.nginx.plan import file_is
from service.catalogue.nginx.render import render
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.nginx import FakeNginx
from tests.fakes.runs import EDGE, FakeRun, planned, request_for, works_on

ASK = request_for("apply_balancer", EDGE)
OLD = render(replace(EDGE, servers=("10.0.0.11:8080",)))
NEW = render(EDGE)
BY_HAND = NEW.replace("10.0.0.12", "10.0.0.13")


def prepared(request: Request = ASK, **facts: Any) -> tuple[FakeNginx, FakeRun]:
    clock = FakeClock()
    nginx = FakeNginx(clock, **{"text": OLD, "loaded": OLD, **facts})
    return nginx, planned(works_on(clock, nginx=nginx), request, clock)


def plan_of(request: Request = ASK, **facts: Any) -> Plan | PlanHeld:
    clock = FakeClock()
    nginx = FakeNginx(clock, **{"text": OLD, "loaded": OLD, **facts})
    return works_on(clock, nginx=nginx).plan(request)


# ---- The plan ----


@pytest.mark.parametrize(
    ("facts", "before", "told"),
    [
        ({}, f"{digest_on_disk(OLD)} with 1 server", "Adds server 10.0.0.12:8080 max_fails=3"),
        ({"text": None, "loaded": None}, "none", "Makes the file. No downtime"),
        ({"text": NEW}, f"{digest_on_disk(NEW)} with 2 servers", "nginx has not loaded it."),
    ],
)
def test_a_plan_says_what_changes_that_it_costs_nothing_and_takes_nothing_down(
    facts: dict[str, Any], before: str, told: str
) -> None:
    plan = plan_of(**facts)
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == (before, f"{digest_on_disk(NEW)} with 2 servers")
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)
    assert told in plan.downtime
    assert "No downtime" in plan.downtime


@pytest.mark.parametrize(
    ("facts", "guard", "sentence"),
    [
        ({"text": NEW, "loaded": NEW}, "already_there", "already as wanted"),
        ({"running": False}, "nginx_down", "nginx does not run .* Start it"),
        ({"included": False}, "not_included", "Add `include /etc/nginx/conf.d/edge.conf;`"),
        ({"text": BY_HAND}, "changed_by_a_person", "move the file away, and ask again"),
        ({"text": "server { }"}, "changed_by_a_person", "a person has made or changed it"),
        ({"text": ""}, "changed_by_a_person", "a person has made or changed it"),
    ],
)
def test_what_holds_a_plan_is_told_with_what_to_do(
    facts: dict[str, Any], guard: str, sentence: str
) -> None:
    held = plan_of(**facts)
    assert isinstance(held, PlanHeld)
    assert held.guard == guard
    assert re.search(sentence, held.reason)


def test_a_plan_that_removes_the_file_says_that_no_client_is_passed_on() -> None:
    plan = plan_of(replace(ASK, wanted=(Wanted("file", to="none"),)))
    assert isinstance(plan, Plan)
    assert (plan.after, "no client is passed on" in plan.downtime) == ("none", True)


@pytest.mark.parametrize(
    ("facts", "status"),
    [({}, None), ({"running": False}, "nginx does not run"), ({"loaded": None}, "not loaded")],
)
def test_a_state_tells_what_is_not_usual(facts: dict[str, Any], status: str | None) -> None:
    clock = FakeClock()
    nginx = FakeNginx(clock, **{"text": OLD, "loaded": OLD, **facts})
    state = file_is(works_on(clock, nginx=nginx).observe(ASK))
    assert state["file"] == f"{digest_on_disk(OLD)} with 1 server"
    assert state.get("status") == status


# ---- The steps ----


def test_the_file_is_put_in_force_and_each_server_is_asked() -> None:
    nginx, run = prepared()
    records = run.execute()
    assert (nginx.text, nginx.loaded) == (NEW, NEW)
    assert nginx.writes.effective == ["write", "reload"]
    assert records["verify"]["answers"] == {"10.0.0.11:8080": "200", "10.0.0.12:8080": "200"}
    assert nginx.kept_texts == {digest_on_disk(OLD): OLD}


def test_a_server_that_does_not_answer_is_told_and_fails_nothing() -> None:
    nginx, run = prepared(silent={2})
    run.execute()
    assert any("10.0.0.12:8080 (502)" in each for each in run.context.told)
    assert nginx.text == NEW


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_answer_never_came_takes_effect_once(number: int, when: str) -> None:
    nginx, run = prepared()
    getattr(nginx.writes, when)[number] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert nginx.writes.effective == ["write", "reload"]
    assert (nginx.text, nginx.loaded) == (NEW, NEW)


def test_a_file_that_nginx_refuses_leaves_the_old_one_and_writes_nothing() -> None:
    nginx, run = prepared(refuses='[emerg] host not found in upstream "api-1:8080"')
    with pytest.raises(VendorError, match="host not found in upstream"):
        run.execute()
    assert (nginx.text, nginx.loaded) == (OLD, OLD)
    assert run.intents == {}


def test_a_file_that_a_person_changes_before_the_write_is_left_alone() -> None:
    nginx, run = prepared()
    nginx.text = BY_HAND
    with pytest.raises(TargetChanged, match=r"Somebody has changed .*edge\.conf.* It was left so"):
        run.execute()
    assert nginx.writes.sent == 0
    assert "which this run has not made" in run.works.make_safe(run.context, ASK, run.plan)
    assert nginx.text == BY_HAND


def test_a_file_that_a_person_changes_before_the_reload_is_not_loaded() -> None:
    nginx, run = prepared()
    run.step("write")
    nginx.text = BY_HAND
    with pytest.raises(StepFailed, match="nginx was not told to load it"):
        run.step("reload")
    assert nginx.writes.effective == ["write"]


def test_an_execution_that_lost_its_run_writes_nothing() -> None:
    nginx, run = prepared()
    run.context.fenced_out = True
    for step in ("write", "reload"):
        with pytest.raises(FencedOut):
            run.step(step)
        nginx.text = NEW  # as the other execution has it
    assert nginx.writes.sent == 0


def test_a_file_that_nginx_does_not_load_fails_and_the_old_one_is_put_back() -> None:
    nginx, run = prepared(stuck=True)
    run.step("write")
    run.step("reload")
    with pytest.raises(StepFailed, match="does not work by it after 30 s"):
        run.step("verify")
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert said.startswith("The old /etc/nginx/conf.d/edge.conf was put back")
    assert (nginx.text, nginx.loaded) == (OLD, OLD)


def test_where_no_server_answers_it_fails_and_the_old_file_is_put_back() -> None:
    nginx, run = prepared(silent={1, 2})
    with pytest.raises(StepFailed, match=r"none of its servers answers .*10\.0\.0\.11:8080"):
        run.execute()
    run.works.make_safe(run.context, ASK, run.plan)
    assert (nginx.text, nginx.loaded) == (OLD, OLD)


def test_a_first_file_by_which_no_server_answers_is_removed() -> None:
    nginx, run = prepared(text=None, loaded=None, silent={1, 2})
    with pytest.raises(StepFailed, match="none of its servers"):
        run.execute()
    run.works.make_safe(run.context, ASK, run.plan)
    assert (nginx.text, nginx.loaded) == (None, None)


def test_a_file_in_force_is_left_when_it_is_looked_at_again() -> None:
    nginx, run = prepared(silent={1})
    run.execute()
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert said.endswith("1 of its 2 servers answer.")
    assert nginx.writes.effective == ["write", "reload"]


def test_what_could_not_be_put_back_is_told_with_where_to_look() -> None:
    nginx, run = prepared(silent={1, 2})
    run.step("write")
    run.step("reload")
    nginx.kept_texts.clear()
    assert "is not kept any more" in run.works.make_safe(run.context, ASK, run.plan)
    nginx.kept_texts[digest_on_disk(OLD)] = OLD
    nginx.writes.before[2] = vendor_error(FailureKind.PERMANENT, "the disk is full.")
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert "the disk is full" in said
    assert "Look at it now" in said


def test_an_older_file_that_is_not_kept_any_more_changes_nothing() -> None:
    nginx, run = prepared(replace(ASK, wanted=(Wanted("file", to="0" * 16),)))
    with pytest.raises(StepFailed, match=r"is not kept beside .* any more, so nothing"):
        run.execute()
    assert nginx.writes.sent == 0


def test_an_older_file_is_put_back_from_what_is_kept() -> None:
    wanted = replace(ASK, wanted=(Wanted("file", to=digest_on_disk(OLD)),))
    kept = {digest_on_disk(OLD): OLD}
    nginx, run = prepared(wanted, text=NEW, loaded=NEW, kept_texts=kept)
    records = run.execute()
    assert (nginx.text, nginx.loaded) == (OLD, OLD)
    assert list(records["verify"]["answers"]) == ["10.0.0.11:8080"]
