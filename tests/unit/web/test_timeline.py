"""The timeline of an episode: everything once, in the order in which it happened."""

from __future__ import annotations

from typing import Any

import pytest

from service.web.console.timeline import timeline, while_it_lasted

DAY = "2026-11-28T"
Json = dict[str, Any]


def at(second: int) -> str:
    return f"{DAY}03:00:{second:02d}Z"


def an_alert(**changes: Any) -> Json:
    return {
        "name": "High CPU Usage",
        "source": "alertmanager",
        "first_seen": at(1),
        "last_seen": at(1),
        "times_seen": 1,
        "resolved_at": None,
        **changes,
    }


def a_decision(second: int, verdict: str, **changes: Any) -> Json:
    return {
        "rule": "high-cpu",
        "reason": "nothing holds it back",
        "verdict": verdict,
        "run": "api.out.1",
        "decided_at": at(second),
        "last_at": at(second),
        "times": 1,
        "checks": [{"guard": "paused", "passed": True, "saw": "no pause"}],
        **changes,
    }


def a_step(name: str, began: int, ended: int | None, attempt: int = 1) -> Json:
    return {
        "name": name,
        "attempt": attempt,
        "status": "running" if ended is None else "done",
        "started_at": at(began),
        "ended_at": None if ended is None else at(ended),
        "detail": {"of": name},
    }


def a_run(*steps: Json, ended: int | None) -> Json:
    return {
        "id": "api.out.1",
        "status": "running" if ended is None else "succeeded",
        "reason": "replicas 2 → 3",
        "created_at": at(2),
        "ended_at": None if ended is None else at(ended),
        "checks": [],
        "steps": list(steps),
    }


def told(alert: Json | None, decisions: list[Json], runs: list[Json]) -> Json:
    return {"alert": alert, "decisions": decisions, "runs": runs}


def test_alert_verdict_steps_a_persons_doing_and_the_end_stand_in_their_order() -> None:
    run = a_run(a_step("update_app", 4, 9), a_step("announce", 3, 4), ended=10)
    episode = told(an_alert(resolved_at=at(30)), [a_decision(2, "act")], [run])
    doing = {
        "at": at(6),
        "who": "olga",
        "verb": "pause",
        "subject": "api",
        "why": "I look",
        "outcome": "done",
    }
    said = [(each.state, each.what) for each in timeline(episode, [doing])]
    assert said == [
        ("firing", "High CPU Usage from alertmanager"),
        ("act", "rule high-cpu: nothing holds it back"),
        ("done", "Slack is told what will be done (announce), 1 s"),
        ("done", "step update_app, 5 s"),
        ("person", "olga: pause api. I look"),
        ("succeeded", "replicas 2 → 3"),
        ("resolved", "High CPU Usage"),
    ]


def test_what_was_repeated_is_said_once_with_how_often() -> None:
    alert = an_alert(times_seen=4, last_seen=at(40))
    hold = a_decision(5, "hold", times=3, last_at=at(40), run=None)
    said = [each.what for each in timeline(told(alert, [hold], []), [])]
    assert said == [
        "High CPU Usage from alertmanager",
        "rule high-cpu: nothing holds it back",
        "alertmanager sent it again, 4 times in all",
        "rule high-cpu: decided so again, 3 times in all",
    ]


def test_a_step_that_goes_on_has_no_length_and_a_second_attempt_is_named() -> None:
    run = a_run(a_step("verify", 3, None, attempt=2), ended=None)
    [event] = timeline(told(None, [], [run]), [])
    assert (event.what, event.state, event.run) == (
        "step verify, attempt 2",
        "running",
        "api.out.1",
    )
    assert event.detail == {"of": "verify"}


def test_moments_are_compared_as_times_and_not_as_text() -> None:
    run = a_run(a_step("verify", 3, None), ended=None)
    run["steps"][0]["started_at"] = "2026-11-28T03:00:00.500000Z"
    first = timeline(told(an_alert(first_seen="2026-11-28T03:00:00Z"), [], [run]), [])[0]
    assert first.state == "firing"


@pytest.mark.parametrize(
    ("alert", "run_ended", "expected"),
    [
        (an_alert(resolved_at=at(30)), 40, [1, 40]),
        (an_alert(), 40, [1, 40, 41]),
        (an_alert(resolved_at=at(30)), None, [1, 40, 41]),
        (None, 40, [40]),
    ],
)
def test_an_episode_lasts_until_its_alert_and_its_runs_are_over(
    alert: Json | None, run_ended: int | None, expected: list[int]
) -> None:
    doings = [{"at": at(second)} for second in (0, 1, 40, 41)]
    episode = told(alert, [], [a_run(ended=run_ended)])
    assert while_it_lasted(episode, doings) == [{"at": at(second)} for second in expected]
