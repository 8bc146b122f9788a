"""App Platform over time: what was asked for, and what runs."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.sandbox.support import APP, Sandbox

ONE = f"/digitalocean/v2/apps/{APP}"


def deployment(sandbox: Sandbox, deployment_id: str) -> str:
    answer = sandbox.call("GET", f"{ONE}/deployments/{deployment_id}").json
    assert answer is not None
    return str(answer["deployment"]["phase"])


def begun(sandbox: Sandbox, count: int) -> str:
    answer = sandbox.scaled(instance_count=count).json
    assert answer is not None
    return str(answer["app"]["pending_deployment"]["id"])


def test_it_starts_as_the_runbook_has_it() -> None:
    sandbox = Sandbox()
    assert sandbox.api() == {"instances": 2, "size": "professional-xs", "autoscaling": None}
    app = sandbox.call("GET", ONE).json
    assert app is not None
    assert app["app"]["active_deployment"]["phase"] == "ACTIVE"
    assert "pending_deployment" not in app["app"]
    assert "in_progress_deployment" not in app["app"]


def test_what_runs_changes_only_when_the_deployment_is_active() -> None:
    sandbox = Sandbox()
    mine = begun(sandbox, 3)
    sandbox.clock.pass_by(9.9)
    assert sandbox.spec()["services"][0]["instance_count"] == 3
    assert sandbox.api()["instances"] == 2
    assert deployment(sandbox, mine) == "DEPLOYING"
    sandbox.clock.pass_by(0.1)
    assert sandbox.api()["instances"] == 3
    assert deployment(sandbox, mine) == "ACTIVE"


@pytest.mark.parametrize(
    ("after", "phase", "shown_as"),
    [
        (0, "PENDING_BUILD", "pending_deployment"),
        (2, "BUILDING", "in_progress_deployment"),
        (4.5, "PENDING_DEPLOY", "in_progress_deployment"),
        (6, "DEPLOYING", "in_progress_deployment"),
        (10, "ACTIVE", "active_deployment"),
    ],
)
def test_a_deployment_passes_through_the_vendors_phases(
    after: float, phase: str, shown_as: str
) -> None:
    sandbox = Sandbox()
    mine = begun(sandbox, 3)
    sandbox.clock.pass_by(after)
    app = sandbox.call("GET", ONE).json
    assert app is not None
    assert app["app"][shown_as]["id"] == mine
    assert app["app"][shown_as]["phase"] == phase


def test_a_newer_update_supersedes_the_one_under_way_whose_change_never_runs() -> None:
    sandbox = Sandbox()
    first = begun(sandbox, 3)
    sandbox.clock.pass_by(5)
    second = begun(sandbox, 5)
    assert deployment(sandbox, first) == "SUPERSEDED"
    sandbox.clock.pass_by(6)
    assert sandbox.api()["instances"] == 2
    sandbox.clock.pass_by(4)
    assert sandbox.api()["instances"] == 5
    assert deployment(sandbox, second) == "ACTIVE"


def test_the_same_spec_again_is_a_deployment_too() -> None:
    sandbox = Sandbox()
    before = sandbox.state()["apps"][APP]["deployments"]
    assert sandbox.put(sandbox.spec()).status_code == 200
    assert sandbox.state()["apps"][APP]["deployments"] == before + 1


def test_a_refused_spec_changes_nothing() -> None:
    sandbox = Sandbox()
    before = sandbox.state()
    answer = sandbox.put({"services": [{"name": "api", "instance_count": 3}]})
    assert answer.status_code == 400
    assert set(answer.json or {}) == {"id", "message", "request_id"}
    assert sandbox.state() == before


def test_a_proposal_prices_a_spec_and_changes_nothing() -> None:
    sandbox = Sandbox()
    before, spec = sandbox.state(), sandbox.spec()
    spec["services"][0]["instance_count"] = 4
    body = {"spec": spec, "app_id": APP}
    answer = sandbox.call("POST", "/digitalocean/v2/apps/propose", body).json
    assert answer is not None
    assert answer["app_cost"] == 48
    assert answer["app_name_available"] is True
    assert sandbox.state() == before


def test_health_counts_the_replicas_that_are_wanted_and_that_are_ready() -> None:
    sandbox = Sandbox()
    sandbox.load(rps=360)
    begun(sandbox, 3)
    sandbox.clock.pass_by(6)
    answer = sandbox.call("GET", f"{ONE}/health").json
    assert answer is not None
    (component,) = answer["app_health"]["components"]
    assert component["cpu_usage_percent"] == 90
    assert (component["replicas_desired"], component["replicas_ready"]) == (3, 2)


def test_a_restart_deploys_the_same_spec_and_names_no_unknown_component() -> None:
    sandbox = Sandbox()
    answer = sandbox.call("POST", f"{ONE}/restart", {"components": ["api"]})
    assert answer.status_code == 200
    assert (answer.json or {})["deployment"]["phase"] == "PENDING_BUILD"
    assert sandbox.call("POST", f"{ONE}/restart", {"components": ["web"]}).status_code == 400


def test_with_autoscaling_the_instances_follow_the_load_within_the_bounds() -> None:
    sandbox = Sandbox(action_seconds=0.0)
    spec = sandbox.spec()
    del spec["services"][0]["instance_count"]
    spec["services"][0]["instance_size_slug"] = "professional-1l"
    spec["services"][0]["autoscaling"] = {
        "min_instance_count": 2,
        "max_instance_count": 4,
        "metrics": {"cpu": {"percent": 70}},
    }
    assert sandbox.put(spec).status_code == 200
    counts = []
    for rps in (100, 400, 2000):
        sandbox.load(rps=rps)
        counts.append(sandbox.api()["instances"])
    assert counts == [2, 3, 4]


def test_deployments_are_listed_in_pages_that_link_to_each_other() -> None:
    sandbox = Sandbox(action_seconds=0.0)
    for count in (3, 4):
        begun(sandbox, count)
    answer = sandbox.call("GET", f"{ONE}/deployments?per_page=2").json
    assert answer is not None
    assert [len(answer["deployments"]), answer["meta"]["total"]] == [2, 3]
    assert answer["links"]["pages"]["next"].endswith("/deployments?page=2&per_page=2")
    last = sandbox.call("GET", f"{ONE}/deployments?per_page=2&page=2").json
    assert last is not None
    assert len(last["deployments"]) == 1
    assert set(last["links"]["pages"]) == {"first", "prev"}


@pytest.mark.parametrize(
    "path", ["/apps/app-other", f"/apps/{APP}/deployments/none", "/droplets/7", "/nothing"]
)
def test_what_is_not_there_is_answered_with_the_vendors_404(path: str) -> None:
    answer = Sandbox().call("GET", f"/digitalocean/v2{path}")
    assert answer.status_code == 404
    assert (answer.json or {})["id"] == "not_found"


def test_extra_apps_are_idle_copies_for_load_tests() -> None:
    sandbox = Sandbox()
    assert sandbox.call("POST", "/_sandbox/reset", {"extra_apps": 200}).status_code == 200
    apps = sandbox.state()["apps"]
    assert len(apps) == 201
    assert apps["app-bench-199"]["components"]["api"]["instances"] == 2
    names = {
        app["spec"]["name"]
        for page in (1, 2)
        for app in (
            sandbox.call("GET", f"/digitalocean/v2/apps?per_page=200&page={page}").json or {}
        )["apps"]
    }
    assert len(names) == 201


def rolled_back(sandbox: Sandbox) -> Any:
    """The answer to a rollback from 3 instances to the first deployment, which had 2."""
    first = read(sandbox.call("GET", ONE))["app"]["active_deployment"]["id"]
    begun(sandbox, 3)
    sandbox.clock.pass_by(10)
    return read(sandbox.call("POST", f"{ONE}/rollback", {"deployment_id": first}))


def read(answer: TestResponse) -> Any:
    assert answer.status_code == 200
    return answer.json


def count_in(spec: Any) -> int:
    return int(spec["services"][0]["instance_count"])


def test_an_app_that_was_rolled_back_takes_no_deployment_until_that_is_reverted() -> None:
    sandbox = Sandbox()
    fresh = rolled_back(sandbox)["deployment"]["id"]
    app = read(sandbox.call("GET", ONE))["app"]
    assert app["pinned_deployment"]["id"] == fresh
    assert sandbox.call("PUT", ONE, {"spec": app["spec"]}).status_code == 400
    assert sandbox.call("POST", f"{ONE}/deployments", {}).status_code == 400
    reverted = read(sandbox.call("POST", f"{ONE}/rollback/revert"))
    assert count_in(reverted["deployment"]["spec"]) == 3
    assert "pinned_deployment" not in read(sandbox.call("GET", ONE))["app"]
    assert sandbox.call("POST", f"{ONE}/rollback/commit").status_code == 400


def test_a_committed_rollback_stays_and_the_app_takes_deployments_again() -> None:
    sandbox = Sandbox()
    rolled_back(sandbox)
    assert sandbox.call("POST", f"{ONE}/rollback/commit").status_code == 200
    assert count_in(read(sandbox.call("GET", ONE))["app"]["spec"]) == 2
    assert sandbox.call("POST", f"{ONE}/deployments", {}).status_code == 200
