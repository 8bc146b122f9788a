"""Slack and the pager alone answer what a person asks at 3 am about a run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from importlib import import_module

import pytest
from typer.main import get_command

from service.cli.commands import ENTRIES
from service.domain.capacity.ledger import Entry
from service.domain.commands import to_type
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import LEVEL, PERSON, Origin, Request
from service.domain.decisions.returns import Return
from service.domain.errors import StepFailed
from service.ports import Message
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER)
STOP = "runbookd cancel worker-vm.up.1 --why WHY"
UNDO = "runbookd undo worker-vm.up.1"
RETRY = "runbookd retry worker-vm.up.1"
PAUSE = "runbookd pause worker-vm --for 30m --why WHY"
EXPLAIN = "`runbookd explain worker-vm.up.1`"


@pytest.fixture
def worker() -> FakeWorker:
    worker = FakeWorker()
    worker.change.prices = (6.0, 12.0)
    return worker


def text_of(message: Message) -> str:
    fields = " ".join(f"{name}: {value}" for name, value in message.fields)
    return " ".join([message.title, message.text, fields, message.context])


def only_message(worker: FakeWorker) -> str:
    (message,) = worker.messenger.messages.values()
    return text_of(message)


def assert_all(said: str, *answers: str) -> None:
    assert [each for each in answers if each not in said] == []


def test_a_change_under_way_says_what_why_the_price_who_decided_and_how_to_stop_it(
    worker: FakeWorker,
) -> None:
    seen: list[str] = []
    worker.change.before_write = lambda: seen.append(only_message(worker))
    worker.execute(ASK)
    assert_all(
        seen[0],
        "worker-vm: size small → large",
        "Scaling because High CPU Usage is",
        "$6 → $12 a month (+$6)",
        "Rule: a-rule",
        f"Stop it: {STOP}",
        f"No more of it: {PAUSE}",
        EXPLAIN,
    )


def test_a_change_that_is_done_says_what_follows_and_how_to_undo_it(worker: FakeWorker) -> None:
    worker.execute(ASK)
    said = only_message(worker)
    assert_all(said, "Done: worker-vm: size small → large", "The next step may follow in")
    assert_all(said, "$6 → $12 a month (+$6)", f"Undo it: {UNDO}", f"No more of it: {PAUSE}")
    assert STOP not in said, "it is over"


def test_a_failed_change_says_how_the_target_was_left_and_what_to_type_in_slack_and_the_pager(
    worker: FakeWorker,
) -> None:
    worker.change.fails["verify"] = StepFailed("verify", "worker-vm never answered.")
    worker.execute(ASK)
    (page,) = worker.pager.open.values()
    told = f"{page.summary} {page.details}"
    for said in (only_message(worker), told):
        assert_all(said, "worker-vm never answered.", "It is on at large.", RETRY, UNDO, PAUSE)
    assert_all(told, "how the target was left", "next try", "asked for because", "a-rule")


def test_a_held_change_says_by_what_until_when_and_what_to_type(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("busy", "worker-vm is busy with a backup.", retry_after_s=60.0)
    worker.execute(ASK)
    said = only_message(worker)
    assert_all(said, "Held: vertical_scale of worker-vm", "is busy with a backup", "in 1 min")
    assert_all(said, "Guard: busy", "Rule: a-rule", RETRY, PAUSE, EXPLAIN)


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "held", "cancelled"])
def test_what_is_told_to_be_typed_is_a_command_with_its_options(status: str) -> None:
    for _, typed in to_type("worker-vm.up.1", status, "worker-vm"):
        program, verb, *arguments = shlex.split(typed)
        assert program == "runbookd"
        module = import_module(f"service.cli.{ENTRIES[verb].module}")
        context = get_command(module.APPS[verb]).make_context(verb, arguments)
        assert context.params.get("why", "WHY") in {"WHY", ""}


def test_a_run_that_only_tells_has_nothing_to_stop_or_undo() -> None:
    assert to_type("notify.1", "succeeded", "") == []


def by_anna(**changes: object) -> Request:
    return replace(ASK, origin=Origin(PERSON, "anna", "a campaign"), cooldown_s=0.0, **changes)  # type: ignore[arg-type]


def test_what_a_person_asked_for_names_the_person_and_no_next_step(worker: FakeWorker) -> None:
    worker.execute(by_anna())
    said = only_message(worker)
    assert_all(said, "Scaled because a campaign", "Asked by: anna", UNDO)
    assert "next step" not in said


def test_what_a_person_has_set_says_for_how_long_it_is_held_and_how_to_end_that(
    worker: FakeWorker,
) -> None:
    worker.execute(by_anna(hold_s=14_400.0))
    said = only_message(worker)
    assert_all(said, "It is held until in 4 h", "nothing is taken away by itself, and alerts may")
    assert_all(said, "add to it. `runbookd release worker-vm` ends that.")


def test_a_value_that_is_pinned_says_that_alerts_may_not_add_either(worker: FakeWorker) -> None:
    worker.execute(by_anna(hold_s=14_400.0, pin=True))
    assert "and alerts may not add to it either." in only_message(worker)


def test_a_change_that_is_taken_back_later_says_after_how_much_calm(worker: FakeWorker) -> None:
    worker.execute(replace(ASK, policy=Policy(returns=Return(1_800))))
    assert "It is taken back after 30 min of calm." in only_message(worker)


def test_a_change_that_was_asked_for_again_soon_says_that_it_waits_longer(
    worker: FakeWorker,
) -> None:
    worker.ledger.put(Entry(WORKER.name, "size", "large", 0.0, doubled=1))
    worker.execute(replace(ASK, policy=Policy(returns=Return(1_800))))
    assert_all(only_message(worker), "asked for again soon", "only after 1 h of calm.")


def test_a_plan_that_a_person_asked_for_says_that_nothing_was_changed(worker: FakeWorker) -> None:
    worker.execute(by_anna(policy=Policy(SHADOW)))
    said = only_message(worker)
    assert_all(said, "anna asked what would be changed, because a campaign. Nothing was changed.")
    assert "mode shadow" not in said


def test_a_level_is_named_where_a_rule_would_be_and_says_what_it_beats() -> None:
    worker = FakeWorker()
    why = "size is small, and large holds now; it beats aim 2 by office-hours"
    asked = replace(ASK, origin=Origin(LEVEL, "exam", why))
    worker.execute(asked)
    (message,) = worker.messenger.messages.values()
    assert dict(message.fields)["Level"] == "exam"
    assert "it beats aim 2 by office-hours" in message.text
    assert "The next step" not in message.text


def test_a_level_in_shadow_is_said_to_be_told_again_when_something_else_holds() -> None:
    worker = FakeWorker()
    worker.execute(replace(ASK, origin=Origin(LEVEL, "exam", "an exam"), policy=Policy(SHADOW)))
    (message,) = worker.messenger.messages.values()
    assert "exam is told again when something else holds" in message.text
