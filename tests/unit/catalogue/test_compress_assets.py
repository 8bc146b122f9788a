"""Compressing text assets of a bucket: plans as tables, and steps on a bucket in memory."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.bucket.assets_plan import STORED_A_GIB, dollars
from service.catalogue.bucket.kind import KIND
from service.catalogue.bucket.packing import (
    LEAST_BYTES,
    MOST_BYTES,
    MOST_BYTES_AT_ONCE,
    MOST_LOOKED_AT,
    packed,
    unpacked,
    worth_a_look,
)
from service.catalogue.bucket.target import BucketTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged
from service.ports.bucket import Contents, Listed
from tests.fakes.buckets import FakeBuckets
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.notes import FakeNotes
from tests.fakes.runs import FakeRun, planned, request_for, works_on

TARGET = BucketTarget("frontend", "quizmentor", "https://nyc3.example", "nyc3", assets="assets/")
APP, STYLE = "assets/app.js", "assets/style.css"
SCRIPT = Contents(
    b"const quiz = 'answer';\n" * 400,
    {"ContentType": "text/javascript; charset=utf-8", "CacheControl": "max-age=60"},
    {"owner": "olga"},
)
SHEET = Contents(b".quiz { color: black }\n" * 200, {"ContentType": "text/css"})


class Stand:
    """A bucket that keeps versions, with these objects, and the notes of a store."""

    def __init__(self, there: Mapping[str, Contents], *, versioned: bool = True) -> None:
        self.notes = FakeNotes()
        self.fake = FakeBuckets(FakeClock(), versioned=versioned)
        for key, contents in there.items():
            self.fake.store(key, contents, public=True)
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

    def contents(self, key: str) -> Contents:
        found = self.fake.objects[key].contents
        assert found is not None
        return found


def both() -> Stand:
    return Stand({APP: SCRIPT, STYLE: SHEET})


def compress(on: BucketTarget = TARGET, **options: Any) -> Request:
    return request_for("compress_assets", on, options={"prefix": "", "most": 10, **options})


def undo(plan: Plan) -> Request:
    """What an undo of a plan asks for."""
    ((attribute, (before, after)),) = KIND.changed(plan).items()
    return replace(
        compress(),
        options={},
        wanted=(Wanted(attribute, to=before),),
        expects=(Wanted(attribute, to=after),),
    )


def keys(plan: Plan) -> list[str]:
    return [each["key"] for each in plan.wanted["items"]]


def test_a_plan_says_how_many_objects_the_bytes_before_and_after_and_dollars() -> None:
    stand = both()
    plan = stand.plan(compress())
    small = sum(len(packed(each).body) for each in (SCRIPT, SHEET))
    assert (plan.before, plan.after) == (
        "2 plain with 13,800 bytes",
        f"2 in gzip with {small} bytes",
    )
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)
    assert f"the bucket holds {small} bytes more: less than 1 cent a month" in plan.downtime
    assert "less: less than 1 cent." in plan.downtime
    assert stand.fake.writes.sent == 0, "a plan writes nothing"
    assert stand.notes.texts == {}


def test_dollars_are_told_from_one_cent_up() -> None:
    assert dollars(2**29 * STORED_A_GIB) == "$0.01"
    assert dollars(2**28 * STORED_A_GIB) == "less than 1 cent"


def test_a_run_puts_each_in_gzip_with_its_headers_and_its_access() -> None:
    stand = both()
    stand.fake.store(STYLE, SHEET, public=False)
    stand.run(compress()).execute()
    copy = stand.contents(APP)
    assert gzip.decompress(copy.body) == SCRIPT.body
    assert copy.headers == {**SCRIPT.headers, "ContentEncoding": "gzip"}
    assert copy.metadata == SCRIPT.metadata
    assert (stand.fake.objects[APP].public, stand.fake.objects[STYLE].public) == (True, False)
    assert gzip.decompress(stand.contents(STYLE).body) == SHEET.body
    assert stand.fake.writes.effective == ["put", "put"]
    assert stand.held(compress()).guard == "already_there"


def odd(**changes: Any) -> Contents:
    return replace(SCRIPT, **changes)


@pytest.mark.parametrize(
    ("key", "contents", "said"),
    [
        ("assets/a.js", packed(SCRIPT), "Left, compressed already: 1."),
        ("assets/a.js", odd(headers={"ContentEncoding": "br"}), "Left, compressed already: 1."),
        (
            "assets/a.js",
            odd(headers={"ContentType": "image/png"}),
            "Left, with another content type than text: 1.",
        ),
        ("assets/a.js", odd(headers={}), "Left, with another content type than text: 1."),
        ("assets/a.js", odd(body=os.urandom(4_000)), "that gzip does not bring below 90 %: 1."),
        ("assets/a.png", SCRIPT, ""),
        ("other/a.js", SCRIPT, ""),
        ("assets/a.js", odd(body=b"a" * (LEAST_BYTES - 1)), ""),
        ("assets/a.js", odd(body=b"a" * (MOST_BYTES + 1)), ""),
    ],
)
def test_what_is_no_text_or_not_worth_it_or_compressed_already_is_left(
    key: str, contents: Contents, said: str
) -> None:
    if len(contents.body) < LEAST_BYTES and contents.headers.get("ContentEncoding"):
        contents = replace(contents, body=gzip.compress(os.urandom(2_000)))
    stand = Stand({key: contents, STYLE: SHEET})
    plan = stand.plan(compress())
    assert keys(plan) == [STYLE]
    assert (said in plan.downtime, "Left" in plan.downtime) == (True, bool(said))
    stand.run(compress()).execute()
    assert stand.contents(key) == contents


def test_an_object_with_properties_that_a_put_would_lose_is_left() -> None:
    stand = both()
    stand.fake.objects[APP] = replace(stand.fake.objects[APP], more=("Expires",))
    plan = stand.plan(compress())
    assert keys(plan) == [STYLE]
    assert "Left, with properties that a put would lose" in plan.downtime


def test_the_objects_that_the_target_names_are_left_to_put_object() -> None:
    named = {"key": APP, "content_type": "a/b", "cache_control": "", "public": False, "bodies": {}}
    target = replace(TARGET, objects={"app": named})
    assert keys(both().plan(compress(target))) == [STYLE]


def test_at_most_so_many_are_done_the_largest_first_and_the_others_are_counted() -> None:
    plan = both().plan(compress(most=1))
    assert keys(plan) == [APP]
    assert "Not in this run: 1 more." in plan.downtime


def test_one_plan_reads_a_bounded_number_of_objects_and_of_bytes() -> None:
    many = [Listed(f"{n:03}.js", LEAST_BYTES) for n in range(MOST_LOOKED_AT + 3)]
    chosen, left = worth_a_look(many, ())
    assert (len(chosen), len(left)) == (MOST_LOOKED_AT, 3)
    large = [Listed(f"{n:03}.js", MOST_BYTES) for n in range(20)]
    chosen, left = worth_a_look(large, ())
    assert sum(each.size for each in chosen) == MOST_BYTES_AT_ONCE
    assert len(chosen) + len(left) == len(large)


def test_a_bucket_without_versions_is_held_because_the_originals_would_be_lost() -> None:
    stand = Stand({APP: SCRIPT}, versioned=False)
    held = stand.held(compress())
    assert held.guard == "no_versions"
    assert "Let the bucket keep versions, and upload the assets once more." in held.reason


@pytest.mark.parametrize(
    ("target", "prefix", "said"),
    [
        (replace(TARGET, assets=""), "", "target frontend names no assets."),
        (TARGET, "private/", "prefix must begin with assets/"),
    ],
)
def test_nothing_outside_the_targets_prefix_is_read(
    target: BucketTarget, prefix: str, said: str
) -> None:
    stand = both()
    held = stand.held(compress(target, prefix=prefix))
    assert held.guard == "options"
    assert said in held.reason
    stand.fake.store("private/a.js", SCRIPT)
    assert stand.works.observe(compress(target, prefix=prefix))["assets"]["items"] == []
    assert said in "".join(KIND.refuses(target, "compress_assets", {"prefix": prefix}))


def test_a_longer_prefix_narrows_what_is_compressed() -> None:
    assert keys(both().plan(compress(prefix="assets/st"))) == [STYLE]


# ---- What goes wrong ----


def test_what_a_person_has_changed_since_the_look_is_left_and_the_others_are_compressed() -> None:
    stand = both()
    run = stand.run(compress())
    stand.fake.store(APP, Contents(b"theirs"), public=True)
    records = run.execute()
    assert stand.fake.body(APP) == "theirs"
    assert unpacked(stand.contents(STYLE)) == SHEET
    assert records["verify"] == {"put": 1, "left": [APP]}


def test_a_change_in_the_moment_of_the_write_is_never_overwritten() -> None:
    stand = Stand({APP: SCRIPT})
    run = stand.run(compress())
    stand.fake.before_write = lambda: stand.fake.store(APP, Contents(b"theirs"), public=True)
    with pytest.raises(TargetChanged, match="changed all of the objects"):
        run.execute()
    assert stand.fake.body(APP) == "theirs"


def test_what_somebody_has_made_private_meanwhile_is_not_published_again() -> None:
    stand = both()
    run = stand.run(compress())
    stand.fake.store(APP, SCRIPT, public=False)
    run.execute()
    assert (stand.fake.objects[APP].public, stand.contents(APP)) == (False, SCRIPT)


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_lost_answer_is_looked_at_before_anything_is_sent_again(took_effect: bool) -> None:
    stand = Stand({APP: SCRIPT})
    faults = stand.fake.writes.after if took_effect else stand.fake.writes.before
    faults[0] = vendor_error(FailureKind.UNKNOWN)
    stand.run(compress()).execute()
    assert unpacked(stand.contents(APP)) == SCRIPT
    assert stand.fake.writes.effective == ["put"]
    assert stand.fake.writes.sent == (1 if took_effect else 2)


@pytest.mark.parametrize("damage", ["body", "header", "access"])
def test_a_copy_that_does_not_unpack_to_the_original_fails_when_it_is_read_back(
    damage: str,
) -> None:
    stand = Stand({APP: SCRIPT})
    run = stand.run(compress())
    run.step("remember")
    run.step("compress_1")
    copy = stand.contents(APP)
    if damage == "body":
        copy = replace(copy, body=copy.body[:-1])
    if damage == "header":
        copy = replace(copy, headers={**copy.headers, "CacheControl": "no-store"})
    stand.fake.store(APP, copy, public=damage != "access")
    with pytest.raises(StepFailed, match="was put, and"):
        run.step("verify")


def test_after_a_failure_it_says_what_was_replaced_and_what_is_as_before() -> None:
    stand = both()
    run = stand.run(compress())
    run.step("remember")
    run.step("compress_1")
    assert stand.works.make_safe(run.context, run.request, run.plan) == (
        "Each object is whole. Of 2 this run has replaced 1, 1 are as before, and 0 are somebody "
        "else's."
    )


def test_a_text_that_unpacks_to_too_much_is_taken_for_no_copy() -> None:
    bomb = packed(Contents(b"0" * (MOST_BYTES + 1)))
    assert unpacked(bomb) is None
    assert unpacked(packed(SCRIPT)) == SCRIPT
    assert unpacked(replace(packed(SCRIPT), body=b"no gzip")) is None
    assert unpacked(replace(packed(SCRIPT), body=packed(SCRIPT).body + b"more")) is None


# ---- Taking it back ----


@pytest.mark.parametrize("version", ["kept", "removed", "other"])
def test_an_undo_puts_back_every_byte_and_header_also_once_the_version_is_gone(
    version: str,
) -> None:
    stand = both()
    run = stand.run(compress())
    run.execute()
    if version == "removed":
        stand.fake.versions.clear()
    if version == "other":
        stand.fake.versions[APP, "v1"] = stand.fake.versions[STYLE, "v2"]
    undoing = stand.run(undo(run.plan))
    assert undoing.plan.before == run.plan.after
    undoing.execute()
    assert (stand.contents(APP), stand.contents(STYLE)) == (SCRIPT, SHEET)
    assert stand.fake.objects[APP].public
    assert stand.fake.writes.effective == ["put"] * 4


def test_an_undo_of_the_undo_compresses_the_same_objects_again() -> None:
    stand = both()
    run = stand.run(compress())
    run.execute()
    undoing = stand.run(undo(run.plan))
    undoing.execute()
    stand.run(undo(undoing.plan)).execute()
    assert unpacked(stand.contents(APP)) == SCRIPT


def test_an_undo_leaves_what_a_person_has_put_since_and_puts_back_the_others() -> None:
    stand = both()
    run = stand.run(compress())
    run.execute()
    stand.fake.store(APP, Contents(b"theirs"), public=True)
    undoing = stand.run(undo(run.plan))
    assert f"Somebody has changed {APP} since, so that is left." in undoing.plan.downtime
    undoing.execute()
    assert (stand.fake.body(APP), stand.contents(STYLE)) == ("theirs", SHEET)


def test_an_undo_where_a_person_has_changed_all_is_held() -> None:
    stand = Stand({APP: SCRIPT})
    run = stand.run(compress())
    run.execute()
    stand.fake.store(APP, Contents(b"theirs"), public=True)
    held = stand.held(undo(run.plan))
    assert (held.guard, held.by_person) == ("changed_by_a_person", True)


def test_an_undo_whose_list_of_objects_is_lost_is_held() -> None:
    stand = both()
    run = stand.run(compress())
    run.execute()
    stand.notes.texts.clear()
    assert stand.held(undo(run.plan)).guard == "not_kept"
