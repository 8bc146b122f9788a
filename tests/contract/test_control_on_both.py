"""The operator API as the product builds it, on SQLite and on PostgreSQL, with the real queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.bootstrap.web import build_web
from service.domain.decisions.approval import Approval
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.planning import Plan
from service.ports.runs import Outcome
from service.settings import load_settings
from service.store import schema
from service.store.approvals import ApprovalStore
from service.web.app import create_app
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS

TOKENS = "olga:operator:test-olga,paul:approver:test-paul,ada:admin:test-ada,vera:viewer:test-vera"
WHY = {"why": "the vendor is down"}
CONTROL = {"target": "api", "for": "30m", **WHY}
RUN = {"action": "horizontal_scale", "target": "api", "to": {"replicas": 5}, **WHY}
PLAN = Plan(
    "replicas",
    "2",
    "5",
    ("update_app",),
    {"after": {"instance_count": 5}, "planned_from": {"instance_count": 2}},
    24.0,
    60.0,
)


class Service:
    """A web process on one of the databases, and people who ask it by name."""

    def __init__(self, url: str) -> None:
        settings = load_settings(
            {
                **SANDBOX_IDS,
                "DATABASE_URL": url,
                "RULES": str(ROOT / "rules" / "quizmentor.yml"),
                "ALERTMANAGER_TOKENS": "test-sender-not-real",
                "API_TOKENS": TOKENS,
            }
        )
        self.stores = Stores(settings)
        self.web = build_web(settings)
        self._client = create_app(self.web).test_client()

    def ask(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self.sent(f"test-{who}", method, path, body)

    def sent(self, secret: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = self._client.open(
            f"/api/v1{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {secret}"},
        )
        return response.status_code, response.json

    def raw(self, path: str, body: str) -> tuple[int, Any]:
        """A body as it is, from ada."""
        headers = {"Authorization": "Bearer test-ada"}
        response = self._client.post(f"/api/v1{path}", data=body, headers=headers)
        return response.status_code, response.json

    def post(self, who: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self.ask(who, "POST", path, body)

    def audited(self) -> list[tuple[str, str, str]]:
        """Who did what to what, the first deed first."""
        _, found = self.ask("ada", "GET", "/audit")
        return [(each["who"], each["verb"], each["subject"]) for each in found["items"]][::-1]

    def ended(self, status: str, plan: Plan = PLAN) -> str:
        """The id of a run of olga's that has ended so."""
        status_code, made = self.post("olga", "/runs", RUN)
        assert status_code == 201, made
        run: str = made["id"]
        self.stores.runs.set_plan(run, plan)
        self.stores.runs.conclude(run, Outcome(status, "x", 0.0), BUSY_UNTIL)
        return run

    def queued(self, run: str) -> bool:
        """Whether the engine has it on its queue."""
        with self.stores.engine.connect() as connection:
            table = "workflow_status"
            schema = "" if connection.dialect.name == "sqlite" else "dbos."
            found = connection.exec_driver_sql(
                f"SELECT count(*) FROM {schema}{table} WHERE workflow_uuid = '{run}'"  # noqa: S608 - the test's own
            )
            return bool(found.scalar_one())

    def close(self) -> None:
        self.stores.engine.dispose()
        self.web.audit._engine.dispose()


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    made = Service(database_url)
    yield made
    made.close()


@pytest.mark.parametrize("plural", ["pauses", "locks", "holds"])
def test_a_pause_a_lock_and_a_hold_are_put_listed_and_ended(service: Service, plural: str) -> None:
    status, made = service.post("olga", f"/{plural}", CONTROL)
    assert (status, made["target"], made["by"]) == (201, "api", "olga")
    until, since = (datetime.fromisoformat(made[each]) for each in ("until", "since"))
    assert until - since == timedelta(minutes=30)
    assert abs(since - datetime.now(UTC)) < timedelta(minutes=1)
    listed = [each["id"] for each in service.ask("vera", "GET", f"/{plural}")[1]["items"]]
    assert listed == [made["id"]]
    assert service.ask("olga", "DELETE", f"/{plural}/{made['id']}")[0] == 200
    assert service.ask("vera", "GET", f"/{plural}")[1]["items"] == []
    kind = made["kind"]
    assert service.audited() == [("olga", kind, "api"), ("olga", f"end {kind}", "api")]


