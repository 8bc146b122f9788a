"""The operator API on a real database: each verb, each role, and what it says of bad input."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.domain.decisions.approval import Approval
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision import Verdict
from service.domain.decisions.planning import Plan
from service.ports.runs import Outcome
from service.store.approvals import ApprovalStore
from service.store.bell import bell_of
from service.store.ledger import LedgerStore
from service.web.app import create_app
from tests.fakes.web import make_stand, rule_book, sqlite_url
from tests.operators import PAUSE, RUN, Operators


@pytest.fixture
def api(tmp_path: Path) -> Operators:
    return Operators(sqlite_url(tmp_path))


PURGE = {"action": "purge", "target": "cdn", "with": {"tags": ["news"]}, "why": "wrong answers"}


@pytest.fixture
def zoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operators:
    """The same, with a zone among the targets."""
    book = rule_book()
    zone = ZoneTarget("cdn", "5eed0000000000000000000000000c0d")
    with_zone = replace(book, targets={**book.targets, "cdn": zone})
    monkeypatch.setattr("tests.fakes.web.rule_book", lambda: with_zone)
    return Operators(sqlite_url(tmp_path))


def test_a_person_is_told_who_that_is(api: Operators) -> None:
    assert api.ask("olga", "GET", "/me")[1] == {
        "name": "olga",
        "roles": ["operator"],
        "groups": ["devops"],
    }


# ---- Pauses, locks, holds ----


def test_a_pause_is_answered_with_its_id_and_its_end(api: Operators) -> None:
    status, said = api.post("olga", "/pauses", PAUSE)
    assert status == 201
    since, until = (datetime.fromisoformat(said[each]) for each in ("since", "until"))
    assert (until - since).total_seconds() == pytest.approx(1_800, abs=1)
    assert (said["target"], said["by"], said["why"]) == ("api", "olga", "the vendor is down")
    assert said["going_on"] == []
    _, listed = api.ask("vera", "GET", "/pauses")
    assert [each["id"] for each in listed["items"]] == [said["id"]]


def test_a_pause_that_is_ended_is_over_at_once(api: Operators) -> None:
    _, made = api.post("olga", "/pauses", PAUSE)
    assert api.ask("oscar", "DELETE", f"/pauses/{made['id']}")[0] == 200
    assert api.ask("vera", "GET", "/pauses")[1]["items"] == []
    status, said = api.ask("oscar", "DELETE", f"/pauses/{made['id']}")
    assert (status, said["error"]) == (404, f"There is no pause '{made['id']}' in force.")


def test_a_pause_of_everything_has_no_target(api: Operators) -> None:
    status, said = api.post("olga", "/pauses", {"target": None, "for": "1h", "why": "exams"})
    assert (status, said["target"], said["rule"]) == (201, None, None)


def test_what_was_done_is_audited_with_who_why_and_from_where(api: Operators) -> None:
    _, made = api.post("olga", "/pauses", PAUSE)
    api.ask("oscar", "DELETE", f"/pauses/{made['id']}")
    ended, put = api.audit()
    assert (put["who"], put["verb"], put["subject"], put["why"]) == (
        "olga",
        "pause",
        "api",
        "the vendor is down",
    )
    assert (put["via"], put["address"], put["what"]["id"]) == ("api", "127.0.0.1", made["id"])
    assert (ended["who"], ended["verb"]) == ("oscar", "end pause")


def test_only_its_owner_or_an_admin_ends_a_lock(api: Operators) -> None:
    _, made = api.post("olga", "/locks", PAUSE)
    assert api.ask("oscar", "DELETE", f"/locks/{made['id']}")[0] == 403
    status, said = api.post("oscar", "/targets/api/release")
    assert (status, "olga has locked api" in said["error"]) == (403, True)
    assert api.ask("ada", "DELETE", f"/locks/{made['id']}")[0] == 200


def test_a_release_ends_holds_and_locks_of_the_target_alone(api: Operators) -> None:
    api.post("olga", "/holds", PAUSE)
    api.post("olga", "/locks", PAUSE)
    api.post("olga", "/pauses", PAUSE)
    status, said = api.post("olga", "/targets/api/release")
    assert (status, {each["kind"] for each in said["ended"]}) == (200, {"hold", "lock"})
    assert len(api.ask("vera", "GET", "/pauses")[1]["items"]) == 1


def test_other_installations_are_shown_a_lock_from_when_it_is_put_until_it_is_ended(
    api: Operators,
) -> None:
    shown = api.stand.locks.people
    _, first = api.post("olga", "/locks", PAUSE)
    assert [(key[0], each.by) for key, each in shown.items()] == [("do-app:app-1", "olga")]
    _, longer = api.post("oscar", "/locks", {**PAUSE, "for": "2h"})
    assert [each.id for each in shown.values()] == [longer["id"]]
    api.ask("oscar", "DELETE", f"/locks/{longer['id']}")
    assert [each.id for each in shown.values()] == [first["id"]]
    api.post("olga", "/targets/api/unlock")
    assert shown == {}
    api.post("olga", "/locks", PAUSE)
    api.post("olga", "/targets/api/release")
    assert shown == {}


def test_a_pause_and_a_hold_are_shown_to_no_other_installation(api: Operators) -> None:
    api.post("olga", "/pauses", PAUSE)
    api.post("olga", "/holds", PAUSE)
    assert api.stand.locks.people == {}


def test_a_lock_is_put_and_ended_although_redis_takes_nothing(api: Operators) -> None:
    api.stand.locks.away = True
    assert api.post("olga", "/locks", PAUSE)[0] == 201
    assert api.post("olga", "/targets/api/unlock")[0] == 200


BAD_CONTROLS = [
    ({"target": "apo", "for": "30m", "why": "x"}, "There is no target 'apo'. There is api."),
    ({"rule": "nothing", "for": "30m", "why": "x"}, "There is no rule 'nothing'."),
    ({"direction": "left", "for": "30m", "why": "x"}, "There is no direction 'left'."),
    ({"target": "api", "why": "x"}, "for is missing."),
    ({"target": "api", "for": "0", "why": "x"}, "everything has an end"),
    ({"target": "api", "for": "soon", "why": "x"}, "'soon' is not a duration"),
    ({"target": "api", "for": "31d", "why": "x"}, "longer than 30d"),
    ({"target": "api", "for": "30m", "why": "  "}, "say in a few words why"),
    ({"target": "api", "for": "30m"}, "why is missing."),
    ({"target": "api", "for": "30m", "why": "x", "until": 5}, "until is not known"),
    ({"target": 5, "for": "30m", "why": "x"}, "target: Input should be a valid string"),
    ([], "The body must be a JSON object"),
]


@pytest.mark.parametrize(
    ("body", "said"), BAD_CONTROLS, ids=[each[1][:40] for each in BAD_CONTROLS]
)
def test_a_bad_pause_is_one_clear_sentence_and_changes_nothing(
    api: Operators, body: Any, said: str
) -> None:
    status, answer = api.post("olga", "/pauses", body)
    assert status == 422
    assert said in answer["error"]
    assert api.ask("vera", "GET", "/pauses")[1]["items"] == []
    assert api.audit() == []


def test_a_lock_is_about_one_target(api: Operators) -> None:
    status, said = api.post("olga", "/locks", {"for": "30m", "why": "x"})
    assert (status, "a lock is about one target" in said["error"]) == (422, True)


# ---- Runs ----


def test_a_run_that_a_person_asks_for_is_queued_with_absolute_values(api: Operators) -> None:
    status, said = api.post("olga", "/runs", RUN)
    assert (status, said["id"]) == (201, "api.person.1")
    assert api.stand.enqueued == ["api.person.1"]
    stored = api.runs.get("api.person.1")
    assert stored is not None
    request = stored.request
    assert (request.origin.kind, request.origin.by, request.origin.why) == (
        "person",
        "olga",
        "a big exam",
    )
    assert [(each.attribute, each.to) for each in request.wanted] == [("replicas", 5)]
    assert (request.cooldown_s, request.settle_s) == (0.0, 0.0)


def test_two_requests_of_people_are_two_runs_that_hold_nobody(api: Operators) -> None:
    ids = [api.post("olga", "/runs", {**RUN, "to": {"replicas": n}})[1]["id"] for n in (4, 5)]
    assert ids == ["api.person.1", "api.person.2"]


def test_what_a_person_sets_is_held_for_half_a_day_or_as_long_as_said(api: Operators) -> None:
    def asked(**more: Any) -> tuple[float, bool]:
        _, said = api.post("olga", "/runs", {**RUN, **more})
        stored = api.runs.get(said["id"])
        assert stored is not None
        return stored.request.hold_s, stored.request.pin

    assert asked() == (43_200.0, False)
    assert asked(**{"for": "4h", "pin": True}) == (14_400.0, True)
    assert asked(plan=True) == (0.0, False), "a plan sets nothing"


def test_a_hold_may_be_pinned_and_a_pause_may_not(api: Operators) -> None:
    status, said = api.post("olga", "/holds", {**PAUSE, "pin": True})
    assert (status, said["pin"]) == (201, True)
    status, said = api.post("olga", "/pauses", {**PAUSE, "pin": True})
    assert (status, said["error"]) == (
        422,
        "pin: a pause bars adding anyway; only a hold can be pinned.",
    )


def test_a_step_may_go_down(api: Operators) -> None:
    body = {"action": "horizontal_scale", "target": "api", "step": -2, "why": "quiet"}
    _, said = api.post("olga", "/runs", body)
    stored = api.runs.get(said["id"])
    assert stored is not None
    assert (stored.request.direction, stored.request.wanted[0].by) == ("in", -2)


def test_a_viewer_may_see_a_plan_which_changes_nothing(api: Operators) -> None:
    status, said = api.post("vera", "/runs", {**RUN, "plan": True})
    assert (status, said["id"]) == (201, "api.plan.1")
    stored = api.runs.get(said["id"])
    assert stored is not None
    assert stored.request.policy.mode == "shadow"


BAD_RUNS = [
    ({"target": "apo"}, "There is no target 'apo'"),
    ({"action": "explode"}, "There is no action 'explode'. api takes"),
    ({"action": "scale_database"}, "cannot change api, which is of kind app_platform"),
    ({"to": None}, "Say either to what"),
    ({"step": 1}, "not both"),
    ({"to": {}}, "name what to change: replicas"),
    ({"to": {"size": "c-2"}}, "horizontal_scale changes replicas, not size"),
    ({"to": {"replicas": "5"}}, "replicas must be a whole number"),
    ({"to": {"replicas": -1}}, "replicas must be a whole number"),
    ({"to": None, "step": 0}, "0 steps change nothing"),
    ({"why": ""}, "say in a few words why"),
    ({"for": "soon"}, "for: 'soon' is not a duration"),
    ({"for": "31d"}, "for: '31d' is longer than 30d"),
    ({"force": True}, "force is not known"),
]


@pytest.mark.parametrize(("change", "said"), BAD_RUNS, ids=[each[1][:40] for each in BAD_RUNS])
def test_a_bad_request_for_a_run_is_one_clear_sentence_and_queues_nothing(
    api: Operators, change: dict[str, Any], said: str
) -> None:
    status, answer = api.post("olga", "/runs", {**RUN, **change})
    assert status == 422, answer
    assert said in answer["error"]
    assert api.stand.enqueued == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"with": {}}, "names nothing to purge"),
        ({"with": {"tag": ["a"]}}, "with: unknown key tag; purge takes"),
        ({"with": {"prefixes": ["https://a.example/"]}}, "prefixes"),
        ({"to": {"replicas": 3}}, "purge takes neither `to` nor `step`"),
        ({"action": "horizontal_scale", "target": "api", "step": 1}, "takes no options"),
    ],
)
def test_a_bad_request_for_a_purge_is_one_clear_sentence_and_queues_nothing(
    zoned: Operators, change: dict[str, Any], said: str
) -> None:
    status, answer = zoned.post("olga", "/runs", {**PURGE, **change})
    assert status == 422, answer
    assert said in answer["error"]
    assert zoned.stand.enqueued == []


def test_a_purge_that_a_person_asks_for_has_its_options_and_holds_no_value(
    zoned: Operators,
) -> None:
    status, said = zoned.post("olga", "/runs", PURGE)
    assert (status, said["id"], said["wanted"]) == (201, "cdn.person.1", [])
    run = zoned.runs.get("cdn.person.1")
    assert run is not None
    assert (run.request.options["tags"], run.request.hold_s) == (["news"], 0.0)
    (record,) = zoned.audit()
    assert record["what"]["options"]["tags"] == ["news"]


def test_a_purge_is_not_undone_and_the_answer_says_why(zoned: Operators) -> None:
    zoned.post("olga", "/runs", PURGE)
    plan = Plan("cache", "1 tag (news)", "purged", ("purge_1", "verify"), {})
    zoned.runs.set_plan("cdn.person.1", plan)
    zoned.runs.conclude("cdn.person.1", Outcome("succeeded", "it is purged", 0.0), time.time())
    status, said = zoned.post("olga", "/runs/cdn.person.1/undo")
    assert (status, "cannot be undone: the edge has lost its copies" in said["error"]) == (
        409,
        True,
    )
    assert zoned.stand.enqueued == ["cdn.person.1"]


def test_a_run_is_cancelled_once_it_is_known_and_not_when_it_has_ended(api: Operators) -> None:
    _, made = api.post("olga", "/runs", RUN)
    status, said = api.post("oscar", f"/runs/{made['id']}/cancel", {"why": "wrong target"})
    assert (status, said["cancel"]) == (202, "asked")
    assert api.runs.cancelled(made["id"]) == "oscar has cancelled it: wrong target"
    api.runs.conclude(made["id"], Outcome("cancelled", "x", 0.0), BUSY_UNTIL)
    status, said = api.post("oscar", f"/runs/{made['id']}/cancel", {"why": "again"})
    assert (status, "has ended already" in said["error"]) == (409, True)
    assert api.post("olga", "/runs/api.out.99/cancel", {"why": "x"})[0] == 404


def ended(api: Operators, status: str) -> str:
    """A run of a person that has changed 2 replicas to 5, or tried to."""
    _, made = api.post("olga", "/runs", RUN)
    run: str = made["id"]
    wanted = {"after": {"instance_count": 5}, "planned_from": {"instance_count": 2}}
    api.runs.set_plan(run, Plan("replicas", "2", "5", ("update_app",), wanted))
    api.runs.conclude(run, Outcome(status, "x", 0.0), BUSY_UNTIL)
    return run


def test_an_undo_asks_for_what_was_there_before_and_pauses_the_target_for_an_hour(
    api: Operators,
) -> None:
    status, said = api.post("olga", f"/runs/{ended(api, 'succeeded')}/undo", {"why": "too much"})
    assert status == 201
    stored = api.runs.get(said["id"])
    assert stored is not None
    request = stored.request
    assert [(each.attribute, each.to) for each in request.wanted] == [("replicas", 2)]
    assert [(each.attribute, each.to) for each in request.expects] == [("replicas", 5)]
    assert request.override, "its own pause does not hold it"
    (pause,) = api.ask("vera", "GET", "/pauses")[1]["items"]
    assert (pause["id"], pause["target"]) == (said["pause"]["id"], "api")


def test_what_is_known_to_have_changed_since_is_not_undone(api: Operators) -> None:
    run, later = ended(api, "succeeded"), BUSY_UNTIL + 1
    LedgerStore(api.stand.engine).saw("api", {"replicas": 7}, later, later)
    status, said = api.post("olga", f"/runs/{run}/undo", {"why": "too much"})
    assert status == 409
    assert said["error"] == (
        f"api has replicas 7, and run {run} had made it 5: it was changed since, and is left as it "
        "is. To change it all the same, ask for the value that you want."
    )
    assert api.stand.enqueued == [run]
    assert api.ask("vera", "GET", "/pauses")[1]["items"] == []


@pytest.mark.parametrize("status", ["held", "cancelled", "shadow"])
def test_only_what_has_changed_something_is_undone(api: Operators, status: str) -> None:
    code, said = api.post("olga", f"/runs/{ended(api, status)}/undo")
    assert (code, f"is {status}; only a run that changed" in said["error"]) == (409, True)
    assert api.ask("vera", "GET", "/pauses")[1]["items"] == []


def test_what_a_failed_run_may_have_changed_is_undone_where_it_is_still_so(api: Operators) -> None:
    status, said = api.post("olga", f"/runs/{ended(api, 'failed')}/undo")
    assert status == 201
    stored = api.runs.get(said["id"])
    assert stored is not None
    assert [(each.attribute, each.to) for each in stored.request.expects] == [("replicas", 5)]
    assert [(each.attribute, each.to) for each in stored.request.wanted] == [("replicas", 2)]


def test_a_retry_asks_for_what_the_run_was_to_reach(api: Operators) -> None:
    run = ended(api, "failed")
    status, said = api.post("olga", f"/runs/{run}/retry")
    assert (status, said["wanted"]) == (201, [{"attribute": "replicas", "to": 5}])
    stored = api.runs.get(said["id"])
    assert stored is not None
    assert stored.request.parent == run


def test_what_has_succeeded_or_goes_on_is_not_retried(api: Operators) -> None:
    assert api.post("olga", f"/runs/{ended(api, 'succeeded')}/retry")[0] == 409
    _, made = api.post("olga", "/runs", RUN)
    assert api.post("olga", f"/runs/{made['id']}/retry")[0] == 409


def test_a_pause_names_the_runs_that_it_covers_and_that_go_on(api: Operators) -> None:
    _, made = api.post("olga", "/runs", RUN)
    stored = api.runs.get(made["id"])
    assert stored is not None
    assert api.runs.enter(stored.request, 1_000.0) is None
    assert api.post("olga", "/pauses", PAUSE)[1]["going_on"] == [made["id"]]


# ---- Approvals ----


def asked(api: Operators, *of: str) -> str:
    """An approval that waits, for a run of a person's: only its claim matters here."""
    terms = Approval(of or ("approver",))
    _, made = api.post("olga", "/runs", RUN)
    stored = api.runs.get(made["id"])
    assert stored is not None
    wanted = {"after": {"instance_count": 5}, "planned_from": {"instance_count": 2}}
    plan = Plan("replicas", "2", "5", ("update_app",), wanted, 24.0, 60.0)
    store = ApprovalStore(api.stand.engine, api.enqueue, bell_of(api.stand.engine))
    approval = store.ask(stored.request, plan, "it is dear", terms, time.time())
    assert approval is not None
    return approval


