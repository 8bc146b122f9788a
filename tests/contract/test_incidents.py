"""What the worker reads of incidents, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.domain.alerts.dedup import bound_dedup_key
from service.ports.runs import IncidentState
from service.store.incidents import IncidentStore
from tests.contract.admission import SqlDesk
from tests.fakes.alerts import CPU, ERRORS, NOW, alert, delivery, resolved


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    return SqlDesk(engine)


def _state(desk: SqlDesk) -> IncidentState:
    ((key,),) = desk.rows("SELECT dedup_key FROM incidents")
    state = IncidentStore(desk.engine).state(key)
    assert state is not None
    return state


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_an_incident_has_resolved_when_the_last_of_its_alerts_has(
    desk: SqlDesk, order: str
) -> None:
    desk.admit(delivery(*(alert(ERRORS, each) for each in "abc")))
    for number, each in enumerate(order):
        assert _state(desk).resolved_at is None
        desk.admit(delivery(resolved(ERRORS, each)), now=NOW + 60 * (number + 1))
    state = _state(desk)
    assert (state.firing, state.resolved_at) == (0, NOW + 180)


def test_an_incident_counts_and_shows_what_fires(desk: SqlDesk) -> None:
    desk.admit(delivery(*(alert(ERRORS, each) for each in "abc")))
    desk.admit(delivery(resolved(ERRORS, "b")), now=NOW + 60)
    state = _state(desk)
    assert state.firing == 2
    assert sorted(each.labels["instance"] for each in state.alerts) == ["a", "c"]


def test_a_page_at_the_maximum_is_closed_when_the_last_alert_that_asked_resolves(
    desk: SqlDesk,
) -> None:
    """Web does it by the incident's members, as for every other page."""
    desk.admit(delivery(alert(CPU, "a"), alert(CPU, "b")))
    episodes = [episode for (episode,) in desk.rows("SELECT id FROM alerts")]
    key = bound_dedup_key("api", "out")
    IncidentStore(desk.engine).enlist(key, "high-cpu", "warning", episodes)
    desk.queued.clear()

    desk.admit(delivery(resolved(CPU, "a"), at=NOW + 30))
    assert desk.queued == []
    desk.admit(delivery(resolved(CPU, "b"), at=NOW + 60))

    (closing,) = desk.queued
    assert (closing.request.subject, closing.request.action) == (key, "page_oncall")
    assert "/" not in closing.request.id