@pytest.mark.parametrize(
    ("plural", "verb"), [("pauses", "resume"), ("locks", "unlock"), ("holds", "release")]
)
def test_each_of_them_is_ended_by_its_verb_on_the_target(
    service: Service, plural: str, verb: str
) -> None:
    _, made = service.post("olga", f"/{plural}", CONTROL)
    status, said = service.post("olga", f"/targets/api/{verb}", WHY)
    assert (status, [each["id"] for each in said["ended"]]) == (200, [made["id"]])
    assert service.audited()[-1] == ("olga", verb, "api")
    assert service.post("olga", f"/targets/api/{verb}", WHY)[0] == 404


def test_runs_of_people_are_numbered_and_queued(service: Service) -> None:
    ids = []
    for replicas in (4, 5):
        status, made = service.post("olga", "/runs", {**RUN, "to": {"replicas": replicas}})
        assert status == 201, made
        ids.append(made["id"])
    assert ids == ["api.person.1", "api.person.2"]
    assert all(map(service.queued, ids))


def test_a_plan_is_queued_and_changes_nothing(service: Service) -> None:
    status, made = service.post("vera", "/runs", {**RUN, "plan": True})
    assert (status, made["id"]) == (201, "api.plan.1")
    stored = service.stores.runs.get("api.plan.1")
    assert stored is not None
    assert stored.request.policy.mode == "shadow"
    assert service.queued("api.plan.1")


def test_a_run_is_cancelled(service: Service) -> None:
    _, made = service.post("olga", "/runs", RUN)
    status, said = service.post("olga", f"/runs/{made['id']}/cancel", {"why": "wrong"})
    assert (status, said["cancel"]) == (202, "asked")
    assert service.stores.runs.cancelled(made["id"]) == "olga has cancelled it: wrong"


def test_a_run_that_failed_is_retried(service: Service) -> None:
    run = service.ended("failed")
    status, made = service.post("olga", f"/runs/{run}/retry", WHY)
    assert (status, made["id"]) == (201, "api.person.2"), made
    assert made["wanted"] == [{"attribute": "replicas", "to": 5}]
    assert service.queued(made["id"])


def test_a_run_that_succeeded_is_undone_and_its_target_paused(service: Service) -> None:
    run = service.ended("succeeded")
    status, made = service.post("olga", f"/runs/{run}/undo", WHY)
    assert (status, made["id"]) == (201, "api.person.2"), made
    assert made["wanted"] == [{"attribute": "replicas", "to": 2}]
    assert service.queued(made["id"])
    (pause,) = service.ask("vera", "GET", "/pauses")[1]["items"]
    assert pause["id"] == made["pause"]["id"]


@pytest.mark.parametrize(
    ("verb", "state", "following"),
    [("approve", "approved", "api.person.2"), ("reject", "rejected", None)],
)
def test_what_waits_is_approved_or_rejected(
    service: Service, verb: str, state: str, following: str | None
) -> None:
    _, made = service.post("olga", "/runs", RUN)
    stored = service.stores.runs.get(made["id"])
    assert stored is not None
    store = ApprovalStore(service.stores.engine, service.stores.queue.enqueue, service.stores.bell)
    approval = store.ask(stored.request, PLAN, "it is dear", Approval(), time.time())
    (item,) = service.ask("vera", "GET", "/approvals")[1]["items"]
    assert (item["id"], item["state"]) == (approval, "waiting")
    status, said = service.post("paul", f"/approvals/{approval}/{verb}", {"why": "read it"})
    assert (status, said["state"], said["next_run"]) == (200, state, following), said
    assert service.audited()[-1] == ("paul", state, approval)
    assert following is None or service.queued(following)


