from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from service.catalogue.droplet.moves import Move, Section, next_move
from service.catalogue.droplet.owner import Owner
from service.ports.droplet import DropletAction, DropletState

OLD, NEW, OTHER = "s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb"
GRACE = 60.0


def section(status: str, size: str, *actions: str, locked: bool = False) -> Section:
    """`actions` newest first, each `type` (completed) or `type:status`."""
    since = []
    for place, text in enumerate(actions):
        kind, _, how = text.partition(":")
        since.append(DropletAction(100 - place, kind, how or "completed", None))
    droplet = DropletState("101", "worker", size, status, locked, 25, 1, 1024)
    return Section(droplet, since, OLD, NEW)


TABLE = [
    ("nothing begun", section("active", OLD), 0, False, Move.SHUTDOWN),
    ("shutting down", section("active", OLD, "shutdown:in-progress"), 10, False, Move.WAIT),
    ("hangs", section("active", OLD, "shutdown:in-progress"), 60, False, Move.POWER_OFF),
    ("ignored, in grace", section("active", OLD, "shutdown"), 59.9, False, Move.WAIT),
    ("ignored, grace over", section("active", OLD, "shutdown"), 60, False, Move.POWER_OFF),
    ("shutdown failed", section("active", OLD, "shutdown:errored"), 0, False, Move.POWER_OFF),
    ("powering off", section("active", OLD, "power_off:in-progress"), 99, False, Move.WAIT),
    ("off, not shown yet", section("active", OLD, "power_off", "shutdown"), 5, False, Move.WAIT),
    ("off without effect", section("active", OLD, "power_off"), 60, False, Move.POWER_OFF),
    ("off", section("off", OLD, "shutdown"), 0, False, Move.RESIZE),
    ("off, no list", section("off", OLD), 0, False, Move.RESIZE),
    ("cut short", section("off", OLD, "power_off", "shutdown:in-progress"), 0, False, Move.RESIZE),
    ("resizing", section("off", OLD, "resize:in-progress", "shutdown"), 0, False, Move.WAIT),
    ("locked by others", section("off", OLD, locked=True), 0, False, Move.WAIT),
    ("resized", section("off", NEW, "resize", "shutdown"), 0, False, Move.POWER_ON),
    ("resize failed", section("off", OLD, "resize:errored", "shutdown"), 0, False, Move.POWER_ON),
    ("other size", section("off", OTHER, "shutdown"), 0, False, Move.POWER_ON),
    ("coming on", section("off", NEW, "power_on:in-progress", "resize"), 0, False, Move.WAIT),
    ("did not come on", section("off", NEW, "power_on:errored"), 0, False, Move.POWER_ON),
    ("did not stay on", section("off", NEW, "power_on"), 0, False, Move.POWER_ON),
    ("done", section("active", NEW, "power_on", "resize", "shutdown"), 0, False, Move.DONE),
    ("done by others", section("active", NEW), 0, False, Move.DONE),
    ("not settled", section("active", NEW, "power_on:in-progress"), 0, False, Move.WAIT),
    ("a person", section("active", OLD, "power_on", "shutdown"), 0, False, Move.GIVE_UP),
    ("a person's size", section("active", OTHER), 0, False, Move.GIVE_UP),
    ("back on", section("active", OLD, "power_on", "resize:errored"), 0, False, Move.GIVE_UP),
    ("restore: off", section("off", OLD, "shutdown"), 0, True, Move.POWER_ON),
    ("restore: on", section("active", OLD, "shutdown"), 99, True, Move.GIVE_UP),
    ("restore: hangs", section("active", OLD, "shutdown:in-progress"), 99, True, Move.WAIT),
    ("restore: new size after all", section("active", NEW, "resize"), 0, True, Move.DONE),
    ("being made", section("new", OLD), 0, False, Move.WAIT),
    ("archived", section("archive", OLD), 0, False, Move.GONE),
]


@pytest.mark.parametrize(
    ("shown", "asked_off_s", "must_restore", "move"),
    [pytest.param(*row[1:], id=row[0]) for row in TABLE],
)
def test_the_next_move_follows_from_what_a_look_shows(
    shown: Section, asked_off_s: float, must_restore: bool, move: Move
) -> None:
    found = next_move(shown, grace_s=GRACE, asked_off_s=asked_off_s, must_restore=must_restore)
    assert found is move


def test_no_state_lets_a_droplet_that_is_off_be_forgotten() -> None:
    actions = ("shutdown", "power_off", "resize", "power_on", "snapshot", "rename")
    hows = ("completed", "errored", "in-progress")
    states = itertools.product((OLD, NEW, OTHER), actions, hows, actions, hows, (True, False))
    for size, first, how, second, other, must_restore in states:
        shown = section("off", size, f"{first}:{how}", f"{second}:{other}")
        move = next_move(shown, grace_s=GRACE, asked_off_s=1e6, must_restore=must_restore)
        waits = how == "in-progress"
        assert move in ({Move.WAIT} if waits else {Move.RESIZE, Move.POWER_ON})


def test_a_droplet_that_is_on_is_never_resized_or_switched_off_twice_at_once() -> None:
    for action in ("shutdown", "power_off"):
        shown = section("active", OLD, action)
        assert next_move(shown, grace_s=GRACE, asked_off_s=0) is Move.WAIT


def test_a_droplet_that_a_person_switched_off_is_left_off() -> None:
    for action in ("shutdown", "power_off"):
        shown = replace(section("off", OLD, action), owner=Owner.A_PERSON)
        for must_restore in (False, True):
            assert next_move(shown, grace_s=GRACE, must_restore=must_restore) is Move.TAKEN_OVER


def test_in_doubt_a_droplet_that_is_off_is_brought_on() -> None:
    shown = replace(section("off", NEW), owner=Owner.UNCERTAIN)
    assert next_move(shown, grace_s=GRACE) is Move.POWER_ON
