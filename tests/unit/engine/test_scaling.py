from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.alerts.dedup import bound_dedup_key, run_dedup_key
from service.domain.decisions.decision import Stage, Verdict
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import LEVEL, PERSON, REPLAY, SCENARIO, Origin
from service.domain.errors import (
    FailureKind,
    FencedOut,
    StepFailed,
    StoreUnavailable,
    TargetChanged,
    VendorError,
)
from service.engine.context import RunContext
from service.engine.late_pages import deliver
from service.engine.outcomes import UNOBSERVABLE
from service.engine.parts import RunLost
from service.engine.reports import blocked_key
from service.ports import MessageRef, Page
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import WORKER, request_for
from tests.reliability import VendorSaw, scenario

ASK = request_for("vertical_scale", WORKER)
RUN = ASK.id
AWAY = VendorError("digitalocean", "read", FailureKind.TEMPORARY, "It cannot be reached.")
GONE = VendorError("digitalocean", "read", FailureKind.PERMANENT, "There is none.")
REFUSED = StepFailed("change", "The vendor refused the size.")
NO_ROOM = VendorError(
    "digitalocean", "snapshot", FailureKind.PERMANENT, "Size is not available.", status=422
)
BUSY_FOR_AN_HOUR = VendorError(
    "digitalocean", "update", FailureKind.TEMPORARY, "Try later.", retry_after=3_600.0, status=429
)
PAGE = Page("key", "It is open.", "runbookd", "critical")


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


# ---- Done ----


def test_a_verified_change_rests_for_the_full_cooldown_from_its_end(worker: FakeWorker) -> None:
    worker.change.before_write = lambda: worker.clock.sleep(30.0)

    worker.execute(ASK)

    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "succeeded"
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.locks.cooldowns == {"worker-vm.up": outcome.cooldown_until}
    assert worker.change.value == "large"


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_a_clock_that_jumps_in_mid_run_shortens_no_cooldown_and_shows_in_no_duration(
    worker: FakeWorker, jump_s: float
) -> None:
    began_at = worker.clock.time()

    def jump() -> None:
        worker.clock.sleep(80.0)
        worker.clock.jump(jump_s)

    worker.change.before_write = jump

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert worker.runs.outcomes[RUN].cooldown_until >= began_at + ASK.cooldown_s
    assert "Verified after 1 min 20 s." in worker.said()[0]


def test_a_run_that_another_process_began_tells_its_duration_by_the_instants(
    worker: FakeWorker,
) -> None:
    steps = Recorder(dies_after="change")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)
    worker.clock.sleep(60.0)
    worker.execute(ASK, steps)
    assert "Verified after 1 min. " in worker.said()[0]


def test_a_run_that_another_process_began_never_took_less_than_nothing(
    worker: FakeWorker,
) -> None:
    steps = Recorder(dies_after="change")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)
    worker.clock.jump(-3_600.0)
    worker.execute(ASK, steps)
    assert "Verified after 0 s." in worker.said()[0]


def test_a_verified_change_is_told_in_one_message_and_one_change_event(worker: FakeWorker) -> None:
    worker.execute(ASK)

    assert len(worker.messenger.messages) == 1
    assert worker.said()[0].startswith("Done: worker-vm: size small → large")
    assert len(worker.pager.changes) == 1
    assert worker.pager.open == {}


def test_a_verified_change_closes_what_was_open_about_its_target(worker: FakeWorker) -> None:
    for held in (PlanHeld("ladder_top", "The top.", at_bound=True), None):
        worker.change.held = held
        worker.execute(request_for("vertical_scale", WORKER, id=f"worker-vm.up.{held!s}"))

    assert worker.pager.open == {}


def test_the_lock_is_given_back_at_the_end(worker: FakeWorker) -> None:
    worker.execute(ASK)
    assert worker.locks.owners == {}


def test_the_steps_have_the_names_that_recorded_runs_have(worker: FakeWorker) -> None:
    recorded = worker.execute(ASK).records

    assert list(recorded) == ["prepare", "announce", "change", "verify", "conclude", "report"]


def test_the_steps_of_a_held_run_have_the_names_that_recorded_runs_have(
    worker: FakeWorker,
) -> None:
    worker.runs.open.clear()
    assert list(worker.execute(ASK).records) == ["prepare", "conclude", "report"]