def test_what_waits_is_shown_with_what_it_costs_and_who_may_decide(api: Operators) -> None:
    approval = asked(api, "finance")
    (item,) = api.ask("vera", "GET", "/approvals")[1]["items"]
    assert (item["id"], item["state"], item["from"]) == (approval, "waiting", ["finance"])
    assert (item["before"], item["after"], item["price_after"]) == ("2", "5", 60.0)


def test_an_approver_approves_and_the_next_run_is_queued(api: Operators) -> None:
    approval = asked(api)
    status, said = api.post("paul", f"/approvals/{approval}/approve", {"why": "fine"})
    assert (status, said["state"], said["next_run"]) == (200, "approved", "api.person.2")
    assert api.stand.enqueued == ["api.person.1", "api.person.2"]
    (entry, *_) = api.audit()
    assert (entry["who"], entry["verb"], entry["subject"]) == ("paul", "approved", approval)


@pytest.mark.parametrize("who", ["vera", "olga"])
def test_whoever_may_not_decide_decides_nothing(api: Operators, who: str) -> None:
    approval = asked(api)
    status, said = api.post(who, f"/approvals/{approval}/approve")
    assert (status, "it wants approver" in said["error"]) == (403, True)
    assert api.ask("vera", "GET", "/approvals")[1]["items"][0]["state"] == "waiting"


