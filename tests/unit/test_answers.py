"""The ten answers about an alert or a run, from what is stored of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.planning import Plan
from service.messages.answers import QUESTIONS, answers

NOW = 1_795_000_000.0
PLAN = Plan("size", "small", "large", ("resize",), {"after": "large"}, 6.0, 12.0).to_json()
ALERT = {
    "name": "High Memory Usage",
    "annotations": {"summary": "93 % used"},
    "first_seen": "2026-11-18T09:00:00Z",
    "status": "firing",
    "source": "alertmanager",
    "credential": "prod",
}
RUN: dict[str, Any] = {
    "id": "vm.up.1",
    "claim": "vm.up",
    "action": "vertical_scale",
    "rule": "high-memory",
    "target": "vm",
    "status": "succeeded",
    "reason": "vm: size small → large",
    "why": "High Memory Usage: 93 % used",
    "plan": PLAN,
    "checks": [{"guard": "locked"}],
    "wrote": True,
}
DECISION: dict[str, Any] = {
    "id": "d-1",
    "verdict": "act",
    "stage": "admission",
    "run": "vm.up.1",
    "rule": "high-memory",
    "target": "vm",
    "action": "vertical_scale",
    "reason": "vertical scale on vm: nothing holds it",
    "until": None,
    "checks": [],
    "rules_hash": "abc",
    "last_at": "2026-11-18T09:00:01Z",
}


def asked(
    run: dict[str, Any] | None = None, rests: dict[str, float] | None = None, **found: Any
) -> dict[str, str]:
    """The answers when a run is named, or, without one, the alert."""
    known = {
        "run": run,
        "alert": ALERT,
        "decisions": [DECISION],
        "runs": [RUN],
        "quarantined": None,
        **found,
    }
    given = answers(known, rests or {}, NOW)
    assert tuple(each["question"] for each in given) == QUESTIONS
    assert all(each["answer"] for each in given)
    return {each["question"]: each["answer"] for each in given}


def test_an_alert_is_answered_by_the_run_of_its_newest_decision() -> None:
    held = {
        **DECISION,
        "id": "d-2",
        "verdict": "hold",
        "reason": "cooldown of vm.up",
        "last_at": "2026-11-18T09:05:00Z",
        "until": "2026-11-18T09:30:00Z",
    }
    assert asked()["to undo it"] == "runbookd undo vm.up.1"
    now = asked(decisions=[held, DECISION])
    assert (now["what was done"], now["why not"]) == ("Nothing was changed.", "cooldown of vm.up.")
    assert now["to undo it"] == "nothing: nothing was changed"


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_run_under_way_says_how_to_stop_it_and_that_it_goes_on_by_itself(status: str) -> None:
    said = asked({**RUN, "status": status, "reason": ""}, {"vm.up": BUSY_UNTIL})
    assert said["to stop it"].startswith("runbookd cancel vm.up.1 --why WHY (stop it); ")
    assert said["next"] == "The run goes on by itself, and tells in Slack how it ended."
    assert said["to undo it"] == "wait until the run has ended; then undo it"
    assert said["what was done"].startswith(f"Run vm.up.1 of vertical_scale is {status}")


def test_a_failed_run_that_may_have_written_is_undone_and_one_that_wrote_nothing_is_not() -> None:
    failed = {**RUN, "status": "failed", "reason": "verify failed: vm never answered."}
    wrote = asked(failed)
    assert wrote["to undo it"] == "runbookd retry vm.up.1 (try again); runbookd undo vm.up.1"
    assert wrote["cost"] == "$6 → $12 a month (+$6)"
    untouched = asked({**failed, "wrote": False})
    assert untouched["to undo it"] == (
        "nothing: nothing was changed; runbookd retry vm.up.1 (try again)"
    )
    assert untouched["cost"] == "nothing: nothing was changed"


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (NOW + 600.0, "The next step may follow in 10 min, at "),
        (NOW - 1.0, "It is decided anew when the alert is sent again."),
        (BUSY_UNTIL, "A newer run of vm is under way."),
    ],
)
def test_what_comes_next_is_told_by_the_rest_of_the_claim(until: float, said: str) -> None:
    assert asked(RUN, {"vm.up": until})["next"].startswith(said)


def test_a_held_run_is_tried_again_when_its_decision_says_though_its_claim_is_taken_for_that() -> (
    None
):
    held = {**DECISION, "verdict": "hold", "stage": "execution", "until": at(NOW + 60.0)}
    run = {**RUN, "status": "held", "reason": "vm is busy.", "wrote": False}
    taken = {"vm.up": BUSY_UNTIL}
    said = asked(run, taken, decisions=[held])
    assert said["next"].startswith("The next try may be in 1 min, at ")
    over = asked(run, taken, decisions=[{**held, "until": at(NOW - 1.0)}])
    assert over["next"] == "A newer run of vm is under way."


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_run_of_a_person_names_the_person_and_what_was_said() -> None:
    mine = {**RUN, "claim": "vm.person", "rule": "anna", "why": "a big exam"}
    said = asked(mine, alert=None, decisions=[])
    assert (said["why"], said["decided by"]) == ("anna asked for it: a big exam.", "anna")
    assert said["now"] == "The run left vm at size large."


def test_what_is_taken_back_says_by_which_rule_and_what_may_follow() -> None:
    back = {**RUN, "claim": "vm.return", "why": "alerts of rule high-memory made it small → large"}
    said = asked(back, {"vm.return": NOW + 1_800}, alert=None, decisions=[])
    assert said["why"] == (
        "What rule high-memory had added is taken back in calm: alerts of rule high-memory made it "
        "small → large."
    )
    assert said["next"].startswith("The next step may follow in 30 min")
    assert said["next"].endswith("if it is calm and there is more that alerts added.")
    assert said["decided by"] == "rule high-memory, by its `return`"


def test_what_a_level_asked_for_names_the_level_and_where_to_see_what_holds_next() -> None:
    mine = {**RUN, "claim": "vm.level", "rule": "exam", "why": "size of vm is small, and large"}
    said = asked(mine, {"vm.level": NOW + 300}, alert=None, decisions=[])
    assert said["why"] == "Level exam asked for it: size of vm is small, and large."
    assert said["decided by"] == "level exam"
    assert said["next"] == "`runbookd levels` shows what holds next, and what it waits for."


def test_an_alert_that_no_decision_is_on_record_for_says_what_is_not_known() -> None:
    said = asked(decisions=[], runs=[])
    assert said["what was done"] == "Nothing was changed."
    assert said["why not"] == "It is not known."


OUTCOME: dict[str, Any] = {
    "result": "pending",
    "ended_at": "2026-11-18T09:00:00Z",
    "due_at": "2026-11-18T09:15:00Z",
    "cleared_at": None,
    "recurred_at": None,
}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "Whether what asked for it clears is judged by "),
        ({"result": "no_effect"}, "What asked for it did not clear within 15 min of the change."),
        (
            {"result": "cleared", "cleared_at": "2026-11-18T09:04:00Z"},
            "What asked for it cleared 4 min after the change.",
        ),
        (
            {"result": "cleared", "cleared_at": "2026-11-18T08:59:00Z"},
            "What asked for it had cleared before the change was verified.",
        ),
        (
            {
                "result": "cleared",
                "cleared_at": "2026-11-18T09:04:00Z",
                "recurred_at": "2026-11-18T09:13:00Z",
            },
            "cleared 4 min after the change. It fired again 9 min later.",
        ),
    ],
    ids=["not judged yet", "no effect", "cleared", "before the end", "and fired again"],
)
def test_how_things_are_tells_what_became_of_the_change(known: dict[str, Any], said: str) -> None:
    assert said in asked({**RUN, "outcome": {**OUTCOME, **known}})["now"]


def test_a_run_of_which_nothing_is_expected_tells_nothing_of_an_outcome() -> None:
    assert "What asked for it" not in asked({**RUN, "outcome": None})["now"]
    assert "What asked for it" not in asked(RUN)["now"]


WATCHING: dict[str, Any] = {
    **RUN,
    "id": "watch.person.1",
    "claim": "watch.person",
    "action": "watch",
    "rule": "olga",
    "target": "",
    "status": "running",
    "reason": "after the change",
    "why": "after the change",
    "plan": None,
    "checks": [],
    "wrote": False,
}


def test_a_watch_that_goes_on_says_so_and_how_to_end_it() -> None:
    said = asked(WATCHING, alert=None, decisions=[])
    assert said["now"] == "Run watch.person.1 is running."
    assert said["to stop it"] == "runbookd cancel watch.person.1 --why WHY (stop it)"
    assert said["to undo it"] == "nothing: nothing was changed"
    assert (said["why"], said["decided by"]) == ("olga asked for it: after the change.", "olga")


def test_what_a_person_was_told_promises_nothing_of_an_alert() -> None:
    ended = {**WATCHING, "status": "cancelled", "reason": "olga has cancelled it: it is calm"}
    said = asked(ended, alert=None, decisions=[])
    assert said["what was done"] == "Olga has cancelled it: it is calm. Nothing was changed."
    assert said["next"] == "Nothing follows by itself."
    assert said["to stop it"] == "nothing: it tells nothing more"


def test_a_plan_that_a_person_asked_for_is_that_persons_and_no_rules() -> None:
    plan = {**WATCHING, "claim": "tell.plan", "action": "tell", "status": "shadow"}
    said = asked({**plan, "reason": "It would tell #ops."}, alert=None, decisions=[])
    assert said["what was done"] == "It would tell #ops. Nothing was changed."
    assert (said["why"], said["decided by"]) == ("olga asked for it: after the change.", "olga")


def test_a_watchdog_is_not_said_to_be_looked_into() -> None:
    ignored = {**DECISION, "verdict": "reject", "run": None, "rule": "watchdogs", "target": None}
    found = asked(decisions=[{**ignored, "action": "ignore"}], runs=[])
    assert found["why"] == "The rules name it as a watchdog: all that counts is that it is heard."
