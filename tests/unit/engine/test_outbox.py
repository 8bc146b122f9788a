"""What Slack cannot be told now is told once it is back: the newest state, once, and as late."""

from __future__ import annotations

import json
from dataclasses import replace

from service.domain.errors import FailureKind, VendorError
from service.engine import outbox, reports
from service.engine.outbox import GIVE_UP_S, LONGEST_ASKED_S, OutboxRound
from service.ports import Message, MessageRef
from service.providers.slack_blocks import blocks
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import ASK_DROPLET

RUN = ASK_DROPLET.id
AWAY = VendorError("slack", "post", FailureKind.TEMPORARY, "service_unavailable", None, 503)
GONE = VendorError("slack", "edit", FailureKind.PERMANENT, "message_not_found")


def worker_with_run() -> FakeWorker:
    worker = FakeWorker()
    worker.runs.add(ASK_DROPLET)
    return worker


def slack_is(worker: FakeWorker, problem: VendorError | None) -> None:
    worker.messenger.problem = worker.messenger.stuck = problem


def say(worker: FakeWorker, title: str) -> bool:
    return reports.say(RUN, None, Message(title, "text"), worker.parts)


def a_round_later(worker: FakeWorker, seconds: float) -> list[str]:
    worker.clock.sleep(seconds)
    OutboxRound(worker.parts)()
    return worker.said()


def test_of_a_run_whose_message_had_to_wait_only_its_last_state_is_told() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    for title in ("Scaling", "Failed"):
        assert not say(worker, title)
    slack_is(worker, None)
    assert a_round_later(worker, 10) == ["Failed | text"]
    stored = worker.runs.get(RUN)
    assert stored is not None
    assert stored.message in worker.messenger.messages
    assert worker.outbox.count() == 0


def test_the_last_edit_of_a_message_is_made_when_slack_is_back() -> None:
    worker = worker_with_run()
    say(worker, "Scaling")
    slack_is(worker, AWAY)
    assert not say(worker, "Done")
    assert worker.said() == ["Scaling | text"]
    slack_is(worker, None)
    assert a_round_later(worker, 10) == ["Done | text"]


def test_an_edit_does_not_overtake_one_that_waits() -> None:
    """Slack is back, and the older edit is still to come: it must not be the last word."""
    worker = worker_with_run()
    say(worker, "Scaling")
    slack_is(worker, AWAY)
    say(worker, "Put off")
    slack_is(worker, None)
    assert not say(worker, "Done")
    assert a_round_later(worker, 10) == ["Done | text"]
    assert a_round_later(worker, 600) == ["Done | text"]


def test_what_is_told_a_minute_late_says_so() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    say(worker, "Failed")
    slack_is(worker, None)
    a_round_later(worker, 720)
    (message,) = worker.messenger.messages.values()
    assert message.context.startswith("Told late: Slack took no messages 12 min ago, at ")


def test_a_message_waits_as_long_as_slack_asks_and_at_most_an_hour() -> None:
    for asked, waits in ((90.0, 90.0), (1e9, LONGEST_ASKED_S)):
        worker = worker_with_run()
        slack_is(worker, VendorError("slack", "post", FailureKind.TEMPORARY, "No.", asked, 429))
        say(worker, "Failed")
        slack_is(worker, None)
        assert a_round_later(worker, waits - 1) == []
        assert a_round_later(worker, 1) == ["Failed | text"]


def test_messages_that_wait_together_are_told_as_one_and_none_is_lost() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    for number in range(60):
        outbox.post(Message(f"Alert {number} " + "x" * 200, f"about {number}"), worker.parts)
    say(worker, "Failed")
    slack_is(worker, None)
    a_round_later(worker, 600)
    *digests, failed = worker.messenger.messages.values()
    assert [each.title for each in digests] == ["30 messages that had to wait"] * 2
    assert failed.title == "Failed"
    told = "".join(json.dumps(blocks(each), ensure_ascii=False) for each in digests)
    assert all(f"Alert {number} x" in told for number in range(60))
    assert "Cut to what Slack takes" not in told
    assert worker.outbox.count() == 0