def test_a_group_decides_where_the_rule_names_it(api: Operators) -> None:
    approval = asked(api, "devops")
    assert api.post("paul", f"/approvals/{approval}/reject")[0] == 403
    assert api.post("olga", f"/approvals/{approval}/reject", {"why": "too dear"})[0] == 200


def test_what_is_decided_is_not_decided_again(api: Operators) -> None:
    approval = asked(api)
    assert api.post("paul", f"/approvals/{approval}/reject")[0] == 200
    status, said = api.post("ada", f"/approvals/{approval}/approve")
    assert (status, said["error"].endswith("is rejected already, by paul.")) == (409, True)
    assert api.stand.enqueued == ["api.person.1"]


def test_another_plan_than_the_one_that_was_read_is_not_approved(api: Operators) -> None:
    approval = asked(api)
    status, said = api.post("paul", f"/approvals/{approval}/approve", {"plan": "0123456789ab"})
    assert (status, "Read it again" in said["error"]) == (409, True)
    assert api.post("paul", "/approvals/q-1/approve")[0] == 404


# ---- Tokens ----


def test_a_token_is_shown_once_works_and_is_ended(api: Operators) -> None:
    body = {"name": "eve", "roles": ["operator"], "groups": ["devops"], "for": "1h"}
    status, made = api.post("ada", "/tokens", body)
    assert status == 201
    secret = {"Authorization": f"Bearer {made['secret']}"}
    assert api.ask("", "GET", "/me", **secret)[1]["name"] == "eve"
    assert made["secret"] not in json.dumps(api.ask("ada", "GET", "/tokens")[1])
    assert made["secret"] not in json.dumps(api.audit())
    assert api.post("ada", "/tokens", body)[0] == 409
    assert api.ask("ada", "DELETE", "/tokens/eve")[0] == 200
    assert api.ask("ada", "DELETE", "/tokens/eve")[0] == 404


