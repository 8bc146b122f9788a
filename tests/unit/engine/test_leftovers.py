"""The snapshot of a verified resize is deleted some days later, because it is billed."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest

from service.catalogue.droplet.steps import DropletResize
from service.catalogue.spec import Tools
from service.domain.errors import FailureKind, VendorError
from service.engine.leftovers import AGAIN_S, MOST_TRIES, LeftoverRound, keep
from service.engine.parts import WorkerParts
from tests.fakes.droplets import FakeDroplets
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API, WORKER, request_for
from tests.fakes.telling import FakeProbe

ASK = request_for("vertical_scale", WORKER)
KEPT_S = 7 * 86_400.0
RECORDS = {"snapshot": {"snapshot": "pre-scale-1", "last_action": 7}}


class Removing(FakeDroplets):
    """A droplet whose snapshots may refuse to go."""

    refusal: VendorError | None = None

    def delete_snapshot(self, droplet_id: str, name: str) -> None:
        if self.refusal is not None:
            raise copy(self.refusal)
        super().delete_snapshot(droplet_id, name)


@pytest.fixture
def worker() -> FakeWorker:
    worker = FakeWorker()
    worker.runs.add(ASK)
    return worker


@pytest.fixture
def droplets(worker: FakeWorker) -> Removing:
    droplets = Removing(worker.clock)
    droplets.snapshots += ["by-hand", "pre-scale-1"]
    return droplets


def parts(worker: FakeWorker, droplets: Removing) -> WorkerParts:
    work = DropletResize(droplets, Tools(FakeProbe(), worker.clock))
    return replace(worker.parts, work_of=lambda target: work)


def test_it_is_kept_for_a_week_and_then_deleted_and_no_other(
    worker: FakeWorker, droplets: Removing
) -> None:
    these = parts(worker, droplets)
    keep(ASK, RECORDS, these)
    look = LeftoverRound(these)
    worker.clock.sleep(KEPT_S - 1)
    look(True)
    assert droplets.snapshots == ["by-hand", "pre-scale-1"]
    worker.clock.sleep(1)
    look(True)
    assert droplets.snapshots == ["by-hand"]
    assert worker.leftovers.gone == {ASK.id}


def test_a_run_that_took_none_leaves_nothing(worker: FakeWorker, droplets: Removing) -> None:
    these = parts(worker, droplets)
    keep(ASK, {}, these)
    keep(request_for("horizontal_scale", API), RECORDS, these)
    assert worker.leftovers.waiting == {}


def test_what_cannot_be_deleted_is_tried_each_day_for_a_week_and_then_left(
    worker: FakeWorker, droplets: Removing
) -> None:
    these = parts(worker, droplets)
    keep(ASK, RECORDS, these)
    droplets.refusal = VendorError("digitalocean", "delete it", FailureKind.TEMPORARY, "away")
    worker.clock.sleep(KEPT_S)
    look = LeftoverRound(these)
    for _ in range(MOST_TRIES):
        assert ASK.id in worker.leftovers.waiting
        look(True)
        worker.clock.sleep(AGAIN_S)
    assert ASK.id not in worker.leftovers.waiting
    assert "pre-scale-1" in droplets.snapshots


def test_what_somebody_else_has_deleted_meanwhile_is_done(
    worker: FakeWorker, droplets: Removing
) -> None:
    these = parts(worker, droplets)
    keep(ASK, RECORDS, these)
    droplets.refusal = VendorError(
        "digitalocean", "delete it", FailureKind.PERMANENT, "not found", status=404
    )
    worker.clock.sleep(KEPT_S)
    LeftoverRound(these)(True)
    assert worker.leftovers.gone == {ASK.id}
