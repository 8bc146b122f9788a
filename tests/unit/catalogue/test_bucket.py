"""Putting one object of a bucket: plans as tables, and steps on a bucket in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.bucket.contents import (
    MOST_BYTES,
    NO_OBJECT,
    Version,
    digest_of,
    dump,
    load,
    note_of,
)
from service.catalogue.bucket.kind import KIND
from service.catalogue.bucket.target import BucketTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.bucket import Contents
from tests.fakes.buckets import FakeBuckets
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.notes import FakeNotes
from tests.fakes.runs import FakeRun, planned, request_for, works_on

KEY = "emergency/config.json"
STATIC, NORMAL = '{"static_mode": true}', '{"static_mode": false}'
FRONTEND = BucketTarget(
    "frontend",
    "quizmentor",
    "https://nyc3.digitaloceanspaces.com",
    "nyc3",
    {
        "config": {
            "key": KEY,
            "content_type": "application/json",
            "cache_control": "no-cache",
            "public": True,
            "bodies": {"static": STATIC, "normal": NORMAL},
        }
    },
)
BY_HAND = Contents(b'{"by": "hand"}', {"ContentType": "text/plain"}, {"owner": "olga"})


class Stand:
    """A bucket with one object that a person has put, and the notes of a store."""

    def __init__(self, there: Contents | None = BY_HAND, *, public: bool = True) -> None:
        self.notes = FakeNotes()
        self.fake = FakeBuckets(FakeClock())
        if there is not None:
            self.fake.store(KEY, there, public=public)
        self.works = works_on(self.fake.clock, buckets=self.fake, notes=self.notes)

    def plan(self, request: Request) -> Plan:
        plan = self.works.plan(request)
        assert isinstance(plan, Plan), plan
        return plan

    def held(self, request: Request) -> PlanHeld:
        plan = self.works.plan(request)
        assert isinstance(plan, PlanHeld), plan
        return plan

    def run(self, request: Request) -> FakeRun:
        return planned(self.works, request, self.fake.clock)


def put(body: str = "static", object_: str = "config", **changes: Any) -> Request:
    options = {"object": object_, "body": body}
    return replace(request_for("put_object", FRONTEND, options=options), **changes)


def undo(plan: Plan) -> Request:
    """What an undo of a plan asks for."""
    ((attribute, (before, after)),) = KIND.changed(plan).items()
    return put(
        options={},
        wanted=(Wanted(attribute, to=before),),
        expects=(Wanted(attribute, to=after),),
    )


def test_a_plan_names_what_is_there_and_what_is_put() -> None:
    stand = Stand()
    plan = stand.plan(put())
    assert (plan.what, plan.steps) == ("object config", ("keep", "put", "verify"))
    assert plan.before == digest_of(BY_HAND)
    assert plan.after == f"static ({digest_of(FRONTEND.contents('config', 'static'))})"
    assert plan.downtime == (
        "No downtime. Who may read it stays as it is. It is served with cache-control no-cache."
    )


def test_a_new_object_is_public_where_the_target_says_so_and_the_plan_says_it_stays() -> None:
    stand = Stand(None)
    plan = stand.plan(put())
    assert plan.downtime.startswith(
        "There is no emergency/config.json yet, and everybody will be able to read it. An undo "
        "leaves it, because no object is deleted."
    )
    stand.run(put()).execute()
    assert stand.fake.objects[KEY].public
    assert stand.held(undo(plan)).guard == "no_undo"


def test_what_is_there_already_is_not_put_again() -> None:
    stand = Stand(FRONTEND.contents("config", "static"))
    assert stand.held(put()).guard == "already_there"


def test_another_content_type_counts_as_another_object() -> None:
    wrong_type = replace(FRONTEND.contents("config", "static"), headers={"ContentType": "a/b"})
    assert stand_plan_after(wrong_type) == digest_of(FRONTEND.contents("config", "static"))


def stand_plan_after(there: Contents) -> str:
    return str(Stand(there).plan(put()).wanted["after"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"object": "confg", "body": "static"}, "names no object 'confg'; it names config."),
        ({"object": "config", "body": "x"}, "has no body 'x'; it has static, normal."),
        ({"object": "config", "body": ""}, "put_object needs object and body"),
    ],
)
def test_only_what_the_target_names_is_put(options: dict[str, str], said: str) -> None:
    held = Stand().held(put(options=options))
    assert held.guard == "options"
    assert said in held.reason


def test_an_object_that_an_undo_could_not_keep_is_left() -> None:
    held = Stand(Contents(b"x" * (MOST_BYTES + 1))).held(put())
    assert held.guard == "too_large"
    assert "65,537 bytes" in held.reason


def test_a_run_puts_it_and_leaves_who_may_read_it() -> None:
    stand = Stand(public=False)
    stand.run(put()).execute()
    assert stand.fake.body(KEY) == STATIC
    assert not stand.fake.objects[KEY].public
    assert stand.fake.writes.effective == ["put"]


def test_what_somebody_has_made_private_since_the_plan_is_not_published_again() -> None:
    stand = Stand(public=True)
    run = stand.run(put())
    stand.fake.store(KEY, BY_HAND, public=False)
    with pytest.raises(TargetChanged, match="Somebody has changed who may read"):
        run.execute()
    assert stand.fake.writes.effective == []
    assert not stand.fake.objects[KEY].public


def test_an_undo_puts_back_the_bytes_the_headers_and_the_metadata() -> None:
    stand = Stand()
    plan = stand.plan(put())
    stand.run(put()).execute()
    stand.run(undo(plan)).execute()
    assert stand.fake.objects[KEY].contents == BY_HAND


def test_an_undo_leaves_what_a_person_has_put_since() -> None:
    stand = Stand()
    plan = stand.plan(put())
    stand.run(put()).execute()
    stand.fake.store(KEY, Contents(b"newer"))
    held = stand.held(undo(plan))
    assert (held.guard, held.by_person) == ("changed_by_a_person", True)


def test_an_undo_of_what_is_not_kept_any_more_is_held() -> None:
    stand = Stand()
    plan = stand.plan(put())
    stand.run(put()).execute()
    stand.notes.texts.clear()
    assert stand.held(undo(plan)).guard == "not_kept"


def test_what_is_kept_under_another_digest_is_never_put() -> None:
    stand = Stand()
    plan = stand.plan(put())
    stand.run(put()).execute()
    run = stand.run(undo(plan))
    stand.notes.texts[note_of(digest_of(BY_HAND))] = dump(Contents(b"forged"))
    with pytest.raises(StepFailed, match="not kept any more"):
        run.execute()
    assert stand.fake.body(KEY) == STATIC


def test_a_persons_change_between_the_look_and_the_write_is_never_overwritten() -> None:
    stand = Stand()
    run = stand.run(put())
    stand.fake.before_write = lambda: stand.fake.store(KEY, Contents(b"theirs"))
    with pytest.raises(TargetChanged, match=r"Somebody has changed emergency/config\.json"):
        run.execute()
    assert stand.fake.body(KEY) == "theirs"


def test_a_persons_change_between_the_plan_and_the_first_step_is_left() -> None:
    stand = Stand()
    run = stand.run(put())
    stand.fake.store(KEY, Contents(b"theirs"))
    with pytest.raises(TargetChanged):
        run.execute()
    assert stand.fake.body(KEY) == "theirs"
    assert stand.fake.writes.sent == 0


def test_a_persons_change_between_two_steps_is_left_and_nothing_is_sent() -> None:
    stand = Stand()
    run = stand.run(put())
    run.step("keep")
    stand.fake.store(KEY, Contents(b"theirs"))
    with pytest.raises(TargetChanged):
        run.step("put")
    assert stand.fake.writes.sent == 0


def test_an_object_that_appears_meanwhile_is_never_overwritten() -> None:
    stand = Stand(None)
    run = stand.run(put())
    stand.fake.before_write = lambda: stand.fake.store(KEY, Contents(b"theirs"))
    with pytest.raises(TargetChanged, match="it was not there when this run looked"):
        run.execute()
    assert stand.fake.body(KEY) == "theirs"


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_lost_answer_is_looked_at_before_anything_is_sent_again(took_effect: bool) -> None:
    stand = Stand()
    faults = stand.fake.writes.after if took_effect else stand.fake.writes.before
    faults[0] = vendor_error(FailureKind.UNKNOWN)
    stand.run(put()).execute()
    assert stand.fake.body(KEY) == STATIC
    assert stand.fake.writes.effective == ["put"]
    assert stand.fake.writes.sent == (1 if took_effect else 2)


def test_a_refusal_leaves_the_object_and_says_so() -> None:
    stand = Stand()
    run = stand.run(put())
    stand.fake.writes.before[0] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.execute()
    assert stand.fake.objects[KEY].contents == BY_HAND


def test_what_was_kept_comes_back_from_its_text() -> None:
    odd = Contents(bytes(range(256)), {"ContentType": "a/b"}, {"k": "v"})
    back = load(dump(odd))
    assert back == odd
    assert isinstance(back, Contents)
    assert digest_of(back) == digest_of(odd) != NO_OBJECT


# ---- A bucket that keeps versions ----


def versioned() -> Stand:
    stand = Stand(None)
    stand.fake.versioned = True
    stand.fake.store(KEY, BY_HAND, public=True)
    return stand


def test_what_a_versioned_bucket_keeps_is_not_kept_twice_and_an_undo_puts_it_back() -> None:
    stand = versioned()
    run = stand.run(put())
    assert "keeps what is there as a former version" in run.plan.downtime
    assert run.execute()["keep"] == {"kept": digest_of(BY_HAND), "version": "v1"}
    (text,) = stand.notes.texts.values()
    assert ("hand" in text, load(text)) == (False, Version(FRONTEND.place, KEY, "v1"))
    stand.run(undo(run.plan)).execute()
    stored = stand.fake.objects[KEY]
    assert (stored.contents, stored.public, stored.version) == (BY_HAND, True, "v3")
    assert stand.fake.writes.effective == ["put", "put"]


def test_an_undo_leaves_what_a_person_has_put_since_in_a_versioned_bucket_too() -> None:
    stand = versioned()
    run = stand.run(put())
    run.execute()
    undoing = stand.run(undo(run.plan))
    stand.fake.before_write = lambda: stand.fake.store(KEY, Contents(b"newer"), public=True)
    with pytest.raises(TargetChanged):
        undoing.execute()
    assert stand.fake.body(KEY) == "newer"


def test_an_undo_to_a_version_that_the_bucket_has_removed_is_held() -> None:
    stand = versioned()
    run = stand.run(put())
    run.execute()
    undoing = stand.run(undo(run.plan))
    stand.fake.versions.clear()
    assert stand.held(undo(run.plan)).guard == "not_kept"
    with pytest.raises(StepFailed, match="not kept any more"):
        undoing.execute()
    assert stand.fake.body(KEY) == STATIC


def test_a_version_that_holds_something_else_is_never_put() -> None:
    stand = versioned()
    run = stand.run(put())
    run.execute()
    stand.fake.versions[KEY, "v1"] = stand.fake.versions[KEY, "v2"]
    assert stand.held(undo(run.plan)).guard == "not_kept"
