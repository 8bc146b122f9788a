"""The console in a real browser: what somebody sees who is woken at three, and can do.

The service is whole: a web process, a worker and the sandbox. The tests share it, in their order,
and each has a window of its own. `CONSOLE_PICTURES=docs/images` keeps pictures of what they see.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.site import CPU, ERRORS, Site, open_site
from tests.browser.visitor import DARK, DESK, LIGHT, PHONE, Visitor, chromium, visitor
from tests.person import Terminal

LARGEST_FIRST_LOAD = 100_000
"""Bytes that a first visit may take, on whatever a phone has at three."""
NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


def picture(of: Visitor, name: str) -> None:
    """Keep a picture where whoever runs the tests asks for them."""
    if folder := os.environ.get("CONSOLE_PICTURES"):
        of.picture(Path(folder) / f"console-{name}.png")


def test_an_alert_is_followed_from_now_to_its_run_and_undone_on_a_phone(
    browser: Browser, site: Site
) -> None:
    with visitor(browser, site.base, PHONE, DARK) as olga:
        olga.sign_in(site.tokens["olga"])
        assert "Nothing fires." in olga.words
        site.fire(CPU)
        run = site.done("api")
        olga.read("Firing alerts", "replicas 2 → 3")
        picture(olga, "now")
        olga.follow(CPU)
        olga.read("Decided by", "replicas 2 → 3", "Pause api")
        picture(olga, "episode")
        olga.follow(run["id"])
        olga.read("Steps", "succeeded", "Plan")
        picture(olga, "run")
        olga.follow(f"Undo run {run['id']}")
        olga.confirm(f"Undo run {run['id']}", "a false alarm")
        back = site.done("api")
        assert (back["id"] != run["id"], back["status"]) == (True, "succeeded")
        assert site.stack.instances() == 2
        olga.follow(f"Run {back['id']}")
        olga.read("replicas 3 → 2", "a false alarm")
        assert olga.complaints == []


def test_a_plan_that_waits_is_on_top_and_is_approved_without_a_script(
    browser: Browser, site: Site
) -> None:
    site.fire(ERRORS)
    site.stack.wait_for(lambda: site.stack.api("approvals"), "an approval")
    with (
        visitor(browser, site.base, PHONE, scripts=False) as olga,
        visitor(browser, site.base, PHONE, scripts=False) as paul,
    ):
        olga.sign_in(site.tokens["olga"])
        assert "Waits for a person shop: replicas 2 → 3" in olga.words
        assert olga.page.get_by_role("link", name="Approve").count() == 0
        paul.sign_in(site.tokens["paul"])
        picture(paul, "approval")
        assert paul.words.index("Waits for a person") < paul.words.index("Firing alerts")
        paul.follow("Approve")
        paul.confirm("Approve shop: replicas 2 → 3", "the exam has begun")
        assert site.done("shop")["status"] == "succeeded"
        paul.follow("What is now")
        assert "Waits for a person" not in paul.words
        assert (olga.complaints, paul.complaints) == ([], [])


def test_a_pause_is_put_from_a_card_counts_down_and_is_ended(browser: Browser, site: Site) -> None:
    with visitor(browser, site.base, DESK, zone=NEW_YORK) as olga:
        olga.sign_in(site.tokens["olga"])
        olga.follow("Pause database")
        olga.confirm("Pause database", "the vendor upgrades it tonight")
        olga.follow("What is now")
        olga.read("Paused", "the vendor upgrades it tonight", " s left", " here")
        olga.follow("Resume database")
        olga.confirm("Resume database", "the upgrade is over")
        olga.follow("What is now")
        olga.page.get_by_role("heading", name="Now", exact=True).wait_for()
        assert "the vendor upgrades it tonight" not in olga.words
        assert olga.complaints == []


def test_a_scenario_is_approved_followed_and_taken_back(browser: Browser, site: Site) -> None:
    starter = Terminal(site.stack, site.tokens["olga"])
    started = starter.ask("POST", "/scenarios/viral-growth/runs", {"why": "we are on the news"})
    scenario = f"/scenarios/runs/{started['id']}"
    site.stack.wait_for(lambda: starter.ask("GET", scenario)["state"] == "waiting", "its plan")
    with (
        visitor(browser, site.base, PHONE) as olga,
        visitor(browser, site.base, PHONE, scripts=False) as paul,
    ):
        paul.sign_in(site.tokens["paul"])
        paul.follow("Approve")
        paul.confirm(f"Approve scenario {started['id']}", "all of them are asked for")
        site.stack.wait_for(lambda: starter.ask("GET", scenario)["state"] == "active", "its steps")
        olga.sign_in(site.tokens["olga"])
        olga.read("active", f"Scenario {started['id']}, started by olga")
        olga.follow(started["id"])
        olga.read("active", "we are on the news", "approved by paul", "→ 4")
        picture(olga, "scenario")
        assert (olga.barriers(), olga.cut_off()) == ([], [])
        olga.follow(f"Undo scenario {started['id']}")
        olga.confirm(f"Undo scenario {started['id']}", "the rush is over")
        site.stack.wait_for(lambda: starter.ask("GET", scenario)["state"] == "undone", "its end")
        olga.follow(f"Run {started['id']}")
        olga.read("undone", "out")
        assert (olga.complaints, paul.complaints) == ([], [])


def pages(site: Site) -> Mapping[str, str]:
    """Every kind of page, by its name: its address. One alert is there, with its run."""
    if not site.stack.runs(target="api"):
        site.fire(CPU)
        site.done("api")
    alerts, runs = site.stack.api("alerts"), site.stack.runs(target="api")
    return {
        "now": "/console",
        "run": f"/console/runs/{runs[0]['id']}",
        "episode": f"/console/episodes/{alerts[0]['id']}",
        "alerts": "/console/history/alerts",
        "decisions": "/console/history/decisions?rule=high-cpu",
        "runs": "/console/history/runs",
        "quarantine": "/console/history/quarantine",
        "rules": "/console/rules",
        "try": f"/console/rules/try?of={alerts[0]['id']}",
        "levels": "/console/levels",
        "scenarios": "/console/scenarios",
        "audit": "/console/audit",
        "pause": "/console/targets/api/pause",
        "sign-in": "/console/sign-in",
    }


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, DARK), pytest.param(DESK, LIGHT, marks=pytest.mark.long)]
)
def test_every_page_can_be_read_by_everybody_and_used_by_keyboard(
    browser: Browser, site: Site, size: Mapping[str, int], scheme: str
) -> None:
    with visitor(browser, site.base, size, scheme) as ada:
        ada.sign_in(site.tokens["ada"])
        for name, path in pages(site).items():
            ada.open(path)
            ada.unfold()
            assert ada.barriers() == [], name
            assert ada.cut_off() == [], name
            assert ada.missed_by_the_keyboard() == [], name
        assert ada.complaints == []


@pytest.mark.long
def test_every_page_reads_without_a_script(browser: Browser, site: Site) -> None:
    with (
        visitor(browser, site.base, DESK) as with_scripts,
        visitor(browser, site.base, DESK, scripts=False) as without,
    ):
        for each in (with_scripts, without):
            each.sign_in(site.tokens["ada"])
        for name, path in pages(site).items():
            for each in (with_scripts, without):
                each.open(path)
            assert without.page.title() == with_scripts.page.title()
            assert without.headings() == with_scripts.headings(), name
            assert without.controls() == with_scripts.controls(), name


def test_a_first_visit_is_light(browser: Browser, site: Site) -> None:
    with visitor(browser, site.base, PHONE) as new:
        new.sign_in(site.tokens["ada"])
        new.page.wait_for_load_state("networkidle")
        assert {path.rpartition("/")[2] for path in new.sizes} >= {"console.css", "console.js"}
        assert sum(new.sizes.values()) < LARGEST_FIRST_LOAD
