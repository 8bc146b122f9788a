from __future__ import annotations

import pytest

from service.catalogue.droplet.owner import Owner, owner_of_off, since_action
from service.ports.droplet import DropletAction
from service.ports.offs import Sent


def listed(*actions: str) -> list[DropletAction]:
    """Actions from 100 downwards, newest first, each `type` (completed) or `type:status`."""
    found = []
    for place, text in enumerate(actions):
        kind, _, how = text.partition(":")
        found.append(DropletAction(100 - place, kind, how or "completed", None))
    return found


def shutdown(number: int | None = None, after: int | None = None) -> Sent:
    return Sent("shutdown", after, number)


def power_off(number: int | None = None, after: int | None = None) -> Sent:
    return Sent("power_off", after, number)


OURS, A_PERSON, UNCERTAIN = Owner.OURS, Owner.A_PERSON, Owner.UNCERTAIN
TABLE = [
    ("a run that sent nothing", ["power_off"], [], False, A_PERSON),
    ("our shutdown", ["shutdown", "snapshot"], [shutdown(100, 99)], False, OURS),
    ("ours, resized since", ["resize", "shutdown", "snapshot"], [shutdown(99, 98)], False, OURS),
    ("ours, still on its way", ["shutdown:in-progress"], [shutdown(100)], False, OURS),
    ("ours by its place: no id", ["shutdown", "snapshot"], [shutdown(None, 99)], False, OURS),
    ("the second of its kind since", ["shutdown", "shutdown"], [shutdown(None)], False, A_PERSON),
    ("two intents, two actions", ["shutdown", "shutdown"], [shutdown(), shutdown()], False, OURS),
    (
        "another kind than was sent",
        ["power_off", "snapshot"],
        [shutdown(None, 99)],
        False,
        A_PERSON,
    ),
    ("both of ours", ["power_off", "shutdown"], [shutdown(99), power_off(None, 99)], False, OURS),
    ("a person after ours", ["power_off", "shutdown"], [shutdown(99)], False, A_PERSON),
    (
        "a person after our on",
        ["power_off", "power_on", "shutdown"],
        [shutdown(98)],
        True,
        A_PERSON,
    ),
    ("our on had no effect yet", ["power_on", "shutdown"], [shutdown(99)], False, OURS),
    ("our on failed", ["power_on:errored", "shutdown"], [shutdown(99)], False, OURS),
    ("off without an action, after on", ["power_on", "shutdown"], [shutdown(99)], True, A_PERSON),
    ("a person's failed", ["power_off:errored", "shutdown"], [shutdown(99)], False, OURS),
    ("ours failed, yet it is off", ["shutdown:errored"], [shutdown(100)], False, UNCERTAIN),
    ("the list shows nothing", ["snapshot"], [shutdown(None, 100)], False, UNCERTAIN),
    ("nothing shown, seen on since", ["snapshot"], [shutdown(None, 100)], True, A_PERSON),
    (
        "a late write of ours",
        ["shutdown", "power_on", "shutdown"],
        [shutdown(), shutdown(98)],
        True,
        OURS,
    ),
    ("long ago: ours left the page", ["power_on", "power_on"], [shutdown(7, 6)], False, OURS),
    ("before the run", ["snapshot", "power_off"], [shutdown(None, 100)], False, UNCERTAIN),
]


@pytest.mark.parametrize(
    ("actions", "sent", "seen_on", "owner"), [pytest.param(*row[1:], id=row[0]) for row in TABLE]
)
def test_only_what_our_own_last_power_action_switched_off_is_ours(
    actions: list[str], sent: list[Sent], seen_on: bool, owner: Owner
) -> None:
    assert owner_of_off(listed(*actions), sent, seen_on=seen_on) is owner


@pytest.mark.parametrize(
    ("anchor", "found"),
    [(99, [100]), (100, []), (98, [100, 99]), (1, [100, 99, 98]), (None, [100, 99, 98])],
    ids=["in between", "nothing since", "the last", "not on the page", "none before"],
)
def test_what_happened_since_is_told_by_place_and_not_by_time(
    anchor: int | None, found: list[int]
) -> None:
    actions = listed("snapshot", "rename", "reboot")
    assert [one.id for one in since_action(actions, anchor)] == found
