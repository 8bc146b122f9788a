"""Whose a droplet is that is off: the run's that switched it off, or a person's.

Pure. We switch on only what our own last power action switched off. A newer power-off or shutdown
that is not ours is a person's, and the person has taken the droplet over.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from service.ports.droplet import DropletAction
from service.ports.offs import Sent

ERRORED = "errored"
OFF_ACTIONS = ("shutdown", "power_off")
ON_ACTIONS = ("power_on", "power_cycle")
POWER_ACTIONS = (*OFF_ACTIONS, *ON_ACTIONS)


class Owner(StrEnum):
    """Who switched the droplet off."""

    OURS = "ours"
    A_PERSON = "a person"
    UNCERTAIN = "uncertain"
    """We have sent an action, and the vendor's list shows none: switch it on, and page."""


def owner_of_off(actions: Sequence[DropletAction], sent: Sequence[Sent], *, seen_on: bool) -> Owner:
    """Who switched off a droplet that is off now.

    `actions` are the droplet's, newest first. `seen_on` is True once the run has seen the droplet
    on again: then whatever switched it off without an action of ours came later.
    """
    if not sent:
        return Owner.A_PERSON
    since = since_action(actions, sent[0].after)
    newest = next((one for one in since if _effective(one)), None)
    if newest is None:
        return Owner.A_PERSON if seen_on else Owner.UNCERTAIN
    if newest.type in ON_ACTIONS:
        return Owner.A_PERSON if seen_on else Owner.OURS
    return Owner.OURS if newest.id in our_actions(actions, sent) else Owner.A_PERSON


def our_actions(actions: Sequence[DropletAction], sent: Sequence[Sent]) -> frozenset[int]:
    """The ids of our own actions.

    An action without an id on record is the first of its type since it was about to be sent.
    """
    ids = {one.id for one in sent if one.id is not None}
    for intent in sent:
        if intent.id is None:
            candidates = reversed(since_action(actions, intent.after))
            ids.update(
                [one.id for one in candidates if one.type == intent.type and one.id not in ids][:1]
            )
    return frozenset(ids)


def since_action(actions: Sequence[DropletAction], anchor: int | None) -> list[DropletAction]:
    """The actions after the one with id `anchor`; all of them where it is not on the page.

    By place in the list and not by time, so that the clocks need not agree.
    """
    ids = [one.id for one in actions]
    end = ids.index(anchor) if anchor in ids else len(ids)
    return list(actions[:end])


def _effective(action: DropletAction) -> bool:
    return action.type in POWER_ACTIONS and action.status != ERRORED
