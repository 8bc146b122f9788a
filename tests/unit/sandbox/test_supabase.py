"""Supabase projects over time: compute, replicas, pooler, settings, queries."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.sandbox.support import PROJECT, Sandbox

ONE = f"/supabase/v1/projects/{PROJECT}"


def order(sandbox: Sandbox, variant: Any, kind: Any = "compute_instance") -> TestResponse:
    body = {"addon_type": kind, "addon_variant": variant}
    return sandbox.call("PATCH", f"{ONE}/billing/addons", body)


BEGINS, TAKES = 3.0, 10.0
"""A resize begins so long after it was ordered, and takes so long."""


def moved_to(variant: str) -> Sandbox:
    sandbox = Sandbox()
    assert order(sandbox, variant).status_code == 200
    sandbox.clock.pass_by(BEGINS + TAKES)
    return sandbox


def test_compute_changes_when_the_resize_is_over() -> None:
    sandbox = Sandbox()
    answer = order(sandbox, "ci_small")
    assert (answer.status_code, answer.data) == (200, b"")
    sandbox.clock.pass_by(BEGINS - 0.1)
    assert (sandbox.call("GET", ONE).json or {})["status"] == "ACTIVE_HEALTHY"
    sandbox.clock.pass_by(TAKES)
    assert (sandbox.call("GET", ONE).json or {})["status"] == "RESIZING"
    assert sandbox.project()["compute"] == "ci_micro"
    sandbox.clock.pass_by(0.2)
    assert (sandbox.call("GET", ONE).json or {})["status"] == "ACTIVE_HEALTHY"
    assert sandbox.project()["compute"] == "ci_small"


def test_a_second_resize_is_refused_while_one_runs() -> None:
    sandbox = Sandbox()
    order(sandbox, "ci_small")
    assert order(sandbox, "ci_medium").status_code == 409
    sandbox.clock.pass_by(BEGINS + TAKES)
    assert sandbox.project()["compute"] == "ci_small"


def test_the_size_it_has_already_changes_nothing() -> None:
    sandbox = Sandbox()
    assert order(sandbox, "ci_micro").status_code == 200
    assert sandbox.project()["status"] == "ACTIVE_HEALTHY"


def test_taking_the_compute_away_falls_back_to_the_smallest() -> None:
    sandbox = moved_to("ci_large")
    assert sandbox.call("DELETE", f"{ONE}/billing/addons/ci_medium").status_code == 404
    assert sandbox.call("DELETE", f"{ONE}/billing/addons/ci_large").status_code == 200
    sandbox.clock.pass_by(BEGINS + TAKES)
    assert sandbox.project()["compute"] == "ci_micro"


@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        ("ci_nano", "compute_instance"),
        (None, "compute_instance"),
        ("ci_small", None),
        ("pitr_9", "pitr"),
        ("ci_small", "ipv4"),
    ],
)
def test_an_add_on_that_does_not_exist_is_refused(variant: Any, kind: Any) -> None:
    answer = order(Sandbox(), variant, kind)
    assert answer.status_code == 400
    assert set(answer.json or {}) == {"message"}


def test_the_price_list_is_the_documented_one_with_the_present_size_selected() -> None:
    answer = moved_to("ci_medium").call("GET", f"{ONE}/billing/addons").json
    assert answer is not None
    (selected,) = answer["selected_addons"]
    assert selected["variant"]["id"] == "ci_medium"
    assert selected["variant"]["price"]["amount"] == 60
    variants = answer["available_addons"][0]["variants"]
    prices = [one["price"]["amount"] for one in variants]
    assert prices == [10, 15, 60, 111, 210, 410, 964, 1870, 2800, 3738]


def test_health_needs_to_be_told_which_services() -> None:
    sandbox = Sandbox()
    assert sandbox.call("GET", f"{ONE}/health").status_code == 400
    assert sandbox.call("GET", f"{ONE}/health?services=db,mail").status_code == 400
    for query in ("services=db,pooler", "services=db&services=pooler"):
        answer: Any = sandbox.call("GET", f"{ONE}/health?{query}").json
        assert [(one["name"], one["status"]) for one in answer] == [
            ("db", "ACTIVE_HEALTHY"),
            ("pooler", "ACTIVE_HEALTHY"),
        ]


def test_the_services_are_not_healthy_during_a_resize() -> None:
    sandbox = Sandbox()
    order(sandbox, "ci_small")
    sandbox.clock.pass_by(BEGINS)
    answer: Any = sandbox.call("GET", f"{ONE}/health?services=db").json
    assert (answer[0]["healthy"], answer[0]["status"]) == (False, "COMING_UP")


def replicate(sandbox: Sandbox, region: str = "us-west-1") -> TestResponse:
    body = {"read_replica_region": region}
    return sandbox.call("POST", f"{ONE}/read-replicas/setup", body)


def test_read_replicas_need_small_compute_and_have_a_limit() -> None:
    assert replicate(Sandbox()).status_code == 400
    small = moved_to("ci_small")
    assert [replicate(small).status_code for _ in range(3)] == [201, 201, 400]
    assert replicate(moved_to("ci_xlarge"), "atlantis").status_code == 400


def test_a_read_replica_is_listed_by_the_pooler_until_it_is_removed() -> None:
    sandbox = moved_to("ci_small")
    replicate(sandbox)
    assert sandbox.project()["replicas"][0]["status"] == "INIT_READ_REPLICA"
    sandbox.clock.pass_by(10)
    pools: Any = sandbox.call("GET", f"{ONE}/config/database/pooler").json
    assert [pool["database_type"] for pool in pools] == ["PRIMARY", "READ_REPLICA"]
    body = {"database_identifier": pools[1]["identifier"]}
    assert sandbox.call("POST", f"{ONE}/read-replicas/remove", body).status_code == 201
    assert sandbox.call("POST", f"{ONE}/read-replicas/remove", body).status_code == 404
    assert sandbox.project()["replicas"] == []


def test_the_pooler_takes_what_is_within_its_bounds() -> None:
    sandbox, path = Sandbox(), f"{ONE}/config/database/pooler"
    answer = sandbox.call("PATCH", path, {"default_pool_size": 30})
    assert answer.json == {"default_pool_size": 30, "pool_mode": "transaction"}
    for body in ({"default_pool_size": 3001}, {"default_pool_size": "30"}, {"pool_mode": "x"}):
        assert sandbox.call("PATCH", path, body).status_code == 400


def test_settings_are_replaced_as_a_whole_and_restart_unless_told_not_to() -> None:
    sandbox, path = Sandbox(), f"{ONE}/config/database/postgres"
    quiet = {"max_connections": 200, "restart_database": False}
    assert sandbox.call("PUT", path, quiet).json == {"max_connections": 200}
    assert sandbox.project()["status"] == "ACTIVE_HEALTHY"
    assert sandbox.state()["metrics"]["db_connections_available"] == 180
    sandbox.call("PUT", path, {"work_mem": "16MB"})
    assert sandbox.project()["status"] == "RESTARTING"
    assert sandbox.call("GET", path).json == {"work_mem": "16MB"}


@pytest.mark.parametrize("settings", [{"max_connections": 0}, {"work_mem": 16}, {"fsync": False}])
def test_settings_out_of_bounds_or_unknown_are_refused(settings: dict[str, Any]) -> None:
    answer = Sandbox().call("PUT", f"{ONE}/config/database/postgres", settings)
    assert answer.status_code == 400


def test_queries_are_answered_truthfully_or_not_at_all() -> None:
    sandbox = Sandbox()
    sandbox.load(db_connections=33)
    asked = {"query": "SELECT count(*)\n FROM pg_stat_activity;", "read_only": True}
    answer = sandbox.call("POST", f"{ONE}/database/query", asked)
    assert (answer.status_code, answer.json) == (201, [{"count": 33}])
    refused = sandbox.call("POST", f"{ONE}/database/query", {"query": "drop table users"})
    assert refused.status_code == 400


def test_an_unknown_project_is_not_found() -> None:
    assert Sandbox().call("GET", "/supabase/v1/projects/other").status_code == 404


STARTED = "select extract(epoch from pg_postmaster_start_time()) as started_at"


def started(sandbox: Sandbox) -> float:
    answer: Any = sandbox.call("POST", f"{ONE}/database/query/read-only", {"query": STARTED}).json
    return float(answer[0]["started_at"])


def test_the_database_says_when_it_was_started_and_a_resize_starts_it_anew() -> None:
    sandbox = Sandbox()
    before = started(sandbox)
    order(sandbox, "ci_small")
    assert started(sandbox) == before, "it has not restarted yet"
    sandbox.clock.pass_by(BEGINS + TAKES)
    assert started(sandbox) == before + BEGINS + TAKES


def test_a_nano_project_has_no_compute_until_it_is_resized() -> None:
    sandbox = Sandbox()
    assert sandbox.call("POST", "/_sandbox/supabase", {"nano": True}).status_code == 200
    addons: Any = sandbox.call("GET", f"{ONE}/billing/addons").json
    assert addons["selected_addons"] == []
    order(sandbox, "ci_micro")
    addons = sandbox.call("GET", f"{ONE}/billing/addons").json
    assert addons["selected_addons"][0]["variant"]["id"] == "ci_micro"


@pytest.mark.parametrize(
    "body", [{}, {"restart_after": -1}, {"restart_after": True}, {"nano": 1}, {"hourly": 1}]
)
def test_a_project_that_makes_no_sense_is_not_ordered(body: dict[str, Any]) -> None:
    assert Sandbox().call("POST", "/_sandbox/supabase", body).status_code == 422


def test_compute_is_quoted_by_the_hour_where_that_is_ordered() -> None:
    sandbox = Sandbox()
    assert sandbox.call("POST", "/_sandbox/supabase", {"hourly": True}).status_code == 200
    addons: Any = sandbox.call("GET", f"{ONE}/billing/addons").json
    price = addons["selected_addons"][0]["variant"]["price"]
    assert (price["interval"], price["amount"]) == ("hourly", 0.01344)
    (offer,) = [each for each in addons["available_addons"] if each["type"] == "compute_instance"]
    assert {each["price"]["interval"] for each in offer["variants"]} == {"hourly"}
