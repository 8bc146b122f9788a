"""The console in a real browser: what somebody sees who is woken at three, and can do.

The service is whole: a web process, a worker and the sandbox. The tests share it, and each has a
window of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.site import CPU, Site, open_site
from tests.browser.visitor import DARK, PHONE, chromium, visitor


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


def test_an_alert_is_followed_from_now_to_its_run_and_undone_on_a_phone(
    browser: Browser, site: Site
) -> None:
    with visitor(browser, site.base, PHONE, DARK) as olga:
        olga.sign_in(site.tokens["olga"])
        assert "Nothing fires." in olga.words
        site.fire(CPU)
        run = site.done("api")
        olga.follow(CPU)
        olga.page.get_by_role("heading", name=CPU).wait_for()
        assert "replicas 2 → 3" in olga.words
        olga.follow(run["id"])
        olga.page.get_by_role("heading", name=f"Run {run['id']}").wait_for()
        olga.follow("Undo")
        olga.confirm(f"Undo run {run['id']}", "a false alarm")
        back = site.done("api")
        assert (back["id"] != run["id"], back["status"]) == (True, "succeeded")
        assert site.stack.instances() == 2
        assert olga.complaints == []
