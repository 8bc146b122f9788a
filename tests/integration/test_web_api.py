"""The read API and the probes, over what real notifications left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from service.domain.errors import StoreUnavailable
from service.store import schema
from service.web.app import create_app
from tests.fakes.web import Stand, make_stand, sqlite_url
from tests.integration.payloads import alert, named, notification, unified

AM = "/webhooks/alertmanager"


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return make_stand(sqlite_url(tmp_path))


@pytest.fixture
def client(stand: Stand) -> FlaskClient:
    client = create_app(stand).test_client()
    client.post(AM, json=notification(alert("01"), alert("02"), named("Disk Full", "03")))
    client.post(AM, json=notification(alert("01")))
    client.post(AM, json=notification(alert("02", status="resolved")))
    client.post("/webhooks/grafana", json=unified())
    return client


def items(client: FlaskClient, path: str) -> list[dict[str, object]]:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.text
    found: list[dict[str, object]] = response.get_json()["items"]
    return found


def pages(client: FlaskClient, path: str) -> Iterator[list[dict[str, object]]]:
    after = ""
    while True:
        page = client.get(f"/api/v1/{path}{after}").get_json()
        yield page["items"]
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


def test_alerts_come_newest_first_with_what_is_known_of_them(client: FlaskClient) -> None:
    found = items(client, "alerts")
    assert [each["fingerprint"] for each in found] == ["00000000000000b1", "03", "02", "01"]
    oldest = found[-1]
    assert oldest["status"] == "firing"
    assert oldest["times_seen"] == 2
    assert oldest["labels"] == {"alertname": "High CPU Usage", "instance": "api-1"}
    assert str(oldest["first_seen"]).endswith("Z")


@pytest.mark.parametrize(
    ("filters", "fingerprints"),
    [
        ("name=Disk+Full", ["03"]),
        ("source=grafana", ["00000000000000b1"]),
        ("status=resolved", ["02"]),
        ("status=firing", ["00000000000000b1", "03", "01"]),
        ("status=resolved&name=High+CPU+Usage", ["02"]),
        ("since=2020-01-01T00:00:00Z&source=alertmanager", ["03", "02", "01"]),
        ("since=2200-01-01T00:00:00Z", []),
        ("until=2020-01-01T00:00:00Z", []),
        ("name=no+such+name", []),
    ],
)
def test_alerts_can_be_filtered(client: FlaskClient, filters: str, fingerprints: list[str]) -> None:
    assert [each["fingerprint"] for each in items(client, f"alerts?{filters}")] == fingerprints


@pytest.mark.parametrize("what", ["alerts", "decisions", "runs"])
def test_pages_follow_one_another_without_gap_or_overlap(client: FlaskClient, what: str) -> None:
    whole = [each["id"] for each in items(client, what)]
    paged = [each["id"] for page in pages(client, f"{what}?limit=1") for each in page]
    assert paged == whole
    assert len(whole) == len(set(whole)) > 1


def test_one_alert_can_be_read(client: FlaskClient) -> None:
    (found,) = items(client, "alerts?name=Disk+Full")
    assert client.get(f"/api/v1/alerts/{found['id']}").get_json() == found


def test_explain_tells_all_that_is_stored_of_an_alert(client: FlaskClient) -> None:
    oldest = items(client, "alerts?status=firing")[-1]
    told = client.get(f"/api/v1/alerts/{oldest['id']}/explain").get_json()
    assert told["alert"] == oldest
    assert [each["verdict"] for each in told["decisions"]] == ["act", "hold"]
    assert told["decisions"][1]["checks"][-1] == {
        "guard": "in_progress",
        "passed": False,
        "saw": "run api.out.1 is under way on api.out",
    }
    assert [each["id"] for each in told["runs"]] == ["api.out.1"]
    assert [each["alerts"] for each in told["notifications"]] == [3, 1]
    assert told["notifications"][0]["receiver"] == "runbookd"


def test_decisions_can_be_filtered(client: FlaskClient) -> None:
    acts = items(client, "decisions?verdict=act")
    assert {each["rule"] for each in acts} == {"high-cpu", "unmatched"}
    assert [each["run"] for each in items(client, "decisions?verdict=act&rule=high-cpu")] == [
        "api.out.1"
    ]
    assert len(items(client, "decisions?run=api.out.1")) == 1
    assert {each["verdict"] for each in items(client, "decisions?verdict=hold&target=api")} == {
        "hold"
    }
    assert items(client, f"decisions?alert={acts[0]['alert']}")[0] == acts[0]
    assert items(client, "decisions?verdict=reject") == []


def test_a_run_is_read_with_its_steps_and_decisions(client: FlaskClient, stand: Stand) -> None:
    with stand.engine.begin() as connection:
        for position, name in enumerate(["announce", "update"]):
            connection.execute(
                schema.run_steps.insert(),
                {
                    "run": "api.out.1",
                    "position": position,
                    "name": name,
                    "attempt": 1,
                    "status": "done",
                    "started_at": 1767268800.0 + position,
                    "ended_at": 1767268800.5 + position,
                    "detail": '{"saw":"fine"}',
                },
            )
    run = client.get("/api/v1/runs/api.out.1").get_json()
    assert (run["status"], run["target"], run["action"]) == ("queued", "api", "horizontal_scale")
    assert [each["name"] for each in run["steps"]] == ["announce", "update"]
    assert run["steps"][0]["started_at"] == "2026-01-01T12:00:00Z"
    assert run["steps"][0]["ended_at"] == "2026-01-01T12:00:00.500000Z"
    assert [each["verdict"] for each in run["decisions"]] == ["act"]


def test_a_run_may_have_a_slash_in_its_id(client: FlaskClient, stand: Stand) -> None:
    with stand.engine.begin() as connection:
        connection.execute(
            schema.runs.update().values(id="runbookd/x/1").where(schema.runs.c.id == "api.out.1")
        )
    assert client.get("/api/v1/runs/runbookd/x/1").get_json()["id"] == "runbookd/x/1"


def test_runs_can_be_filtered(client: FlaskClient) -> None:
    assert [each["id"] for each in items(client, "runs?target=api")] == ["api.out.1"]
    assert len(items(client, "runs?action=investigate")) == 1
    assert len(items(client, "runs?status=queued")) == 2
    assert items(client, "runs?status=succeeded") == []


def test_the_status_tells_each_target_of_the_rules(client: FlaskClient) -> None:
    told = client.get("/api/v1/status").get_json()
    assert (told["workers"], told["queue"]["queued"]) == (0, 2)
    assert list(told["targets"]) == ["api"]
    api = told["targets"]["api"]
    assert [run["id"] for run in api["under_way"]] == ["api.out.1"]
    named = sorted(each["source"] for each in api["open_episodes"]["items"])
    assert named == ["alertmanager", "grafana"]
    assert client.get("/api/v1/status?target=api").get_json()["targets"].keys() == {"api"}


def test_a_target_that_the_rules_do_not_have_is_refused_with_those_there_are(
    client: FlaskClient,
) -> None:
    refused = client.get("/api/v1/status?target=apy")
    assert refused.get_json() == {"error": "target must be one of api."}


def test_the_levels_of_a_moment_are_told_with_the_hash_of_their_rules(client: FlaskClient) -> None:
    told = client.get("/api/v1/levels?at=2026-03-02T00:00:00Z&days=2").get_json()
    assert (told["at"], told["days"], told["items"]) == ("2026-03-02T00:00:00+00:00", 2, [])
    assert told["rules_hash"] == client.get("/api/v1/rules").get_json()["hash"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("days=0", "days"),
        ("days=401", "days=401 cannot be shown; ask for 1 to 400 days."),
        ("days=x", "days"),
        ("at=noon", "at must be a time as ISO 8601"),
        ("at=1e300", "at "),
        ("at=1", "at is outside the years 2000 to 2100"),
        ("until=1", "'until' is no parameter here; there are at, days."),
    ],
)
def test_levels_of_a_moment_that_cannot_be_shown_are_refused_with_a_sentence(
    client: FlaskClient, asked: str, said: str
) -> None:
    refused = client.get(f"/api/v1/levels?{asked}")
    assert refused.status_code == 422
    assert said in refused.get_json()["error"]


@pytest.mark.parametrize("of", ["alert", "decision", "run", "name"])
def test_anything_is_explained_by_what_it_is_called(client: FlaskClient, of: str) -> None:
    (decision,) = items(client, "decisions?verdict=act&rule=high-cpu")
    called = {
        "alert": decision["alert"],
        "decision": decision["id"],
        "run": "api.out.1",
        "name": "High CPU Usage",
    }[of]
    told = client.get("/api/v1/explain", query_string={"of": called}).get_json()
    assert told["alert"]["name"] == "High CPU Usage"
    assert (told["run"] or {}).get("id") == ("api.out.1" if of == "run" else None)
    assert told["rules"]["hash"] == "0123456789ab"
    (rule,) = [each for each in told["rules"]["consulted"] if each["matched"]]
    assert rule["rule"] == "high-cpu"
    assert rule["matchers"][0]["saw"] == "High CPU Usage"


def test_the_last_alert_is_explained_without_a_name(client: FlaskClient) -> None:
    told = client.get("/api/v1/explain?last=true").get_json()
    assert told["alert"]["id"] == items(client, "alerts?limit=1")[0]["id"]


def test_a_run_that_no_alert_asked_for_is_explained_by_itself(
    client: FlaskClient, stand: Stand
) -> None:
    with stand.engine.begin() as connection:
        ask = '{"version": 3, "origin": {"why": "a person asked", "alerts": []}}'
        connection.execute(
            schema.runs.update().values(ask=ask).where(schema.runs.c.id == "api.out.1")
        )
    told = client.get("/api/v1/explain?of=api.out.1").get_json()
    assert (told["alert"], told["rules"], told["notifications"]) == (None, None, [])
    assert [run["why"] for run in (told["run"], *told["runs"])] == ["a person asked"] * 2


def test_nothing_to_explain_yet_is_404_in_a_sentence(stand: Stand) -> None:
    response = create_app(stand).test_client().get("/api/v1/explain?last=true")
    assert (response.status_code, response.get_json()) == (
        404,
        {"error": "There is no alert yet."},
    )


def test_the_quarantine_can_be_read(client: FlaskClient) -> None:
    client.post(AM, json=notification(alert(status="exploded"), alert("09")))
    (found,) = items(client, "quarantine")
    assert found["index"] == 0
    assert "exploded" in str(found["raw"])
    assert "neither firing nor resolved" in str(found["reason"])


@pytest.mark.parametrize(
    "path",
    [
        "alerts/a-0",
        "alerts/a-0/explain",
        "runs/no.such.1",
        "nothing",
        "explain?of=d-0",
        "explain?of=x",
    ],
)
def test_what_is_not_there_is_404_in_a_sentence(client: FlaskClient, path: str) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 404
    assert response.get_json()["error"].startswith("There is no")


@pytest.mark.parametrize(
    "path",
    [
        "alerts?limit=201",
        "alerts?status=open",
        "alerts?since=soon",
        "alerts?nam=x",
        "decisions?verdict=maybe",
        "runs?after=no.such.1",
        "runs?status=bogus",
        "alerts?after=zzz",
        f"alerts?after=d-{1:024x}",
        "decisions?after=a-",
        f"quarantine?after=n-{1:024x}.",
        "runs?action=explode",
        "quarantine?name=x",
        "alerts?name=%00",
        "alerts?source=nagios",
        "status?target=apy",
        "status?targets=api",
        "explain",
        "explain?of=api.out.1&last=true",
        "explain?name=x",
        "explain?of=%00",
    ],
)
def test_a_bad_filter_is_422_in_a_sentence(client: FlaskClient, path: str) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 422
    assert response.get_json()["error"].endswith(".")


def test_nothing_can_be_changed(client: FlaskClient) -> None:
    response = client.post("/api/v1/alerts")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert response.get_json()["error"].startswith("POST is not possible at '/api/v1/alerts'.")


def test_the_api_asks_for_its_token_when_it_has_one(tmp_path: Path) -> None:
    stand = make_stand(sqlite_url(tmp_path), API_TOKENS="test-api-token")
    client = create_app(stand).test_client()
    assert client.get("/api/v1/alerts").status_code == 401
    let_in = client.get("/api/v1/alerts", headers={"Authorization": "Bearer test-api-token"})
    assert let_in.status_code == 200
    assert client.get("/healthz").status_code == 200


def test_metrics_request_for_the_apis_token(tmp_path: Path) -> None:
    stand = make_stand(sqlite_url(tmp_path), API_TOKENS="test-api-token")
    client = create_app(stand).test_client()
    assert client.get("/metrics").status_code == 401
    let_in = client.get("/metrics", headers={"Authorization": "Bearer test-api-token"})
    assert "runbookd_notifications_total" in let_in.text


def test_readyz_is_open_and_tells_why_it_is_not_ready_only_to_whom_has_the_token(
    tmp_path: Path,
) -> None:
    def away() -> None:
        raise StoreUnavailable("the database cannot be used now (server db.internal is away)")

    stand = make_stand(sqlite_url(tmp_path), API_TOKENS="test-api-token")
    client = create_app(replace(stand, prove_write=away)).test_client()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "db.internal" not in response.text
    told = client.get("/readyz", headers={"Authorization": "Bearer test-api-token"})
    assert "db.internal" in told.get_json()["store"]


def test_the_api_is_503_while_the_store_is_down(client: FlaskClient, stand: Stand) -> None:
    with stand.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE decisions")
    response = client.get("/api/v1/decisions")
    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_a_mistake_of_ours_is_500_without_a_stack_trace(stand: Stand) -> None:
    app = create_app(stand)

    def broken() -> str:
        return str(1 // 0)

    app.add_url_rule("/broken", view_func=broken)
    response = app.test_client().get("/broken")
    assert response.status_code == 500
    assert response.get_json()["error"].startswith("Something unexpected")


def test_ready_means_that_alerts_can_be_kept(client: FlaskClient, stand: Stand) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json() == {
        "ready": True,
        "store": "ok",
        "redis": "not configured: decisions are made on SQL alone",
        "workers": 0,
    }
    with stand.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "no such table" in response.get_json()["store"]
    assert client.get("/healthz").status_code == 200


def test_a_locked_store_is_not_ready(stand: Stand) -> None:
    def locked() -> None:
        raise StoreUnavailable("the database cannot be used now (database is locked)")

    response = create_app(replace(stand, prove_write=locked)).test_client().get("/readyz")
    assert response.status_code == 503
    assert response.get_json()["ready"] is False


@pytest.mark.parametrize("answers", [True, False, None])
def test_redis_is_reported_beside_and_never_makes_unready(
    tmp_path: Path, answers: bool | None
) -> None:
    def ping() -> bool:
        if answers is None:
            raise ConnectionError("refused")
        return answers

    stand = make_stand(sqlite_url(tmp_path), REDIS_URL="redis://127.0.0.1:1")
    response = create_app(replace(stand, redis_ping=ping)).test_client().get("/readyz")
    assert response.status_code == 200
    assert response.get_json()["redis"].startswith("ok" if answers else "does not answer")


def test_metrics_are_in_the_text_format(client: FlaskClient) -> None:
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=0.0.4")
    assert 'runbookd_alerts_total{source="alertmanager",status="firing"}' in response.text
    assert "runbookd_admission_batch_notifications_bucket" in response.text
    assert "runbookd_admission_commit_seconds_count" in response.text


BAD = alert("0000000000000bad", labels={"code": 5})


def with_secrets(tmp_path: Path, **environment: str) -> FlaskClient:
    given = {"OPEN_WEBHOOKS": "false", "ALERTMANAGER_TOKENS": "prod:test-secret-one", **environment}
    client = create_app(make_stand(sqlite_url(tmp_path), **given)).test_client()
    sender = {"Authorization": "Bearer test-secret-one"}
    assert client.post(AM, json=notification(alert("01"), BAD), headers=sender).status_code == 200
    return client


def everything(client: FlaskClient, **headers: str) -> str:
    """What the API tells of alerts, in each place in which it tells it."""
    told = [client.get(f"/api/v1/{path}", headers=headers) for path in ("alerts", "quarantine")]
    (first,) = told[0].get_json()["items"]
    one = f"/api/v1/alerts/{first['id']}"
    named = f"/api/v1/explain?of={first['id']}"
    told += [client.get(path, headers=headers) for path in (one, f"{one}/explain", named)]
    return "".join(each.text for each in told)


def test_without_a_token_the_api_shows_no_fingerprint(tmp_path: Path) -> None:
    told = everything(with_secrets(tmp_path))
    assert told.count('"fingerprint":null') == 4
    assert '"01"' not in told
    assert "0000000000000bad" not in told


def test_with_a_token_the_api_shows_them(tmp_path: Path) -> None:
    token = {"Authorization": "Bearer test-api-token"}
    told = everything(with_secrets(tmp_path, API_TOKENS="test-api-token"), **token)
    assert '"fingerprint":"01"' in told
    assert "0000000000000bad" in told


def test_in_open_mode_the_api_shows_them(client: FlaskClient) -> None:
    assert items(client, "alerts?name=Disk+Full")[0]["fingerprint"] == "03"


def test_alerts_and_notifications_say_who_sent_them(tmp_path: Path) -> None:
    client = with_secrets(tmp_path)
    (found,) = items(client, "alerts")
    assert (found["credential"], found["address"]) == ("prod", "127.0.0.1")
    told = client.get(f"/api/v1/alerts/{found['id']}/explain").get_json()
    assert [(each["credential"], each["address"]) for each in told["notifications"]] == [
        ("prod", "127.0.0.1")
    ]


def test_the_rules_tell_their_mode_and_what_became_of_their_changes(
    client: FlaskClient, stand: Stand
) -> None:
    with stand.engine.begin() as connection:
        row = {
            "target": "api",
            "direction": "out",
            "asked_at": 10.0,
            "ended_at": 70.0,
            "counts": False,
        }
        for run, result, cleared_at in (("a", "cleared", 110.0), ("b", "no_effect", None)):
            values = {**row, "run": run, "rule": "high-cpu", "due_at": 970.0, "result": result}
            connection.execute(sa.insert(schema.outcomes), {**values, "cleared_at": cleared_at})
    found = {each["name"]: each for each in items(client, "rules")}
    assert (found["high-cpu"]["mode"], found["high-cpu"]["target"]) == ("act", "api")
    assert found["high-cpu"]["outcomes"] == {
        "verified": 2,
        "pending": 0,
        "cleared": 1,
        "no_effect": 1,
        "recurred": 0,
        "time_to_mitigate_s": {"mean": 100.0, "longest": 100.0},
    }
    assert {each["outcomes"] for name, each in found.items() if name != "high-cpu"} == {None}
    assert [each["run"] for each in items(client, "outcomes?result=no_effect")] == ["b"]
    assert client.get("/api/v1/outcomes?result=good").status_code == 422
    assert client.get("/api/v1/rules?rule=high-cpu").status_code == 422
    assert client.get("/api/v1/outcomes?after=c").status_code == 422


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/status", "/metrics"])
@pytest.mark.parametrize(
    "environment", [{}, {"OPEN_WEBHOOKS": "false", "ALERTMANAGER_TOKENS": "test-sender-not-real"}]
)
def test_without_a_token_nothing_is_read_by_a_name_that_was_made_to_lead_here(
    tmp_path: Path, path: str, environment: dict[str, str]
) -> None:
    client = create_app(make_stand(sqlite_url(tmp_path), **environment)).test_client()
    for host in ("localhost", "127.0.0.1:8080", "[::1]:8080"):
        assert client.get(path, base_url=f"http://{host}").status_code == 200
    turned_away = client.get(path, base_url="http://rebound.example:8080")
    assert turned_away.status_code == 403
    assert "this request was for" in turned_away.get_json()["error"]
    assert "rebound.example:8080" in turned_away.get_json()["error"]


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/metrics"])
def test_with_a_token_everything_is_read_by_any_name(tmp_path: Path, path: str) -> None:
    stand = make_stand(sqlite_url(tmp_path), API_TOKENS="test-token-not-real")
    client = create_app(stand).test_client()
    shown = {"Authorization": "Bearer test-token-not-real"}
    answer = client.get(path, base_url="http://runbookd.example", headers=shown)
    assert answer.status_code == 200
