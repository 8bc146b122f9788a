"""With the real messenger on a sandbox that limits rates as Slack does: nobody goes untold."""

from __future__ import annotations

import time
from dataclasses import replace

from service.catalogue.request_json import dump_request
from service.domain.decisions.requests import ALERT, Origin
from service.engine.execution import execute
from service.engine.outbox import OutboxRound
from service.providers.slack import SlackMessenger
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.runs import telling_for
from tests.unit.sandbox.support import served

UNKNOWN_ALERTS = 30


def test_thirty_unknown_alerts_at_once_are_all_told_although_slack_takes_one_a_second() -> None:
    worker = FakeWorker()
    with served(rate_limits=True) as sandbox:
        url = f"{sandbox.url}/slack/api/"
        slack = SlackMessenger(token="test-token-not-real", channel="#ops", base_url=url)
        parts = replace(worker.parts, messenger=slack)
        runs = [f"unmatched-{number:016x}.notify.1" for number in range(UNKNOWN_ALERTS)]
        for run in runs:
            request = replace(
                telling_for("investigate", run, cooldown_s=3_600.0),
                origin=Origin(ALERT, "unmatched", "Something", ("alert-1",)),
            )
            worker.runs.add(request)
            execute(parts, run, dump_request(request), Recorder())
        waited = worker.outbox.count()
        assert waited > 1

        until = time.monotonic() + 60
        while worker.outbox.count():
            assert time.monotonic() < until, "messages still wait"
            time.sleep(1.1)
            worker.clock.sleep(60)
            OutboxRound(parts)()

        messages = sandbox.state()["slack"]["messages"]
    assert {worker.runs.outcomes[run].status for run in runs} == {"succeeded"}
    (digest,) = [each for each in messages if "messages that had to wait" in each["text"]]
    assert digest["text"].startswith(f"{waited} messages that had to wait")
    assert len(messages) - 1 + waited == UNKNOWN_ALERTS