def test_a_rule_that_has_demoted_itself_is_promoted_by_an_approver_alone(service: Service) -> None:
    row = {"id": "m-1", "rule": "high-cpu", "mode": "approve", "since": 1.0, "why": "few helped"}
    with service.stores.engine.begin() as connection:
        connection.execute(sa.insert(schema.demotions), row)
    (told,) = service.ask("vera", "GET", "/status")[1]["demotions"]
    assert (told["rule"], told["mode"], told["why"]) == ("high-cpu", "approve", "few helped")
    rules = {each["name"]: each for each in service.ask("vera", "GET", "/rules")[1]["items"]}
    assert (rules["high-cpu"]["mode"], rules["high-cpu"]["in_force"]) == ("act", "approve")
    assert rules["high-cpu"]["demotion"] == told
    path = "/rules/high-cpu/promote"
    assert service.post("olga", path, WHY)[0] == 403
    for who, of, body, said in (
        ("paul", path, {}, "why: say in a few words why"),
        ("paul", path, {"why": " "}, "why: say in a few words why"),
        ("paul", "/rules/high-cpo/promote", WHY, "There is no rule 'high-cpo'. There is high-cpu,"),
        ("ada", "/rules/high-memory/promote", WHY, "Rule high-memory has not demoted itself"),
    ):
        status, answered = service.post(who, of, body)
        assert (status, said in answered["error"]) == (422, True), answered
    assert len(service.ask("vera", "GET", "/status")[1]["demotions"]) == 1
    status, made = service.post("paul", path, WHY)
    assert (status, made) == (200, {"rule": "high-cpu", "ended": told})
    assert service.ask("vera", "GET", "/status")[1]["demotions"] == []
    assert service.audited()[-1] == ("paul", "promote", "high-cpu")
    with service.stores.engine.connect() as connection:
        ended = connection.execute(sa.select(schema.demotions.c.ended_by)).scalars().all()
    assert ended == ["paul"]
    assert service.post("paul", path, WHY)[0] == 422


def test_a_token_is_made_works_and_is_ended(service: Service) -> None:
    body = {"name": "eve", "roles": ["operator"], "groups": ["devops"], "for": "1h"}
    status, made = service.post("ada", "/tokens", body)
    assert status == 201, made
    who = {"name": "eve", "roles": ["operator"], "groups": ["devops"]}
    assert service.sent(made["secret"], "GET", "/me")[1] == who
    assert service.sent(made["secret"], "POST", "/pauses", CONTROL)[0] == 201
    assert [each["name"] for each in service.ask("ada", "GET", "/tokens")[1]["items"]] == ["eve"]
    assert service.ask("ada", "DELETE", "/tokens/eve")[0] == 200
    verbs = [("ada", "token new", "eve"), ("eve", "pause", "api"), ("ada", "token revoke", "eve")]
    assert service.audited() == verbs


# ---- What cannot be stored ----

NUL = "%00"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/alerts/a{NUL}"),
        ("GET", f"/alerts/a{NUL}/explain"),
        ("GET", f"/runs/api.out.1{NUL}"),
        ("DELETE", f"/pauses/p{NUL}"),
        ("DELETE", f"/tokens/e{NUL}"),
        ("POST", f"/targets/api{NUL}/resume"),
        ("POST", f"/runs/api.out.1{NUL}/cancel"),
        ("POST", f"/runs/api.out.1{NUL}/retry"),
        ("POST", f"/runs/api.out.1{NUL}/undo"),
        ("POST", f"/approvals/q{NUL}/approve"),
    ],
)
def test_nothing_is_at_a_path_with_a_nul(service: Service, method: str, path: str) -> None:
    status, said = service.ask("ada", method, path, WHY if method == "POST" else None)
    assert (status, said["error"].startswith("There is nothing at '/api/v1/")) == (404, True)
    assert service.audited() == []


