from __future__ import annotations

import time

import sqlalchemy as sa

from service.store.leases import LeaseStore
from service.store.queries import Queries


def test_a_late_worker_retires_the_others_but_not_itself_and_may_go_on(engine: sa.Engine) -> None:
    leases = LeaseStore(engine, lease_s=0.05)
    leases.register("late", "host", 1)
    leases.register("dead", "host", 2)
    until = time.monotonic() + 30.0
    while Queries(engine).live_workers():
        assert time.monotonic() < until, "the leases never end"
        time.sleep(0.01)

    assert leases.retire_dead(besides="late") == ["dead"]

    assert leases.renew("late")
    assert not leases.renew("dead")