def test_a_token_may_be_good_for_ninety_days(api: Operators) -> None:
    _, made = api.post("ada", "/tokens", {"name": "eve", "roles": ["viewer"], "for": "90d"})
    ends = datetime.fromisoformat(made["expires_at"]).timestamp()
    assert ends - time.time() == pytest.approx(90 * 86_400, abs=60)


def test_the_name_of_a_token_that_is_no_longer_good_may_be_used_again(api: Operators) -> None:
    body = {"name": "eve", "roles": ["operator"]}
    _, first = api.post("ada", "/tokens", body)
    api.ask("ada", "DELETE", "/tokens/eve")
    status, second = api.post("ada", "/tokens", {**body, "roles": ["viewer"], "for": "1ms"})
    assert status == 201, second
    status, third = api.post("ada", "/tokens", {**body, "roles": ["approver"]})
    assert status == 201, third
    (listed,) = api.ask("ada", "GET", "/tokens")[1]["items"]
    assert (listed["roles"], listed["revoked_at"]) == (["approver"], None)
    for made, known in ((first, 401), (second, 401), (third, 200)):
        secret = {"Authorization": f"Bearer {made['secret']}"}
        assert api.ask("", "GET", "/me", **secret)[0] == known
    done = [each["verb"] for each in api.audit() if each["outcome"] == "done"]
    assert done == ["token new", "token new", "token revoke", "token new"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "eve", "roles": ["viewer"], "for": "0"}, "it must be longer than 0"),
        ({"name": "eve", "roles": ["viewer"], "for": "soon"}, "is not a duration"),
        ({"name": "eve", "roles": ["viewer"], "for": "101y"}, "is longer than"),
        ({"name": "eve", "roles": []}, "A token needs a role"),
        ({"name": "eve", "roles": ["boss"]}, "There is no role 'boss'"),
        ({"name": "e v e", "roles": ["viewer"]}, "must be 1 to 63"),
        ({"name": "eve", "roles": ["viewer"], "groups": ["admin"]}, "word of your own"),
    ],
)
def test_a_bad_token_is_refused(api: Operators, body: dict[str, Any], said: str) -> None:
    status, answer = api.post("ada", "/tokens", body)
    assert (status, said in answer["error"]) == (422, True)