@pytest.mark.parametrize(
    "query",
    [
        f"/alerts?name={NUL}",
        f"/alerts?after=a{NUL}",
        f"/runs?target={NUL}",
        f"/decisions?run={NUL}",
        f"/explain?of={NUL}",
        f"/status?target={NUL}",
        f"/audit?who={NUL}",
        f"/audit?subject={NUL}",
    ],
)
def test_nothing_is_found_by_a_nul(service: Service, query: str) -> None:
    status, said = service.ask("ada", "GET", query)
    assert (status, "holds a NUL character" in said["error"]) == (422, True), said


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/pauses", {**CONTROL, "why": "a\0b"}, "why"),
        ("/pauses", {**CONTROL, "target": "api\0"}, "target"),
        ("/runs", {**RUN, "to": {"replicas": "5\0"}}, "to"),
        ("/runs", {**RUN, "to": {"replicas\0": 5}}, "to"),
        ("/runs", {**RUN, "override": "x\0"}, "override"),
        ("/tokens", {"name": "eve", "roles": ["viewer"], "groups": ["a\0"]}, "groups"),
        ("/targets/api/resume", {"why": "\0"}, "why"),
    ],
)
def test_a_nul_in_a_body_is_told_and_changes_nothing(
    service: Service, path: str, body: dict[str, Any], field: str
) -> None:
    status, said = service.post("ada", path, body)
    assert (status, said["error"]) == (
        422,
        f"{field}: it holds a NUL character, which cannot be stored.",
    )
    assert service.audited() == []


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff\\ud800"])
def test_half_a_character_in_a_body_is_told_and_changes_nothing(
    service: Service, text: str
) -> None:
    response = service.raw("/pauses", f'{{"target": "api", "for": "1h", "why": "{text}"}}')
    assert response[0] == 422, response
    assert service.audited() == []


def test_who_was_refused_is_kept(service: Service) -> None:
    assert service.sent("guessed", "POST", f"/pauses{NUL}", CONTROL)[0] == 404
    assert service.sent("guessed", "POST", "/pauses", CONTROL)[0] == 401
    assert service.post("vera", "/pauses", CONTROL)[0] == 403
    assert service.sent("guessed", "DELETE", f"/tokens/{NUL}")[0] == 401
    assert service.audited() == [
        ("(unknown)", "POST", "/api/v1/pauses"),
        ("vera", "POST", "/api/v1/pauses"),
        ("(unknown)", "DELETE", "/api/v1/tokens/\\u0000"),
    ]


def test_the_reasons_of_people_are_kept(service: Service) -> None:
    verbs = {"pauses": "resume", "locks": "unlock", "holds": "release"}
    for plural, verb in verbs.items():
        service.post("olga", f"/{plural}", CONTROL)
        assert service.post("olga", f"/targets/api/{verb}", {"why": f"to {verb}"})[0] == 200
    _, pause = service.post("olga", "/pauses", CONTROL)
    service.ask("olga", "DELETE", f"/pauses/{pause['id']}", {"why": "to end it"})
    service.post("olga", "/runs", {**RUN, "override": "the exam is now"})
    found = service.ask("ada", "GET", "/audit?who=olga&subject=api")[1]["items"]
    assert {each["verb"]: each["why"] for each in found if each["verb"] != "pause"} == {
        "lock": WHY["why"],
        "hold": WHY["why"],
        "resume": "to resume",
        "unlock": "to unlock",
        "release": "to release",
        "end pause": "to end it",
        "run": WHY["why"],
    }
    (run,) = [each for each in found if each["verb"] == "run"]
    assert run["what"]["override"] == "the exam is now"


def test_the_audit_is_found_by_who_and_by_what_it_is_about(service: Service) -> None:
    service.post("olga", "/pauses", CONTROL)
    service.post("ada", "/pauses", {**CONTROL, "target": "database"})
    service.post("ada", "/pauses", CONTROL)

    def found(query: str) -> list[tuple[str, str]]:
        items = service.ask("ada", "GET", f"/audit?{query}")[1]["items"]
        return [(each["who"], each["subject"]) for each in items]

    assert found("who=olga") == [("olga", "api")]
    assert found("subject=api") == [("ada", "api"), ("olga", "api")]
    assert found("who=ada&subject=database") == [("ada", "database")]
    assert found("who=nobody") == []
    assert service.ask("ada", "GET", "/audit?whom=olga")[0] == 422
