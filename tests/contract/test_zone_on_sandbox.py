"""A purge as a worker does it: the real provider, and the sandbox in place of Cloudflare."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import PlanHeld
from service.domain.errors import StepFailed
from service.providers.cloudflare import CloudflareApi
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.fakes.zones import ZONE
from tests.unit.sandbox.support import TOKEN, Served, served

PROBE = "https://quizmentor.app/assets/app.js"
CDN = ZoneTarget("cdn", ZONE, PROBE)
QUICK = Timings(poll_max_s=0.2, purge_deadline_s=2.0, settle_unknown_s=1.0)


class WallClock:
    """The real time; the edge's ages are by it."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def control(sandbox: Served, name: str, **body: Any) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/{name}", json=body, trust_env=False)
    assert answer.is_success, answer.text


def purges(sandbox: Served) -> list[Any]:
    return list(sandbox.state()["cloudflare"][ZONE]["purges"])


def works(sandbox: Served) -> Works:
    base = f"{sandbox.url}/cloudflare"
    api = CloudflareApi(
        token=TOKEN, base_url=base, edge_url=f"{base}/edge", origin_url=f"{base}/origin"
    )
    return works_on(WallClock(), zones=api, timings=QUICK)


def run_of(sandbox: Served, **options: Any) -> FakeRun:
    request = request_for("purge", CDN, options=options or {"hosts": ["quizmentor.app"]})
    return planned(works(sandbox), request, WallClock())


def test_a_purge_is_taken_once_and_the_edge_asks_the_origin_again(sandbox: Served) -> None:
    records = run_of(sandbox, prefixes=["quizmentor.app/assets/"], tags=["news"]).execute()
    assert [each["by"] for each in purges(sandbox)] == ["prefixes", "tags"]
    assert "no longer served from a copy of before" in records["verify"]["proof"]


def test_a_purge_that_the_edge_does_not_follow_fails(sandbox: Served) -> None:
    control(sandbox, "cloudflare", deaf=1)
    with pytest.raises(StepFailed, match="still comes from a copy that is"):
        run_of(sandbox).execute()
    assert purges(sandbox) == []


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_purge_whose_answer_is_lost_takes_effect_once(sandbox: Served, drop: str) -> None:
    run = run_of(sandbox)
    control(sandbox, "faults", vendor="cloudflare", method="POST", drop=drop)
    run.execute()
    assert len(purges(sandbox)) == 1
    sent = [call for call in sandbox.calls() if call["method"] == "POST"]
    assert len(sent) == (2 if drop == "before" else 1)


def test_a_zone_that_is_paused_is_held(sandbox: Served) -> None:
    control(sandbox, "cloudflare", paused=True)
    held = works(sandbox).plan(request_for("purge", CDN, options={"tags": ["news"]}))
    assert isinstance(held, PlanHeld)
    assert held.guard == "zone_status"
    assert purges(sandbox) == []


# ---- Cache rules ----

SETS = {
    "standard": [{"name": "admin", "path": "/admin/*", "host": "", "mode": "bypass"}],
    "aggressive": [
        {"name": "admin", "path": "/admin/*", "host": "", "mode": "bypass"},
        {
            "name": "assets",
            "path": "/assets/*",
            "host": "",
            "mode": "cache",
            "edge_s": 7200,
            "browser_s": None,
        },
    ],
}
RULED = ZoneTarget("cdn", ZONE, "", "", SETS)


def rules_run(sandbox: Served, name: str) -> FakeRun:
    request = request_for("set_cache_rules", RULED, options={"set": name})
    return planned(works(sandbox), request, WallClock())


def found(sandbox: Served) -> list[str]:
    return [each["ref"] for each in sandbox.state()["cloudflare"][ZONE]["rules"]]


@pytest.mark.parametrize("drop", [None, "before", "after"])
def test_a_set_of_cache_rules_is_set_once_and_taken_back(sandbox: Served, drop: str | None) -> None:
    rules_run(sandbox, "standard").execute()
    run = rules_run(sandbox, "aggressive")
    if drop:
        control(sandbox, "faults", vendor="cloudflare", method="PUT", drop=drop)
    run.execute()
    assert found(sandbox) == ["runbookd_assets", "runbookd_admin"]
    assert sandbox.state()["cloudflare"][ZONE]["rules_version"] == 2
    rules_run(sandbox, "standard").execute()
    assert found(sandbox) == ["runbookd_admin"]


def test_a_set_is_held_while_the_site_answers_for_one_person_and_set_once_it_does_not(
    sandbox: Served,
) -> None:
    rule = {"name": "me", "path": "/api/me", "host": "", "mode": "cache", "edge_s": 7200}
    sets = {"rush": [{**rule, "browser_s": None}]}
    cdn = ZoneTarget("cdn", ZONE, cache_rules=sets, origin="https://origin.quizmentor.app")
    request = request_for("set_cache_rules", cdn, options={"set": "rush"})
    control(sandbox, "cloudflare", origin={"/api/me": {"headers": {"Cache-Control": "private"}}})
    held = works(sandbox).plan(request)
    assert isinstance(held, PlanHeld)
    assert "https://origin.quizmentor.app/api/me answers with Cache-Control: priv" in held.reason
    control(sandbox, "cloudflare", origin={})
    planned(works(sandbox), request, WallClock()).execute()
    assert len(sandbox.state()["cloudflare"][ZONE]["rules"]) == 1