def test_while_slack_takes_nothing_one_try_puts_off_all_that_wait() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    thread = MessageRef("C000", "5")
    for number in range(5):
        outbox.post(Message("", f"{number}"), worker.parts, thread)
    tried: list[None] = []
    worker.messenger.hangs = lambda: tried.append(None)
    a_round_later(worker, 10)
    assert len(tried) == 1
    slack_is(worker, None)
    a_round_later(worker, 600)
    assert worker.outbox.count() == 0


def test_what_a_slow_messenger_leaves_is_left_to_whoever_takes_it_next() -> None:
    """Two workers must not tell the same message, so none is sent when its hold is nearly over."""
    worker = worker_with_run()
    slack_is(worker, AWAY)
    thread = MessageRef("C000", "5")
    for number in range(10):
        outbox.post(Message("", f"{number}"), worker.parts, thread)
    slack_is(worker, None)
    worker.messenger.hangs = lambda: worker.clock.sleep(9)
    taken_at = worker.clock.monotonic() + 60
    a_round_later(worker, 60)
    assert worker.clock.monotonic() - taken_at < 60 - 9
    assert 0 < worker.outbox.count() < 10
    worker.messenger.hangs = lambda: None
    a_round_later(worker, 60)
    assert sorted(each.text for each in worker.messenger.messages.values()) == [
        str(number) for number in range(10)
    ]


def test_a_message_that_is_gone_is_told_anew() -> None:
    worker = worker_with_run()
    say(worker, "Scaling")
    slack_is(worker, AWAY)
    say(worker, "Done")
    worker.messenger.problem, worker.messenger.stuck = None, GONE
    assert a_round_later(worker, 10) == ["Scaling | text", "Done | text"]


def test_what_slack_refuses_for_good_keeps_no_other_message_waiting() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    say(worker, "Failed")
    outbox.post(Message("", "in a thread"), worker.parts, MessageRef("C000", "5"))
    refused = iter([GONE, None])
    worker.messenger.hangs = lambda: slack_is(worker, next(refused))
    assert a_round_later(worker, 10) == [" | in a thread"]
    assert worker.outbox.count() == 1


def test_a_run_that_ends_while_slack_is_away_is_told_when_it_is_back() -> None:
    worker = FakeWorker()
    worker.change.before_write = lambda: slack_is(worker, AWAY)
    worker.execute(ASK_DROPLET)
    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert worker.said()[0].startswith("worker-vm: size small → large")
    slack_is(worker, None)
    assert a_round_later(worker, 60)[0].startswith("Done: worker-vm: size small → large")


def test_a_message_that_was_told_anew_is_where_the_next_edit_goes() -> None:
    worker = worker_with_run()
    say(worker, "Scaling")
    slack_is(worker, AWAY)
    say(worker, "Failed")
    worker.messenger.problem, worker.messenger.stuck = None, GONE
    a_round_later(worker, 10)
    slack_is(worker, None)
    say(worker, "Done after all")
    assert worker.said() == ["Scaling | text", "Done after all | text"]


def test_what_was_said_lately_is_not_given_up_for_what_waited_before_it() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    say(worker, "Scaling")
    worker.clock.sleep(GIVE_UP_S - 1)
    say(worker, "Failed")
    a_round_later(worker, 10)
    slack_is(worker, None)
    assert a_round_later(worker, 3_600) == ["Failed | text"]


def test_after_three_days_a_message_is_given_up() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    say(worker, "Failed")
    a_round_later(worker, GIVE_UP_S)
    assert worker.outbox.count() == 0


def test_without_the_store_a_message_is_still_told() -> None:
    worker = worker_with_run()
    ref = outbox.post(Message("Scaling", "text"), worker.parts)
    assert ref is not None
    worker.outbox.down = True
    assert outbox.edit(ref, Message("Done", "text"), worker.parts)
    assert worker.said() == ["Done | text"]


def test_a_run_that_was_announced_late_is_edited_and_not_told_twice() -> None:
    worker = worker_with_run()
    slack_is(worker, AWAY)
    say(worker, "Scaling")
    slack_is(worker, None)
    a_round_later(worker, 10)
    assert reports.say(RUN, None, replace(Message("Done", "text")), worker.parts)
    assert worker.said() == ["Done | text"]
