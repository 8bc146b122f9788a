"""Whatever a credential without scope sends, and whenever: nothing changes by it.

Each sequence is admitted twice, with and without that credential's notifications. All else must be
decided alike, and leave the same episodes, incidents, claims and runs behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.alerts.episodes import identity
from service.domain.decisions.requests import REFUSED
from service.domain.rules.scopes import EVERYTHING, Scopes
from service.ports.admission import Delivery
from tests.fakes.alerts import CPU, ERRORS, GRACE_S, NOW, OTHER, SLOW, alert, delivery
from tests.fakes.journal import Desk

KNOWN, STRANGER = "prod", "stranger"
SCOPES = Scopes.stating({KNOWN: EVERYTHING})
NAMES = (CPU, ERRORS, SLOW, OTHER)


@dataclass(frozen=True)
class Send:
    """One alert: `labelled` as another one of these names, which a forger may do."""

    credential: str
    name: str
    labelled: str
    firing: bool
    waits: float


_sends = st.builds(
    Send,
    st.sampled_from([KNOWN, STRANGER]),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.booleans(),
    st.sampled_from([0.0, 1.0, GRACE_S + 1, 600.0, 3600.0]),
)


def _deliveries(sends: Iterable[Send]) -> list[Delivery]:
    now = NOW
    made: list[Delivery] = []
    for send in sends:
        now += send.waits
        labelled = send.labelled if send.credential == STRANGER else send.name
        one = alert(send.name, firing=send.firing, labels={"alertname": labelled})
        made.append(delivery(one, credential=send.credential, at=now))
    return made


def _admitted(sent: Sequence[Delivery]) -> tuple[Desk, list[tuple[Any, ...]]]:
    """The desk after all of it, and how the known sender's alerts were decided on."""
    desk = Desk(SCOPES)
    told: list[tuple[Any, ...]] = []
    for each in sent:
        decisions = desk.verdicts(each)
        if each.credential == KNOWN:
            told += [(d.verdict, d.rule, d.guard, d.reason, d.run, d.until) for d in decisions]
        _work(desk, each.received_at)
    return desk, told


def _work(desk: Desk, now: float) -> None:
    """A worker that does at once what is queued, and pages."""
    for run in list(desk.store.runs.values()):
        claim = desk.store.cooldowns[run.request.claim]
        if claim.busy and claim.run == run.request.id:
            desk.store.rest(run.request.claim, now + run.request.cooldown_s)
    for incident in desk.store.incidents.values():
        incident.paged = True


def _left(desk: Desk) -> dict[str, Any]:
    """What is on record, but for what only the stranger's notifications left."""
    store = desk.store
    real = {identity("alertmanager", f"{name}/a") for name in NAMES}
    return {
        "episodes": {
            key: (each.open, each.last_seen, each.resolved_at, each.labels_hash, set(each.verdicts))
            for key, each in store.episodes.items()
            if key in real
        },
        "incidents": {key: each.members for key, each in store.incidents.items()},
        "claims": {
            key: each
            for key, each in store.cooldowns.items()
            if not key.startswith(("scope-", "resolve-"))
        },
        "runs": {
            run: (each.request.wanted, each.partition, each.created_at, each.delay_s)
            for run, each in store.runs.items()
            if each.request.origin.by != REFUSED
        },
    }


@settings(max_examples=300, deadline=None)
@given(st.lists(_sends, min_size=2, max_size=20))
def test_no_sequence_of_a_credential_without_scope_changes_anything(sends: list[Send]) -> None:
    sent = _deliveries(sends)
    beside, told = _admitted(sent)
    alone, as_told = _admitted([each for each in sent if each.credential == KNOWN])
    assert told == as_told
    assert _left(beside) == _left(alone)
