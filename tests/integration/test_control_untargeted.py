"""What a person asks for without a target, over the API, such as tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.catalogue.request_json import load_request
from service.domain.decisions.policy import OFF, SHADOW, Policy
from service.domain.decisions.requests import PERSON, Request
from service.store import schema
from service.store.decode import load
from tests.fakes.web import rule_book, sqlite_url
from tests.operators import Operators

WHY = {"why": "a big exam"}
TEXT: dict[str, Any] = {"channels": ["#ops"], "text": "We scale in {run}."}
TELL = {"action": "tell", "with": TEXT, **WHY}
BRANCH = {"action": "horizontal_scale", "target": "api", "with": {"step": 2}}
DECIDE = {"action": "decide", "with": {"cpu": BRANCH}, **WHY}
WATCH = {"action": "watch", "with": {"for": "2h", "readings": ["cpu > 80"]}, **WHY}
COST: dict[str, Any] = {"action": "cost_report", "with": {}, **WHY}
WEEKLY: dict[str, Any] = {"action": "weekly_report", "with": {}, **WHY}


@pytest.fixture
def api(tmp_path: Path) -> Operators:
    return Operators(sqlite_url(tmp_path))


def queued(api: Operators, run: str) -> Request:
    """What stands on record of a run that was asked for."""
    with api.stand.engine.connect() as connection:
        query = schema.runs.select().where(schema.runs.c.id == run)
        return load_request(load(connection.execute(query).mappings().one()["ask"]))


@pytest.mark.parametrize(
    "body", [TELL, DECIDE, WATCH, COST, WEEKLY], ids=lambda body: str(body["action"])
)
def test_each_is_queued_for_a_person_and_audited_with_its_options(
    api: Operators, body: dict[str, Any]
) -> None:
    status, said = api.post("olga", "/runs", body)
    action = body["action"]
    assert (status, said["id"], said["target"], said["wanted"]) == (
        201,
        f"{action}.person.1",
        "",
        [],
    )
    request = queued(api, said["id"])
    assert (request.origin.kind, request.origin.by, request.origin.why) == (
        PERSON,
        "olga",
        "a big exam",
    )
    assert (request.on, request.only_plans, request.policy.mode) == (None, False, "act")
    (entry,) = api.audit()
    assert (entry["who"], entry["verb"], entry["subject"], entry["why"]) == (
        "olga",
        "run",
        action,
        "a big exam",
    )
    assert entry["what"]["options"] == request.options
    assert (
        body["with"].items() <= {**entry["what"]["options"], "cpu": body["with"].get("cpu")}.items()
    )


@pytest.mark.parametrize(
    "body", [TELL, DECIDE, WATCH, COST, WEEKLY], ids=lambda body: str(body["action"])
)
def test_a_plan_of_each_is_for_everybody_and_acts_on_nothing(
    api: Operators, body: dict[str, Any]
) -> None:
    assert api.post("vera", "/runs", body)[0] == 403
    status, said = api.post("vera", "/runs", {**body, "plan": True})
    assert (status, said["id"]) == (201, f"{body['action']}.plan.1")
    request = queued(api, said["id"])
    assert (request.only_plans, request.policy.mode) == (True, SHADOW)
    planned, refused = api.audit()
    assert (planned["verb"], refused["outcome"]) == ("plan", "forbidden")


def test_a_target_that_stands_beside_watch_is_what_it_watches(api: Operators) -> None:
    status, said = api.post("olga", "/runs", {**WATCH, "target": "api"})
    assert (status, said["target"]) == (201, "api")
    assert queued(api, said["id"]).options["target"] == "api"
    assert api.audit()[0]["subject"] == "api"


def test_what_is_urgent_waits_for_no_other_message(api: Operators) -> None:
    for _ in range(2):
        assert api.post("olga", "/runs", TELL)[0] == 201
    with api.stand.engine.connect() as connection:
        rows = connection.execute(schema.runs.select()).mappings().all()
    assert {row["resource"] for row in rows} == {"message:tell.person.1", "message:tell.person.2"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({**TELL, "target": "api"}, "tell takes no target: it changes none. Leave api out."),
        ({**TELL, "with": {"channels": ["#ops"]}}, "with: tell needs text"),
        ({**TELL, "with": {"text": "Hello"}}, "with: tell needs channels"),
        ({**TELL, "with": {**TEXT, "channels": ["ops"]}}, "such as ['#ops', '#web']"),
        ({**TELL, "with": {**TEXT, "text": "{alert}"}}, "which only an alert has"),
        (
            {**TELL, "with": {**TEXT, "to": "x"}},
            "with: unknown key to; tell takes channels",
        ),
        ({**TELL, "to": {"replicas": 3}}, "tell sets no value"),
        ({**TELL, "step": 1}, "tell sets no value"),
        ({**TELL, "for": "2h"}, "tell sets no value"),
        ({**TELL, "pin": True}, "tell sets no value"),
        ({**TELL, "override": "now"}, "override: nothing holds tell"),
        ({**TELL, "why": " "}, "why: say in a few words why"),
        ({**DECIDE, "target": "api"}, "decide takes no target"),
        ({**DECIDE, "with": {}}, "with: decide names no branch"),
        ({**DECIDE, "with": {"cpu": {**BRANCH, "target": "apo"}}}, "There is no target 'apo'"),
        (
            {**DECIDE, "with": {"cpu": {"action": "purge", "target": "api"}}},
            "purge cannot change api",
        ),
        ({**DECIDE, "with": {"cpu": {**BRANCH, "action": "decide"}}}, "decide cannot"),
        ({**DECIDE, "with": {"cpu": {**BRANCH, "action": "tell"}}}, "tell cannot"),
        ({**DECIDE, "with": {"cpu": {**BRANCH, "with": {"step": 0}}}}, "step"),
        ({**DECIDE, "with": {"cpu": {"action": "horizontal_scale"}}}, "cpu"),
        ({**DECIDE, "with": {"disk": BRANCH}}, "with: unknown key disk; decide takes cpu"),
        ({**WATCH, "with": {}}, "with: watch needs for"),
        ({**WATCH, "with": {"for": "25h"}}, "Here for is a duration from 1m to 24h"),
        ({**WATCH, "with": {"for": "2h", "readings": ["cpuu"]}}, "There is no reading 'cpuu'"),
        ({**WATCH, "with": {"for": "2h", "target": "apo"}}, "There is no target 'apo'"),
        ({**WATCH, "target": "apo"}, "There is no target 'apo'"),
        (
            {**WATCH, "target": "api", "with": {"for": "2h", "target": "worker-vm"}},
            "with: target is worker-vm, and api was named before it",
        ),
        ({**WATCH, "with": {"for_": "2h"}}, "with: unknown key for_; watch takes for, every"),
        (
            {"action": "horizontal_scale", **WHY},
            "target: horizontal_scale must know what to change",
        ),
        ({"action": "page_oncall", **WHY}, "page_oncall cannot be asked for by a person"),
        ({"action": "start_scenario", **WHY}, "A person starts a scenario by its name"),
        ({"action": "dance", **WHY}, "There is no action 'dance'. Without a target there is tell"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_queued(
    api: Operators, body: dict[str, Any], sentence: str
) -> None:
    status, said = api.post("olga", "/runs", body)
    assert status == 422, said
    assert sentence in said["error"]
    assert api.audit() == []


def with_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str) -> Operators:
    book = rule_book()
    changed = book.__class__(book.rules, book.targets, book.hash, policy=Policy(mode))
    monkeypatch.setattr("tests.fakes.web.rule_book", lambda: changed)
    return Operators(sqlite_url(tmp_path))


def test_while_nothing_is_changed_people_are_told_and_nothing_is_decided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api = with_mode(monkeypatch, tmp_path, OFF)
    assert api.post("olga", "/runs", TELL)[0] == 201
    assert api.post("olga", "/runs", WATCH)[0] == 201
    status, said = api.post("olga", "/runs", DECIDE)
    assert (status, "mode: off" in said["error"]) == (409, True)
    assert api.post("olga", "/runs", {**DECIDE, "plan": True})[0] == 201


def test_in_shadow_a_decision_changes_nothing_and_a_message_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api = with_mode(monkeypatch, tmp_path, SHADOW)
    modes = [
        queued(api, api.post("olga", "/runs", body)[1]["id"]).policy.mode
        for body in (DECIDE, TELL, WATCH)
    ]
    assert modes == [SHADOW, "act", "act"]


def test_a_run_that_only_told_is_neither_undone_nor_retried(api: Operators) -> None:
    run = api.post("olga", "/runs", WATCH)[1]["id"]
    for verb in ("undo", "retry"):
        status, said = api.post("olga", f"/runs/{run}/{verb}")
        assert (status, "only told people" in said["error"]) == (409, True)
    assert api.post("olga", f"/runs/{run}/cancel", WHY)[0] == 202


def test_who_asks_for_a_cost_report_is_told_whatever_the_budget_says(api: Operators) -> None:
    _, said = api.post("olga", "/runs", COST)
    assert queued(api, said["id"]).options == {"tell": "always"}
    _, said = api.post("olga", "/runs", {**COST, "with": {"tell": "thresholds"}})
    assert queued(api, said["id"]).options == {"tell": "thresholds"}


def test_a_cost_report_takes_no_target_and_no_option_that_it_does_not_know(api: Operators) -> None:
    status, said = api.post("olga", "/runs", {**COST, "target": "api"})
    assert (status, "cost_report takes no target" in str(said)) == (422, True)
    status, said = api.post("olga", "/runs", {**COST, "with": {"tell": "never"}})
    assert (status, "tell" in str(said)) == (422, True)
