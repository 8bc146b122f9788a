"""The worker's instants are the database's, whatever this machine's clock says."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from service.store.clock import StoreClock
from service.store.database import database_now
from tests.contract.leases import lease_store
from tests.fakes.clock import FakeClock

HOUR_S = 3_600.0


def _databases_time(engine: sa.Engine) -> float:
    with engine.connect() as connection:
        now = connection.execute(sa.select(database_now(engine.dialect.name))).scalar_one()
    return float(now)


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S])
def test_a_machine_whose_clock_is_wrong_has_the_databases_time_from_its_first_sign_of_life(
    engine: sa.Engine, off_s: float
) -> None:
    clock = StoreClock(host=lambda: time.time() + off_s)
    assert abs(clock.time() - _databases_time(engine)) > HOUR_S / 2

    lease_store(engine, 15.0, clock.set).register("w", "host", 1)

    assert abs(clock.time() - _databases_time(engine)) < 60.0


def test_each_sign_of_life_sets_the_clock_again(engine: sa.Engine) -> None:
    clock = StoreClock()
    leases = lease_store(engine, 15.0, clock.set)
    leases.register("w", "host", 1)
    clock.set(0.0)

    assert leases.renew("w")

    assert abs(clock.time() - _databases_time(engine)) < 60.0


def test_a_worker_that_was_retired_is_told_no_time(engine: sa.Engine) -> None:
    told: list[float] = []
    leases = lease_store(engine, 15.0, told.append)
    leases.register("w", "host", 1)
    leases.retire("w")
    assert not leases.renew("w")
    assert len(told) == 1


def test_between_two_looks_the_time_goes_on_and_no_jump_of_this_machine_shows() -> None:
    host = FakeClock()
    clock = StoreClock(host.time, host.monotonic, host.sleep)
    clock.set(1_000.0)
    host.jump(HOUR_S)
    clock.sleep(5.0)
    host.jump(-2 * HOUR_S)
    assert clock.time() == 1_005.0
