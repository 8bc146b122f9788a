from __future__ import annotations

import pytest

from service.domain.capacity.refusals import LONGEST_S, Refusal, held_by_refusal
from service.domain.decisions.planning import Plan

NOW = 1_780_000_000.0
COOLDOWN_S = 1_800.0
PLAN = Plan("size", "s-1vcpu-1gb", "s-1vcpu-2gb", ("resize",), {})
WORDS = "It is too large for its server."


def refused(times: int, size: str = "s-1vcpu-2gb") -> list[Refusal]:
    return [Refusal("worker-vm.up.1", size, NOW, WORDS)] * times


@pytest.mark.parametrize(
    ("times", "held_for_s"),
    [
        (1, 2 * COOLDOWN_S),
        (2, 4 * COOLDOWN_S),
        (3, 8 * COOLDOWN_S),
        (9, LONGEST_S),
        (4000, LONGEST_S),
    ],
)
def test_a_refused_size_is_held_for_longer_each_time_up_to_a_day(
    times: int, held_for_s: float
) -> None:
    def held(now: float) -> bool:
        return (
            held_by_refusal(PLAN, refused(times), target="vm", cooldown_s=COOLDOWN_S, now=now)
            is not None
        )

    assert held(NOW + held_for_s - 1)
    assert not held(NOW + held_for_s)


def test_another_size_is_not_held() -> None:
    refusals = refused(3, "c-2")
    assert held_by_refusal(PLAN, refusals, target="vm", cooldown_s=COOLDOWN_S, now=NOW) is None


def test_the_reason_has_the_vendors_words_and_what_to_do() -> None:
    held = held_by_refusal(PLAN, refused(2), target="vm", cooldown_s=COOLDOWN_S, now=NOW)
    assert held is not None
    assert "2 times: It is too large for its server." in held.reason
    assert "another size on its ladder" in held.reason
