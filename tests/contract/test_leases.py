from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from service.store.alive import CLOCK_CORRECTION_S
from service.store.queries import Queries
from tests.contract.admission import SqlDesk
from tests.contract.leases import lease_store

HOUR_S = 3_600.0


def test_a_late_worker_retires_the_others_but_not_itself_and_may_go_on(engine: sa.Engine) -> None:
    leases = lease_store(engine, lease_s=0.05)
    leases.register("late", "host", 1)
    leases.register("dead", "host", 2)
    until = time.monotonic() + 30.0
    while Queries(engine).live_workers():
        assert time.monotonic() < until, "the leases never end"
        time.sleep(0.01)

    assert leases.retire_dead(besides="late") == ["dead"]

    assert leases.renew("late")
    assert not leases.renew("dead")


def _clock_steps_back(engine: sa.Engine, seconds: float) -> None:
    """As the rows look then: everything in them lies so much further ahead."""
    SqlDesk(engine).execute(
        "UPDATE workers SET started_at = started_at + :s, lease_until = lease_until + :s",
        s=seconds,
    )


def test_a_lease_further_ahead_than_its_length_is_over_and_counts_for_no_life(
    engine: sa.Engine,
) -> None:
    lease_store(engine, 15.0).register("dead", "host", 1)
    _clock_steps_back(engine, HOUR_S)
    leases = lease_store(engine, 15.0)
    leases.register("alive", "host", 2)

    assert Queries(engine).live_workers() == 1
    assert leases.retire_dead(besides="alive") == ["dead"]

    assert leases.unretired() == ["alive"]
    assert not leases.renew("dead")


def test_each_lease_is_measured_by_its_own_length(engine: sa.Engine) -> None:
    lease_store(engine, 120.0).register("patient", "host", 1)
    assert lease_store(engine, 15.0).retire_dead() == []
    assert Queries(engine).live_workers() == 1


def test_a_small_correction_of_the_clock_ends_no_live_worker(engine: sa.Engine) -> None:
    leases = lease_store(engine, 15.0)
    leases.register("alive", "host", 1)
    _clock_steps_back(engine, CLOCK_CORRECTION_S)
    assert leases.retire_dead() == []
    assert Queries(engine).live_workers() == 1


@pytest.mark.parametrize(("ahead_s", "retired"), [(0.0, []), (HOUR_S, ["old"])])
def test_a_lease_of_the_version_before_which_says_no_length_counts_too(
    engine: sa.Engine, ahead_s: float, retired: list[str]
) -> None:
    lease_store(engine, 15.0).register("old", "host", 1)
    SqlDesk(engine).execute("UPDATE workers SET lease_s = NULL")
    _clock_steps_back(engine, ahead_s)
    assert lease_store(engine, 15.0).retire_dead() == retired
