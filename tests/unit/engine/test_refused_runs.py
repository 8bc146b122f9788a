"""Whole runs whose vendor refuses: the real actions on fakes, from the plan to the page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from service.catalogue.registry import change_of
from service.catalogue.request_json import dump_request
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind
from service.engine.execution import execute
from service.engine.reports import blocked_key
from service.providers.errors import Call, from_status
from tests.fakes.apps import FakeApps
from tests.fakes.droplets import FakeDroplets
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.faults import vendor_error
from tests.fakes.runs import API, WORKER, request_for, works_on
from tests.reliability import VendorSaw, scenario

OUT = request_for("horizontal_scale", API)
UP = request_for("vertical_scale", WORKER)


@dataclass(slots=True)
class Company:
    """A worker with the real actions, an app and a droplet."""

    worker: FakeWorker = field(default_factory=FakeWorker)
    apps: FakeApps = field(init=False)
    droplets: FakeDroplets = field(init=False)

    def __post_init__(self) -> None:
        self.apps = FakeApps(self.worker.clock)
        self.droplets = FakeDroplets(self.worker.clock)

    def run(self, request: Request) -> None:
        clock = self.worker.clock
        works = works_on(clock, apps=self.apps, droplets=self.droplets)
        parts = replace(self.worker.parts, change_of=partial(change_of, works.by_kind))
        self.worker.runs.add(request, request.target.resource)
        execute(parts, request.id, dump_request(request), Recorder())

    def ended(self, request: Request) -> tuple[str, float]:
        """The run's status, and for how many seconds its claim rests from now."""
        outcome = self.worker.runs.outcomes[request.id]
        return outcome.status, outcome.cooldown_until - self.worker.clock.time()


@scenario(
    "Other writes",
    "The vendor answers 429 to the change of an app and asks to wait for two minutes.",
    "The change is made after them. The run succeeds, and nobody is paged.",
    "update_app",
)
def test_a_put_that_the_vendor_puts_off_by_two_minutes_is_made_after_them(
    vendor_saw: VendorSaw,
) -> None:
    company = Company()
    company.apps.writes.before[0] = vendor_error(
        FailureKind.TEMPORARY, "it answered 429.", retry_after=120.0
    )
    began_at = company.worker.clock.monotonic()

    company.run(OUT)

    assert company.ended(OUT)[0] == "succeeded"
    vendor_saw(company.apps.writes.effective)
    assert company.worker.clock.monotonic() - began_at >= 120.0
    assert company.worker.pager.open == {}


def test_a_put_that_the_vendor_puts_off_by_an_hour_is_planned_anew_after_it() -> None:
    company = Company()
    company.apps.writes.before[0] = vendor_error(
        FailureKind.TEMPORARY, "it answered 429.", retry_after=3_600.0
    )

    company.run(OUT)

    assert company.ended(OUT) == ("held", 3_600.0)
    assert not company.worker.runs.wrote(OUT.id)
    assert company.worker.pager.open == {}


@scenario(
    "Other writes",
    "The vendor refuses the snapshot before a resize with 422, three times.",
    "Each run fails while the droplet is on, and rests for a minute, then two, then four. They are "
    "one warning. It is closed by the run that succeeds.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
def test_a_snapshot_that_is_refused_for_good_rests_a_minute_and_warns_once(
    vendor_saw: VendorSaw,
) -> None:
    company = Company()
    company.droplets.writes.before = {
        number: vendor_error(FailureKind.PERMANENT, "it answered 422.") for number in range(3)
    }
    rests = []
    for generation in (1, 2, 3):
        request = replace(UP, id=f"worker-vm.up.{generation}")
        company.run(request)
        rests.append(company.ended(request))

    assert rests == [("failed", 60.0), ("failed", 120.0), ("failed", 240.0)]
    (page,) = company.worker.pager.open.values()
    assert (page.dedup_key, page.severity) == (blocked_key(UP), "warning")
    assert "it answered 422." in page.details["what happened"]

    last = replace(UP, id="worker-vm.up.4")
    company.run(last)
    assert company.ended(last) == ("succeeded", UP.cooldown_s)
    assert company.worker.pager.open == {}
    vendor_saw(company.droplets.writes.effective)


def test_a_person_who_changes_the_app_while_a_run_announces_it_wins() -> None:
    company = Company()

    def a_person_sets_seven() -> None:
        company.worker.messenger.hangs = lambda: None
        company.apps.spec["services"][0]["instance_count"] = 7
        company.apps.deploy(company.apps.spec, takes_s=0)

    company.worker.messenger.hangs = a_person_sets_seven
    company.run(OUT)

    assert company.ended(OUT) == ("held", 60.0)
    assert company.apps.specified("api")["instance_count"] == 7
    assert company.apps.writes.sent == 0
    assert company.worker.pager.open == {}

    (again,) = company.worker.runs.again
    assert again.request.on is not None
    company.run(replace(again.request, id="api.out.2"))
    assert company.apps.specified("api")["instance_count"] == 8


def call(operation: str) -> Call:
    return Call("digitalocean", operation, repeatable=False)


def test_a_change_that_is_given_up_says_the_vendors_status_and_words_and_the_next_try() -> None:
    company = Company()
    unavailable = from_status(call("update app app-1"), 503, "Service unavailable", None)
    company.apps.writes.before = dict.fromkeys(range(3), unavailable)
    company.run(OUT)
    (message,) = (each for each in company.worker.messenger.messages.values() if each.links)
    assert message.text == (
        'DigitalOcean answered 503 to the request to update app app-1: "Service unavailable". It '
        "was sent 3 times, and 15 s after the last time it had no effect, so nothing more is sent. "
        "Look at the vendor's status page.\n"
        "instance_count of api is 2 now (before: 2, wanted: 3); 2 replicas serve, and nothing was "
        "taken away.\n"
        "The person on call was paged.\n"
        "The next try may be in 10 min, at 20:37 UTC, if the alert still fires and is sent again.\n"
        "See each step: `runbookd explain api.out.1`."
    )
    (page,) = company.worker.pager.open.values()
    assert page.summary.startswith("api: replicas 2 → 3 failed: DigitalOcean answered 503 to ")


def test_a_droplet_that_stays_off_is_told_once_with_what_keeps_it_off() -> None:
    company = Company()
    unavailable = from_status(call("power on droplet 101"), 503, "Service unavailable", None)
    company.droplets.writes.before = dict.fromkeys(range(3, 40), unavailable)
    company.run(UP)
    (page,) = company.worker.pager.open.values()
    for once in ("OFF at s-1vcpu-2gb", "tried again until it is on", "answered 503"):
        assert page.summary.count(once) == 1
