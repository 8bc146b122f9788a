"""A storm of alerts beside a worker, on one database."""

from __future__ import annotations

import itertools
import threading

import pytest

from service.domain.errors import StoreUnavailable
from tests.crash.stand import SHIPPED_LEASE_S, Stand

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
RENEWALS = 2
"""How many signs of life the storm outlasts at least; a lease has five."""
SENDERS = 1
"""Each web process commits from one thread."""


def test_a_storm_neither_ends_a_worker_nor_costs_it_its_lease(stand: Stand) -> None:
    numbers, over = itertools.count(), threading.Event()

    def keep(name: str, **labels: str) -> None:
        """As a sender does, which sends again what was not taken."""
        while not fired(stand, name, **labels):
            pass

    def send() -> None:
        while not over.is_set():
            keep("High CPU Usage", instance=f"api-{next(numbers)}")

    worker, other = stand.worker(lease_s=SHIPPED_LEASE_S), stand.worker(lease_s=SHIPPED_LEASE_S)
    stand.wait_for(lambda: stand.started(worker) and stand.started(other), "two workers")
    senders = [threading.Thread(target=send, daemon=True) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    keep("High Memory Usage")

    stand.wait_for(lambda: stand.workflows().get(RUN) == "SUCCESS", "the run in the storm")
    worker.join(RENEWALS * SHIPPED_LEASE_S / 5)
    over.set()
    for sender in senders:
        sender.join(30)

    assert worker.is_alive(), stand.report()
    assert other.is_alive(), stand.report()
    assert not stand.retired(worker), stand.report()
    assert not stand.retired(other), stand.report()
    both = {RUN: "succeeded", "api.out.1": "succeeded"}
    stand.wait_for(lambda: changes(stand) == both, "both runs to succeed, and no other")
    assert next(numbers) > 20, "that was no storm"


def changes(stand: Stand) -> dict[str, str]:
    """The runs that change something; the others tell that an alert was held."""
    return {run: how for run, how in stand.runs().items() if not run.startswith("held.")}


def fired(stand: Stand, name: str, **labels: str) -> bool:
    """Whether this notification was taken."""
    try:
        stand.fire(name, **labels)
    except StoreUnavailable:
        return False
    return True
