from __future__ import annotations

from service.domain.planning import Tell
from service.domain.rules import ActionName
from tests.fakes.engine import FakeWorker

RUN = "slow-responses-0123456789abcdef.notify.1"
ASK = Tell(
    run_id=RUN,
    action=ActionName.INVESTIGATE,
    rule="slow-responses",
    subject="slow-responses-0123456789abcdef.notify",
    cooldown_s=3600.0,
    severity=None,
    summary="Slow Response Time",
    alerts=("alert-1",),
    rules_hash="0123456789ab",
)


def test_an_investigation_is_one_message_and_rests_for_its_cooldown() -> None:
    worker = FakeWorker()

    worker.execute(ASK)

    assert len(worker.messenger.messages) == 1
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "succeeded"
    assert outcome.rests_until == worker.clock.time() + 3600.0
    assert worker.locks.rests == {"slow-responses-0123456789abcdef.notify": outcome.rests_until}
