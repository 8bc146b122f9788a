"""A target's state as runs saw it or set it, and when that is in doubt."""

from __future__ import annotations

from typing import Any

from service.domain.decisions.present import Known, Passed, Present, present_state

SEEN_AT, ENDED_AT = 100.0, 160.0


def passed(number: int = 1, **changes: Any) -> Passed:
    fields: dict[str, Any] = {
        "id": f"api.out.{number}",
        "status": "succeeded",
        "ended_at": ENDED_AT,
        "plan": {"what": "replicas", "before": "2", "after": "3"},
        "wrote": True,
        "saw": {"replicas": 2, "size": "basic-s"},
        "saw_at": SEEN_AT,
    }
    return Passed(**{**fields, **changes})


def test_no_run_tells_no_state() -> None:
    assert present_state([]) is None


def test_a_run_that_succeeded_set_what_it_planned_and_left_the_rest_as_it_saw_it() -> None:
    expected = Present({"replicas": 3, "size": "basic-s"}, Known.SET, "api.out.1", ENDED_AT)
    assert present_state([passed()]) == expected


def test_a_run_that_was_held_tells_what_it_saw() -> None:
    held = passed(status="held", plan=None, wrote=False)
    expected = Present({"replicas": 2, "size": "basic-s"}, Known.SEEN, "api.out.1", SEEN_AT)
    assert present_state([held]) == expected


def test_a_run_under_way_has_set_nothing_yet() -> None:
    found = present_state([passed(status="running", ended_at=None)])
    assert found == Present({"replicas": 2, "size": "basic-s"}, Known.SEEN, "api.out.1", SEEN_AT)


def test_after_a_failed_run_that_may_have_written_the_state_is_unsure() -> None:
    found = present_state([passed(status="failed")])
    assert found is not None
    assert (found.known, found.state["replicas"]) == (Known.UNSURE, 2)


def test_a_failed_run_that_wrote_nothing_leaves_what_it_saw() -> None:
    found = present_state([passed(status="failed", wrote=False)])
    assert found is not None
    assert found.known is Known.SEEN


def test_a_run_that_did_not_look_leaves_the_word_to_the_one_before() -> None:
    locked = passed(2, status="held", plan=None, wrote=False, saw=None, saw_at=None)
    found = present_state([locked, passed(1)])
    assert found is not None
    assert (found.run, found.known) == ("api.out.1", Known.SET)


def test_the_plan_of_an_earlier_version_tells_the_state_in_its_words() -> None:
    plan = {"what": "replicas and size", "before": "2 × basic-s", "after": "3 × basic-m"}
    done = present_state([passed(plan=plan, saw=None, saw_at=None)])
    begun = present_state([passed(plan=plan, saw=None, saw_at=None, status="running")])
    assert done is not None
    assert begun is not None
    assert done.state == {"replicas": 3, "size": "basic-m"}
    assert begun.state == {"replicas": 2, "size": "basic-s"}


def test_what_a_plan_makes_of_no_attribute_is_no_state() -> None:
    """A purge leaves nothing that the next look would find."""
    purge = {"what": "cache", "before": "1 tag (news)", "after": "purged"}
    expected = Present({"plan": "free"}, Known.SET, "cdn.out.1", ENDED_AT)
    assert present_state([passed(id="cdn.out.1", plan=purge, saw={"plan": "free"})]) == expected