# ---- Held before the first write ----


def test_a_run_keeps_the_state_that_its_look_found_whether_it_acts_or_is_held(
    worker: FakeWorker,
) -> None:
    assert _prepared(worker.execute(ASK))["seen"] == {"size": "small"}
    worker.change.held = PlanHeld("max", "It is the largest.", at_bound=True)
    again = request_for("vertical_scale", WORKER, id="worker-vm.up.2")
    assert _prepared(worker.execute(again))["seen"] == {"size": "large"}


def test_a_run_that_did_not_look_keeps_no_state(worker: FakeWorker) -> None:
    worker.change.unseen = AWAY
    assert _prepared(worker.execute(ASK))["seen"] == {}
    worker.locks.owners[WORKER.resource] = "somebody"
    again = request_for("vertical_scale", WORKER, id="worker-vm.up.2")
    assert _prepared(worker.execute(again))["seen"] == {}


def _prepared(steps: Recorder) -> dict[str, Any]:
    record = steps.records["prepare"]
    assert isinstance(record, dict)
    return record


def test_alerts_that_resolved_before_the_first_write_hold_the_run(worker: FakeWorker) -> None:
    worker.runs.open.clear()

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "held"
    assert "resolved" in worker.runs.outcomes[RUN].reason
    assert worker.runs.again == []
    assert worker.change.value == "small"
    assert worker.said() == []


def test_one_alert_that_still_fires_is_enough_to_go_on(worker: FakeWorker) -> None:
    worker.runs.open = {"alert-2"}
    worker.execute(request_for("vertical_scale", WORKER, alerts=("alert-1", "alert-2")))
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_a_replay_does_not_ask_whether_its_alerts_still_fire(worker: FakeWorker) -> None:
    worker.runs.open.clear()
    worker.execute(request_for("vertical_scale", WORKER, replay=True))
    assert worker.runs.outcomes[RUN].status == "succeeded"


@pytest.mark.parametrize("kind", [PERSON, LEVEL, SCENARIO])
def test_what_no_alert_asked_for_does_not_ask_whether_one_still_fires(
    worker: FakeWorker, kind: str
) -> None:
    worker.runs.open.clear()
    origin = Origin(kind, "ops", "the launch is at nine")
    asked = request_for("vertical_scale", WORKER, origin=origin, claim="worker-vm.person.1")
    worker.execute(asked)
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "succeeded"
    assert worker.locks.cooldowns == {"worker-vm.person.1": outcome.cooldown_until}
    # A step of a scenario is told in the scenario's own message.
    told = ["the launch is at nine" in each for each in worker.said()]
    assert told == ([] if kind == SCENARIO else [True])


def test_alerts_that_resolve_after_the_first_write_do_not_stop_the_run(worker: FakeWorker) -> None:
    worker.change.before_write = worker.runs.open.clear
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_a_run_that_acts_keeps_what_each_guard_saw(worker: FakeWorker) -> None:
    worker.execute(ASK)
    kept = worker.runs.checks[RUN]
    assert [(check.guard, check.passed) for check in kept] == [
        ("cancelled", True),
        ("resolved", True),
        ("paused", True),
        ("person_lock", True),
        ("settling", True),
        ("locked", True),
        ("target", True),
    ]
    assert kept[-1].saw == "worker-vm may be changed: size small → large"


def test_a_run_that_is_held_keeps_the_guards_that_let_it_pass_and_the_one_that_held(
    worker: FakeWorker,
) -> None:
    worker.change.held = PlanHeld("droplet_busy", "A snapshot is under way.")
    worker.execute(ASK)
    (decision,) = worker.runs.decisions
    assert decision.decision.checks == worker.runs.checks[RUN]
    assert [(check.guard, check.passed) for check in decision.decision.checks] == [
        ("cancelled", True),
        ("resolved", True),
        ("paused", True),
        ("person_lock", True),
        ("settling", True),
        ("locked", True),
        ("droplet_busy", False),
    ]
    assert decision.decision.guard == "droplet_busy"


