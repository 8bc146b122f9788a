"""What alerts added is known apart from what a person set, whatever a run came to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.capacity.ledger import (
    Entry,
    Made,
    Value,
    after_run,
    entry_from_json,
    entry_json,
    seen,
)

NOW = 1_800_000_000.0


def made(before: Value, after: Value, at: float = NOW, **changes: Any) -> Made:
    """What a run that alerts asked for has made of the API's replicas."""
    facts: dict[str, Any] = {"run": f"api.out.{at:.0f}", "rule": "high-cpu", "alerts": ("a-1",)}
    return Made("api", "replicas", before, after, at, **{**facts, "adds": True, **changes})


def added(*steps: tuple[int, int]) -> Entry:
    """The entry after alerts have added these steps, ten minutes apart."""
    entry: Entry | None = None
    for number, (before, after) in enumerate(steps):
        entry = after_run(entry, made(before, after, NOW + number * 600))
    assert entry is not None
    return entry


def left(entry: Entry) -> list[tuple[Value, Value]]:
    return [(each.before, each.after) for each in entry.additions]


def test_each_step_that_alerts_ask_for_is_one_addition_with_its_run_rule_and_alerts() -> None:
    entry = added((2, 3), (3, 4))
    assert left(entry) == [(2, 3), (3, 4)]
    assert entry.value == 4
    assert entry.additions[0].rule == "high-cpu"
    assert entry.additions[0].alerts == ("a-1",)


def test_a_return_takes_back_the_last_addition_of_its_rule_first() -> None:
    back = made(4, 3, NOW + 9_000, adds=False, returns=True)
    entry = after_run(added((2, 3), (3, 4)), back)
    assert left(entry) == [(2, 3)]
    assert (entry.value, entry.returned_at) == (3, NOW + 9_000)


def test_a_return_of_one_instance_leaves_the_rest_of_a_larger_addition() -> None:
    entry = after_run(added((2, 5)), made(5, 4, NOW + 9_000, adds=False, returns=True))
    assert left(entry) == [(2, 4)]


def test_a_return_of_one_rule_leaves_what_another_rule_has_added() -> None:
    entry = after_run(added((2, 3)), made(3, 4, NOW + 600, rule="traffic"))
    back = after_run(entry, made(4, 3, NOW + 9_000, adds=False, returns=True))
    assert [each.rule for each in back.additions] == ["traffic"]


def test_what_a_person_sets_counts_as_added_by_nobody() -> None:
    entry = after_run(added((2, 3), (3, 4)), made(4, 6, NOW + 9_000, adds=False))
    assert (entry.value, entry.additions) == (6, ())


def test_an_undo_takes_out_the_addition_of_the_run_that_it_undoes() -> None:
    entry = added((2, 3), (3, 4))
    last = entry.additions[-1].run
    undone = after_run(entry, made(4, 3, NOW + 9_000, adds=False, undoes=last))
    assert left(undone) == [(2, 3)]


def test_a_look_that_shows_what_we_set_changes_nothing() -> None:
    entry = added((2, 3))
    assert seen(entry, 3) == (entry, False)


@pytest.mark.parametrize("value", [2, 5])
def test_a_value_that_nobody_here_has_set_is_a_persons_and_nothing_of_it_is_added(
    value: int,
) -> None:
    entry, by_person = seen(added((2, 3)), value)
    assert by_person
    assert (entry.value, entry.additions) == (value, ())


def test_a_failed_run_whose_write_had_no_effect_has_added_nothing_and_is_no_persons_doing() -> None:
    entry = after_run(added((2, 3)), made(3, 4, NOW + 600, verified=False))
    back, by_person = seen(entry, 3)
    assert not by_person
    assert left(back) == [(2, 3)]


def test_a_failed_run_whose_write_took_effect_has_added_what_it_wanted() -> None:
    entry = after_run(added((2, 3)), made(3, 4, NOW + 600, verified=False))
    kept, by_person = seen(entry, 4)
    assert not by_person
    assert left(kept) == [(2, 3), (3, 4)]
    assert kept.otherwise is None


def test_a_return_that_is_answered_by_an_alert_makes_the_next_one_wait_twice_as_long() -> None:
    returned = after_run(added((2, 3)), made(3, 2, NOW + 3_600, adds=False, returns=True))
    soon = after_run(returned, made(2, 3, NOW + 4_000, asked_again_s=1_800))
    assert soon.wait_s(1_800) == 3_600
    again = after_run(soon, made(3, 2, NOW + 8_000, adds=False, returns=True))
    assert after_run(again, made(2, 3, NOW + 11_000, asked_again_s=1_800)).wait_s(1_800) == 7_200


def test_an_alert_long_after_the_return_makes_it_wait_no_longer() -> None:
    returned = after_run(added((2, 3)), made(3, 2, NOW + 3_600, adds=False, returns=True))
    later = after_run(returned, made(2, 3, NOW + 3_600 + 1_800, asked_again_s=1_800))
    assert later.wait_s(1_800) == 1_800


def test_a_return_waits_for_no_more_than_a_day() -> None:
    assert replace(added((2, 3)), doubled=40).wait_s(1_800) == 86_400
    assert replace(added((2, 3)), doubled=1).wait_s(172_800) == 172_800


def test_a_size_is_taken_back_one_addition_at_a_time() -> None:
    up = Made("vm", "size", "small", "large", NOW, "vm.up.1", "memory", adds=True)
    entry = after_run(None, up)
    down = replace(up, before="large", after="small", adds=False, returns=True)
    assert after_run(entry, down).additions == ()


def test_an_entry_survives_json() -> None:
    entry = after_run(added((2, 3)), made(3, 4, NOW + 600, verified=False))
    assert Entry("api", "replicas", at=entry.at, **entry_from_json(entry_json(entry))) == entry
