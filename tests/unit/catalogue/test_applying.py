"""What a failed sending allows next: a temporary one a resend, an unknown one first a look."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from service.catalogue.context import Record
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.runs import FakeContext

TIMINGS = Timings()
TEMPORARY, UNKNOWN, PERMANENT = (
    vendor_error(kind)
    for kind in (FailureKind.TEMPORARY, FailureKind.UNKNOWN, FailureKind.PERMANENT)
)


@dataclass(slots=True)
class Vendor:
    """A value to write, and what the next sendings are answered with. `log` is what was done."""

    context: FakeContext
    answers: list[VendorError]
    taken: bool = False
    changed: bool = False
    log: list[str] = field(default_factory=list)

    def look(self) -> Applied | Pending[None]:
        self.log.append("look")
        if self.changed:
            raise TargetChanged("write", "A person changed it.")
        return Applied({"taken": True}) if self.taken else Pending(None)

    def send(self, _: None) -> Record:
        self.log.append("send")
        if self.answers:
            raise self.answers.pop(0)
        self.taken = True
        return {"taken": True}

    def apply_once(self) -> Record:
        intent = self.context.intent("write")
        return apply_once(
            self.context, intent, Write("write", "writing it", self.look, self.send), TIMINGS
        )


def vendor(*answers: VendorError) -> Vendor:
    return Vendor(FakeContext(FakeClock(), {}), list(answers))


def test_a_temporary_refusal_is_sent_again_without_the_wait_for_a_late_effect() -> None:
    one = vendor(TEMPORARY)
    one.apply_once()
    assert one.log == ["look", "send", "look", "send"]
    assert one.context.clock.monotonic() - FakeClock().monotonic() < TIMINGS.settle_unknown_s / 2


def test_an_unknown_answer_is_looked_after_until_its_effect_could_have_shown() -> None:
    one = vendor(UNKNOWN)
    one.apply_once()
    assert one.log[:3] == ["look", "send", "look"]
    assert one.log.count("send") == 2
    assert one.context.clock.monotonic() - FakeClock().monotonic() >= TIMINGS.settle_unknown_s


def test_a_temporary_refusal_after_an_unknown_answer_does_not_make_it_certain() -> None:
    one = vendor(UNKNOWN, PERMANENT)
    with pytest.raises(VendorError):
        one.apply_once()
    assert "write" in one.context.intents


@pytest.mark.parametrize("refusals", [[PERMANENT], [TEMPORARY] * 5], ids=["for good", "for now"])
def test_a_write_that_was_certainly_refused_leaves_no_intent(refusals: list[VendorError]) -> None:
    one = vendor(*refusals)
    with pytest.raises(VendorError):
        one.apply_once()
    assert one.context.intents == {}


def test_a_write_that_was_never_sent_leaves_no_intent() -> None:
    one = vendor()
    one.changed = True
    with pytest.raises(TargetChanged):
        one.apply_once()
    assert one.context.intents == {}


def test_a_write_that_may_have_been_taken_keeps_its_intent() -> None:
    one = vendor(*[UNKNOWN] * 3)
    with pytest.raises(StepFailed, match=r"said no\. It was sent 3 times, .* no effect"):
        one.apply_once()
    assert "write" in one.context.intents


def test_a_refusal_in_a_later_execution_says_nothing_of_the_former_ones_write() -> None:
    one = vendor(PERMANENT)
    one.context.intent("write")
    with pytest.raises(VendorError):
        one.apply_once()
    assert "write" in one.context.intents


def test_a_vendor_that_asks_for_two_minutes_is_waited_for_and_then_written_to() -> None:
    one = vendor(vendor_error(FailureKind.TEMPORARY, "it answered 429.", retry_after=120.0))
    one.apply_once()
    assert one.taken
    assert one.context.clock.monotonic() - FakeClock().monotonic() >= 120.0
    assert one.context.told == ["Not taken yet: writing it. fake: write: it answered 429."]


def test_a_vendor_that_asks_for_an_hour_is_not_waited_for_within_the_run() -> None:
    one = vendor(vendor_error(FailureKind.TEMPORARY, retry_after=3_600.0))
    with pytest.raises(VendorError) as caught:
        one.apply_once()
    assert caught.value.retry_after == 3_600.0
    assert one.context.clock.monotonic() == FakeClock().monotonic()