def test_a_run_that_another_guard_holds_does_not_take_the_lock(worker: FakeWorker) -> None:
    worker.runs.settles["worker-vm"] = worker.clock.time() + 200.0
    worker.execute(ASK)
    assert [check.guard for check in worker.runs.checks[RUN]] == [
        "cancelled",
        "resolved",
        "paused",
        "person_lock",
        "settling",
    ]
    assert worker.locks.owners == {}


def test_a_lock_of_another_owner_holds_the_run_and_is_left_alone(worker: FakeWorker) -> None:
    worker.locks.owners["do-droplet:101"] = "a person"

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "held"
    assert "locked by a person" in worker.runs.outcomes[RUN].reason
    assert worker.locks.owners == {"do-droplet:101": "a person"}
    assert worker.change.value == "small"


def test_a_target_that_settles_after_a_change_holds_the_run_until_it_has(
    worker: FakeWorker,
) -> None:
    now = worker.clock.time()
    worker.runs.settles["worker-vm"] = now + 200.0

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].cooldown_until == now + 200.0
    assert worker.runs.again[0].delay_s == 200.0
    assert worker.said() == []


@pytest.mark.parametrize(("left_s", "status"), [(0.0, "succeeded"), (0.5, "held")])
def test_a_target_settles_until_the_very_end_and_no_longer(
    worker: FakeWorker, left_s: float, status: str
) -> None:
    worker.runs.settles["worker-vm"] = worker.clock.time() + left_s
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].status == status


@pytest.mark.parametrize(("known_s", "waits_s"), [(5.0, 60.0), (60.0, 60.0), (300.0, 300.0)])
def test_a_held_run_is_asked_again_when_the_guard_lets_go_but_not_before_a_minute(
    worker: FakeWorker, known_s: float, waits_s: float
) -> None:
    worker.change.held = PlanHeld("droplet_busy", "Busy.", retry_after_s=known_s)

    worker.execute(ASK)

    outcome, (again,) = worker.runs.outcomes[RUN], worker.runs.again
    assert outcome.cooldown_until == worker.clock.time() + waits_s
    assert (again.request.claim, again.partition) == ("worker-vm.up", "do-droplet:101")
    assert (again.delay_s, again.request) == (waits_s, ASK)


def test_a_held_run_is_released_after_a_minute_when_the_guard_knows_no_time(
    worker: FakeWorker,
) -> None:
    worker.change.held = PlanHeld("disk", "It does not fit.")

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].cooldown_until == worker.clock.time() + 60.0
    assert worker.runs.again == []