# ---- Open, on loopback ----


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
def test_while_open_programs_of_this_machine_are_admin_and_pages_are_not(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    stand = make_stand(sqlite_url(tmp_path))
    client = create_app(stand).test_client()
    response = client.post("/api/v1/pauses", json=PAUSE, headers=headers)
    assert response.status_code == status, response.json


def test_while_open_a_form_cannot_pause_anything(tmp_path: Path) -> None:
    client = create_app(make_stand(sqlite_url(tmp_path))).test_client()
    response = client.post("/api/v1/pauses", data=json.dumps(PAUSE), content_type="text/plain")
    assert response.status_code == 415


def test_a_body_that_is_too_large_is_refused(api: Operators) -> None:
    assert api.post("olga", "/pauses", {**PAUSE, "why": "x" * 70_000})[0] == 413


def test_a_paused_alert_is_held_and_the_answer_to_its_sender_says_so(api: Operators) -> None:
    api.post("olga", "/pauses", {"for": "30m", "why": "exams"})
    alert = {"labels": {"alertname": "High CPU Usage"}, "status": "firing"}
    body = {"version": "4", "status": "firing", "receiver": "r", "alerts": [alert]}
    response = api.client.post("/webhooks/alertmanager", json=body)
    assert response.status_code == 200
    assert response.json is not None
    (decision,) = response.json["decisions"]
    assert (decision["verdict"], decision["guard"]) == (Verdict.HOLD, "paused")