def test_a_held_replay_is_not_asked_again(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("droplet_busy", "Busy.", retry_after_s=60.0)
    worker.execute(request_for("vertical_scale", WORKER, replay=True))
    assert worker.runs.again == []


def test_at_the_bound_the_full_cooldown_is_due_and_one_page(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.runs.again == []
    assert list(worker.pager.open) == [bound_dedup_key("worker-vm", "up")]
    assert "It is at the top. The person on call is paged. The next try may be" in worker.said()[0]


def test_the_page_at_the_bound_is_kept_with_the_alerts_that_asked(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    worker.execute(ASK)
    key = bound_dedup_key("worker-vm", "up")
    assert worker.incidents.enlisted == [(key, ("alert-1",))]
    state = worker.incidents.state(key)
    assert state is not None
    assert (state.incident.rule, state.incident.paged) == ("a-rule", True)
    assert list(worker.pager.open) == [key]


def test_the_page_at_the_bound_is_closed_at_once_when_its_alerts_resolved_meanwhile(
    worker: FakeWorker,
) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    worker.incidents.open.clear()
    worker.execute(ASK)
    assert worker.pager.open == {}
    state = worker.incidents.state(bound_dedup_key("worker-vm", "up"))
    assert state is not None
    assert not state.incident.paged


def test_a_replay_at_the_bound_is_no_alert_that_could_resolve(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    worker.execute(replace(ASK, origin=replace(ASK.origin, kind=REPLAY)))
    assert worker.incidents.enlisted == []
    assert list(worker.pager.open) == [bound_dedup_key("worker-vm", "up")]


def test_the_pages_of_runs_that_failed_are_closed_by_a_later_run_that_succeeds(
    worker: FakeWorker,
) -> None:
    worker.change.fails["verify"] = StepFailed("verify", "It does not answer.")
    failed = [ASK, replace(ASK, id="worker-vm.up.2")]
    for each in failed:
        worker.execute(each)
    assert set(worker.pager.open) == {run_dedup_key(each.id) for each in failed}
    worker.change.fails.clear()
    worker.change.value = "small"
    worker.execute(replace(ASK, id="worker-vm.up.3"))
    assert worker.runs.outcomes["worker-vm.up.3"].status == "succeeded"
    assert worker.pager.open == {}
    assert "This closes the pages of worker-vm.up.2, worker-vm.up.1." in worker.said()[-1]


def test_asked_again_and_again_at_the_bound_it_is_one_incident(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    for generation in (1, 2, 3):
        worker.execute(request_for("vertical_scale", WORKER, id=f"worker-vm.up.{generation}"))
    assert len(worker.pager.open) == 1


def test_a_target_that_stays_locked_is_told_once_and_again_when_another_locks_it(
    worker: FakeWorker,
) -> None:
    for generation, owner in enumerate(["Ada", "Ada", "Ada", "Grace"], start=1):
        worker.locks.owners["do-droplet:101"] = owner
        worker.execute(request_for("vertical_scale", WORKER, id=f"worker-vm.up.{generation}"))

    assert ["Ada" in said for said in worker.said()] == [True, False]


def test_a_hold_leaves_a_decision_with_its_guard_and_stage(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("disk", "It does not fit.")

    worker.execute(ASK)

    (new,) = worker.runs.decisions
    decision = new.decision
    assert (decision.verdict, decision.stage) == (Verdict.HOLD, Stage.EXECUTION)
    assert (decision.guard, decision.reason, decision.run) == ("disk", "It does not fit.", RUN)
    assert (decision.rule, decision.action) == (ASK.origin.by, ASK.action)
    assert (decision.target, decision.direction) == ("worker-vm", "up")
    assert decision.until == worker.runs.outcomes[RUN].cooldown_until


def test_a_target_that_cannot_be_looked_at_pages_and_is_asked_again(worker: FakeWorker) -> None:
    worker.change.unseen = AWAY

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "held"
    assert worker.runs.again[0].delay_s == 60.0
    assert list(worker.pager.open) == [blocked_key(ASK)]


@pytest.mark.parametrize("problem", [GONE, StepFailed("observe", "No such kind.")])
def test_a_target_that_can_never_be_looked_at_pages_and_is_not_asked_again(
    worker: FakeWorker, problem: VendorError | StepFailed
) -> None:
    worker.change.unseen = problem

    worker.execute(ASK)

    assert worker.runs.again == []
    assert list(worker.pager.open) == [blocked_key(ASK)]


# ---- Failed ----


def test_a_failed_run_pages_with_what_was_tried_and_how_its_target_was_left(
    worker: FakeWorker,
) -> None:
    worker.change.fails["change"] = REFUSED

    worker.execute(ASK)

    page = worker.pager.open[run_dedup_key(RUN)]
    assert page.severity == "critical"
    assert "size small → large failed: The vendor refused the size." in page.summary
    assert page.details["what happened"] == "The vendor refused the size."
    assert page.details["how the target was left"] == "It is on at small."
    assert worker.change.made_safe == 1
    assert worker.said()[0].startswith("Failed: ")


@pytest.mark.parametrize(
    ("step", "rests_s"), [("before", 60.0), ("change", ASK.cooldown_s), ("verify", ASK.cooldown_s)]
)
def test_a_failed_run_rests_for_the_full_cooldown_only_if_a_write_may_have_gone_out(
    worker: FakeWorker, step: str, rests_s: float
) -> None:
    worker.change.fails[step] = REFUSED

    worker.execute(ASK)

    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "failed"
    assert outcome.cooldown_until == worker.clock.time() + rests_s
    assert worker.runs.again == []


def runs_in_a_row(worker: FakeWorker, count: int) -> list[float]:
    """How long the claim rests after each of `count` runs that follow one another, in seconds."""
    rests = []
    for generation in range(1, count + 1):
        run_id = f"worker-vm.up.{generation}"
        worker.execute(request_for("vertical_scale", WORKER, id=run_id))
        rests.append(worker.runs.outcomes[run_id].cooldown_until - worker.clock.time())
    return rests


def test_runs_that_write_nothing_rest_longer_each_time_up_to_the_cooldown(
    worker: FakeWorker,
) -> None:
    worker.change.fails["before"] = NO_ROOM
    assert runs_in_a_row(worker, 6) == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_run_that_wrote_ends_the_row_of_those_that_did_not(worker: FakeWorker) -> None:
    worker.change.fails["before"] = NO_ROOM
    runs_in_a_row(worker, 2)
    del worker.change.fails["before"]
    worker.execute(request_for("vertical_scale", WORKER, id="worker-vm.up.3"))
    worker.change.fails["before"] = NO_ROOM
    last = request_for("vertical_scale", WORKER, id="worker-vm.up.4")
    worker.execute(last)
    assert worker.runs.outcomes[last.id].cooldown_until == worker.clock.time() + 60.0


def test_refusals_for_good_are_one_warning_until_a_run_succeeds(worker: FakeWorker) -> None:
    worker.change.fails["before"] = NO_ROOM
    runs_in_a_row(worker, 3)

    (page,) = worker.pager.open.values()
    assert (page.dedup_key, page.severity) == (blocked_key(ASK), "warning")
    assert "Size is not available" in page.details["what happened"]
    assert all(said.startswith("Failed: ") for said in worker.said())

    worker.change.fails.clear()
    worker.execute(request_for("vertical_scale", WORKER, id="worker-vm.up.4"))
    assert worker.pager.open == {}


def test_a_refusal_for_now_puts_the_run_off_for_as_long_as_the_vendor_asks(
    worker: FakeWorker,
) -> None:
    worker.change.fails["before"] = BUSY_FOR_AN_HOUR

    worker.execute(ASK)

    outcome, (again,) = worker.runs.outcomes[RUN], worker.runs.again
    assert outcome.status == "held"
    assert outcome.cooldown_until == worker.clock.time() + 3_600.0
    assert (again.request, again.delay_s) == (ASK, 3_600.0)
    assert worker.pager.open == {}
    (said,) = worker.said()
    assert said.startswith("Put off: worker-vm: size small → large")
    assert "Try later." in said
    assert worker.runs.decisions[0].decision.guard == "vendor_busy"


def test_a_refusal_for_now_is_a_warning_once_it_goes_on(worker: FakeWorker) -> None:
    worker.change.fails["before"] = BUSY_FOR_AN_HOUR
    runs_in_a_row(worker, 3)
    (page,) = worker.pager.open.values()
    assert (page.dedup_key, page.severity) == (blocked_key(ASK), "warning")


def test_a_target_that_somebody_changed_since_the_plan_is_planned_anew_without_a_page(
    worker: FakeWorker,
) -> None:
    worker.change.fails["before"] = TargetChanged("change", "A person made it medium.")
    runs_in_a_row(worker, 3)

    assert [again.delay_s for again in worker.runs.again] == [60.0, 120.0, 240.0]
    assert worker.runs.outcomes[RUN].status == "held"
    assert worker.pager.open == {}
    assert "A person made it medium. It is looked at again in 1 min, at " in worker.said()[0]


def test_a_target_that_somebody_changed_after_our_write_is_a_failure(worker: FakeWorker) -> None:
    worker.change.fails["change"] = TargetChanged("change", "A person took it back.")

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "failed"
    assert worker.pager.open[run_dedup_key(RUN)].severity == "critical"


def test_a_failure_that_an_earlier_version_recorded_ends_as_it_did_there(
    worker: FakeWorker,
) -> None:
    worker.change.fails["change"] = REFUSED
    safe = {"left": "It is on at small.", "wrote": True}
    worker.execute(ASK, Recorder({"make_safe": safe}))
    assert worker.runs.outcomes[RUN].cooldown_until == worker.clock.time() + ASK.cooldown_s


def test_a_target_that_cannot_be_looked_at_is_a_warning(worker: FakeWorker) -> None:
    worker.change.unseen = AWAY
    worker.execute(ASK)
    assert worker.pager.open[blocked_key(ASK)].severity == "warning"


def test_a_look_that_the_vendor_puts_off_is_a_warning_only_once_it_goes_on(
    worker: FakeWorker,
) -> None:
    worker.change.unseen = BUSY_FOR_AN_HOUR
    worker.execute(ASK)
    assert worker.runs.again[0].delay_s == 3_600.0
    assert worker.pager.open == {}

    worker.execute(request_for("vertical_scale", WORKER, id="worker-vm.up.2"))

    assert worker.pager.open[blocked_key(ASK)].severity == "warning"
    assert len(worker.said()) == 1


@pytest.mark.parametrize("ends", ["at the bound", "unobservable", "refused", "busy"])
def test_one_page_waits_for_the_pager_however_often_a_target_is_tried(
    worker: FakeWorker, ends: str
) -> None:
    worker.pager.problem = AWAY
    match ends:
        case "at the bound":
            worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
        case "unobservable":
            worker.change.unseen = AWAY
        case "refused":
            worker.change.fails["before"] = NO_ROOM
        case _:
            worker.change.fails["before"] = BUSY_FOR_AN_HOUR

    runs_in_a_row(worker, 4)

    assert len(worker.late) == 1


def test_a_vendors_error_fails_the_run_with_its_own_sentence(worker: FakeWorker) -> None:
    worker.change.fails["change"] = GONE
    worker.execute(ASK)
    assert "There is none." in worker.runs.outcomes[RUN].reason
    (page,) = worker.pager.open.values()
    assert page.details["step"] == "change"


def test_a_failed_run_whose_page_cannot_be_delivered_says_so_in_slack(worker: FakeWorker) -> None:
    worker.change.fails["change"] = REFUSED
    worker.pager.problem = AWAY

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "failed"
    assert any("nobody was paged yet" in said for said in worker.said())
    ((late, delay_s),) = worker.late
    assert (late.page.dedup_key, delay_s) == (run_dedup_key(RUN), 0.0)


@scenario(
    "Where runbookd itself cannot work",
    "PagerDuty is away when a run is held at its maximum.",
    "The run ends at once, and the next change of the target need not wait. The page has a queue "
    "of its own, and is tried each minute for an hour.",
)
@pytest.mark.parametrize(
    "held",
    [
        PlanHeld("ladder_top", "It is at the top.", at_bound=True),
        PlanHeld(UNOBSERVABLE, "It could not be looked at."),
    ],
    ids=["at the bound", "unobservable"],
)
def test_the_page_of_a_held_run_is_tried_once_and_queued(
    worker: FakeWorker, held: PlanHeld, vendor_saw: VendorSaw
) -> None:
    worker.change.held = held
    worker.pager.problem = AWAY
    began_at = worker.clock.monotonic()

    worker.execute(ASK)

    assert worker.pager.tries == 1
    assert worker.clock.monotonic() == began_at
    ((late, delay_s),) = worker.late
    assert (late.run, delay_s) == (RUN, 0.0)
    vendor_saw(worker.change.changes)


@pytest.mark.parametrize("ends", ["done", "held", "failed"])
def test_no_end_of_a_run_waits_longer_for_pager_and_slack_than_one_call_of_each(
    worker: FakeWorker, ends: str
) -> None:
    def hang(*_: object) -> None:
        worker.clock.sleep(10.0)
        raise AWAY

    worker.change.held = (
        PlanHeld("ladder_top", "The top.", at_bound=True) if ends == "held" else None
    )
    worker.change.fails = {"verify": REFUSED} if ends == "failed" else {}
    steps = Recorder(dies_after="conclude")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)
    worker.pager.hangs = worker.messenger.hangs = hang
    began_at = worker.clock.monotonic()

    worker.execute(ASK, steps)

    assert worker.clock.monotonic() - began_at <= 2 * 10.0
    assert worker.runs.outcomes[RUN].status != "running"


def test_what_the_pager_could_not_close_is_queued_to_be_closed(worker: FakeWorker) -> None:
    worker.pager.open[blocked_key(ASK)] = worker.pager.open["unrelated"] = PAGE
    worker.pager.problem = AWAY
    worker.execute(ASK)
    worker.pager.problem = None

    for late, _ in worker.late:
        deliver(worker.parts, late, Recorder())

    assert list(worker.pager.open) == ["unrelated"]


def test_a_messenger_that_hangs_delays_a_change_once_and_not_at_each_word(
    worker: FakeWorker,
) -> None:
    context = RunContext(worker.parts, RUN, 1, ASK.target.resource)
    context.thread = MessageRef("C000", "1")
    worker.messenger.problem = AWAY
    context.progress("Powering off.")
    worker.messenger.problem = None

    context.progress("Resizing.")
    assert worker.said() == []

    worker.clock.sleep(60.0)
    context.progress("Powering on.")
    assert worker.said() == [" | Powering on."]


# ---- Executed again ----


@pytest.mark.parametrize("step", ["prepare", "announce", "change", "verify", "conclude", "report"])
def test_a_run_that_is_taken_up_again_changes_and_tells_once(worker: FakeWorker, step: str) -> None:
    steps = Recorder(dies_after=step)
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)

    worker.execute(ASK, steps)

    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert len(worker.messenger.messages) == 1
    assert len(worker.pager.changes) == 1


def test_a_run_that_is_taken_up_again_is_looked_at_once_more_a_minute_after_its_end(
    worker: FakeWorker,
) -> None:
    steps = Recorder(dies_after="change")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)

    worker.execute(ASK, steps)

    assert worker.looks == [(RUN, "adopted.2", 60.0)]


def test_an_announcement_that_was_posted_before_the_crash_is_not_posted_again(
    worker: FakeWorker,
) -> None:
    steps = Recorder(dies_after="announce")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)
    del steps.records["announce"]

    worker.execute(ASK, steps)

    assert len(worker.messenger.messages) == 1
    assert worker.said()[0].startswith("Done: ")


def test_an_execution_that_is_fenced_out_queues_a_look_and_ends_the_process(
    worker: FakeWorker,
) -> None:
    def adopted() -> None:
        worker.runs.begin(RUN, worker.clock.time())

    worker.change.before_write = adopted

    with pytest.raises(ProcessEnded):
        worker.execute(ASK)

    assert worker.looks == [(RUN, "fenced.1", 0.0)]
    assert worker.change.value == "small"
    assert RUN not in worker.runs.outcomes
    assert str(FencedOut(RUN, 1, 2)) in worker.ended_because[0]


def test_a_store_that_fails_in_a_step_ends_the_process_and_leaves_no_record(
    worker: FakeWorker,
) -> None:
    def lose_the_store() -> None:
        worker.runs.down = True

    worker.change.before_write = lose_the_store
    steps = Recorder()

    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)

    assert "change" not in steps.records
    assert len(worker.ended_because) == 1


@pytest.mark.parametrize("at", ["beginning", "step"])
def test_a_conflict_with_other_writers_is_tried_again(worker: FakeWorker, at: str) -> None:
    def conflict() -> None:
        worker.runs.conflicts = 2
        worker.change.before_write = lambda: None

    worker.runs.add(ASK)
    if at == "beginning":
        conflict()
    else:
        worker.change.before_write = conflict

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert worker.ended_because == []


def test_a_conflict_that_does_not_end_ends_the_process(worker: FakeWorker) -> None:
    worker.runs.add(ASK)
    worker.runs.conflicts = 3

    with pytest.raises(ProcessEnded):
        worker.execute(ASK)


def test_a_store_that_fails_at_the_beginning_ends_the_process(worker: FakeWorker) -> None:
    worker.runs.add(ASK)
    worker.runs.down = True

    with pytest.raises(ProcessEnded):
        worker.execute(ASK)

    assert "could not begin" in worker.ended_because[0]


def test_a_record_that_cannot_be_kept_ends_the_process(worker: FakeWorker) -> None:
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, Recorder(broken=StoreUnavailable("step prepare not recorded")))

    assert "not recorded" in worker.ended_because[0]


def test_a_run_that_another_execution_went_on_with_queues_a_look_and_ends_the_process(
    worker: FakeWorker,
) -> None:
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, Recorder(broken=RunLost("step prepare was recorded")))

    assert worker.looks == [(RUN, "fenced.1", 0.0)]


def test_a_mistake_of_ours_in_a_planned_step_fails_the_run_as_a_refusal_does(
    worker: FakeWorker,
) -> None:
    worker.change.fails["change"] = KeyError("a bug")

    worker.execute(ASK)

    assert worker.ended_because == []
    assert worker.runs.outcomes[RUN].status == "failed"
    assert worker.change.made_safe == 1
    page = worker.pager.open[run_dedup_key(RUN)]
    assert page.details["what happened"].startswith("Step change raised KeyError ('a bug').")
