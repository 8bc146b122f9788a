"""The console's frame: who is let in, for how long, and what a page may load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.people import Person, Role
from service.web.console import sessions
from service.web.refused import NOBODY
from tests.console import Browser, Page
from tests.fakes.web import sqlite_url
from tests.operators import Operators

CLOSED = {"OPEN_WEBHOOKS": "false", "ALERTMANAGER_TOKENS": "prod:test-secret-one"}
ADMIN = Person("local:root", frozenset({Role.ADMIN}), via="terminal")


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    made = Operators(sqlite_url(tmp_path_factory.mktemp("console")))
    yield made
    made.stand.engine.dispose()


@pytest.fixture
def browser(operators: Operators) -> Browser:
    return Browser(operators)


def cookie_headers(browser: Browser, host: str, who: str = "vera") -> dict[str, str]:
    """The Set-Cookie headers of a sign-in, by the cookie's name."""
    browser.base = f"https://{host}"
    first = browser.answer("/console/sign-in").headers.getlist("Set-Cookie")
    then = browser.sign_in(who).headers.getlist("Set-Cookie")
    return {each.partition("=")[0]: each for each in (*first, *then)}


def test_whoever_has_not_signed_in_is_sent_to_the_sign_in_and_back_afterwards(
    browser: Browser,
) -> None:
    answer = browser.answer("/console?of=1")
    assert (answer.status_code, answer.location) == (303, "/console/sign-in?to=/console?of%3D1")
    assert browser.sign_in("vera", "/console?of=1").location == "/console?of=1"
    page = browser.get("/console")
    assert (page.status, "vera" in page.text) == (200, True)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/console",
        "//evil.example/console",
        "/api/v1/me",
        "/console\\..",
        "/consoled",
        "",
    ],
)
def test_a_sign_in_leads_to_a_page_of_the_console_only(browser: Browser, to: str) -> None:
    assert browser.sign_in("vera", to).location == "/console"


def test_a_wrong_token_signs_nobody_in_and_is_audited_without_it(
    operators: Operators, browser: Browser
) -> None:
    answer = browser.send("/console/sign-in", {"token": "test-guessed"})
    assert answer.status_code == 401
    assert browser.answer("/console").status_code == 303
    entry = operators.audit()[0]
    assert (entry["outcome"], entry["who"]) == ("unauthorized", NOBODY)
    assert "test-guessed" not in str(operators.audit()) + answer.get_data(as_text=True)


def test_the_cookies_are_for_the_console_alone_and_no_script_reads_them(browser: Browser) -> None:
    found = cookie_headers(browser, "runbookd.example.com")
    assert set(found) == {sessions.SESSION, sessions.FORM}
    for header in found.values():
        for part in ("HttpOnly", "SameSite=Strict", "Path=/console", "Secure"):
            assert part in header.split("; "), header
    assert f"Max-Age={sessions.SESSION_S}" in found[sessions.SESSION]


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080"])
def test_on_this_machine_the_cookies_travel_without_https(browser: Browser, host: str) -> None:
    assert not any("Secure" in each for each in cookie_headers(browser, host).values())


def test_a_session_ends_after_its_hours() -> None:
    cookie = sessions.sealed(b"test-vera", 1_000)
    assert sessions.opened(cookie, 999.9) == b"test-vera"
    assert sessions.opened(cookie, 1_000.0) is None


@pytest.mark.parametrize(
    "cookie", ["", "..", "a.b.c", "dGVzdA.9.x", "dGVzdA==.99999999999.é", "x" * 9_000]
)
def test_a_cookie_that_nobody_was_given_opens_nothing(cookie: str) -> None:
    assert sessions.opened(cookie, 0.0) is None


def test_nobody_makes_a_session_longer_by_its_cookie_alone() -> None:
    kept, ends, seal = sessions.sealed(b"test-vera", 1_000).split(".")
    assert sessions.opened(f"{kept}.{int(ends) + 1}.{seal}", 0.0) is None


def test_a_revoked_token_ends_its_session(tmp_path: Path) -> None:
    operators = Operators(sqlite_url(tmp_path))
    browser = Browser(operators)
    made = operators.stand.tokens.new(ADMIN, "nina", ["viewer"], [], None)
    browser.send("/console/sign-in", {"token": made["secret"]})
    assert browser.answer("/console").status_code == 200
    operators.stand.tokens.revoke(ADMIN, "nina")
    # Another process knows it at once; this one within the second for which it keeps the table.
    operators.app = Operators(sqlite_url(tmp_path)).app
    other = Browser(operators)
    other.client._cookies = browser.client._cookies
    assert other.answer("/console").status_code == 303


def test_a_sign_out_ends_the_session_in_the_browser(browser: Browser) -> None:
    browser.sign_in("vera")
    token = browser.get("/console").form_token()
    assert browser.send("/console/sign-out", {"form_token": token}).status_code == 303
    assert browser.answer("/console").status_code == 303


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form_token": ""}, {}),
        ({"form_token": "0" * 64}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_a_form_from_elsewhere_is_refused(
    browser: Browser, path: str, fields: dict[str, str], headers: dict[str, str]
) -> None:
    browser.sign_in("vera")
    given = {"form_token": browser.get("/console").form_token(), "token": "test-ada", **fields}
    assert browser.send(path, given, **headers).status_code == 403
    assert "vera" in browser.get("/console").text


def test_the_token_of_a_form_is_of_one_browser(operators: Operators) -> None:
    one, other = Browser(operators), Browser(operators)
    theirs = one.get("/console/sign-in").form_token()
    other.get("/console/sign-in")
    sent = other.send("/console/sign-in", {"token": "test-vera", "form_token": theirs})
    assert sent.status_code == 403


# ---- Without API_TOKENS ----


def test_without_api_tokens_this_machine_looks_and_a_token_may_still_sign_in(
    tmp_path: Path,
) -> None:
    operators = Operators(sqlite_url(tmp_path), tokens="", **CLOSED)
    browser = Browser(operators)
    page = browser.get("/console")
    assert (page.status, "(anybody)" in page.text) == (200, True)
    made = operators.stand.tokens.new(ADMIN, "nina", ["operator"], [], None)
    browser.send("/console/sign-in", {"token": made["secret"]})
    assert "nina" in browser.get("/console").text


# ---- What a page may load ----


@pytest.mark.parametrize("environment", [{}, CLOSED])
def test_without_api_tokens_a_page_whose_name_was_made_to_lead_here_reads_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    operators = Operators(sqlite_url(tmp_path), tokens="", **environment)
    stranger = Browser(operators, host="rebound.example.com")
    for path in ("/console", "/console/rules", "/console/history/alerts"):
        answer = stranger.answer(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/console/sign-in")
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert Browser(operators, host=host).get("/console").status == 200
    made = operators.stand.tokens.new(ADMIN, "nina", ["operator"], [], None)
    behind_a_proxy = Browser(operators)
    behind_a_proxy.base = "https://runbookd.example.com"
    behind_a_proxy.send("/console/sign-in", {"token": made["secret"]})
    assert "nina" in behind_a_proxy.get("/console").text


def test_no_page_runs_or_loads_anything_that_is_not_the_consoles(browser: Browser) -> None:
    browser.sign_in("vera")
    for path in ("/console", "/console/sign-in", "/console/nothing"):
        answer = browser.answer(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        page = Page(answer)
        assert "style" not in {tag for tag, _ in page.elements}
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
            if tag == "script":
                assert attributes["src"].startswith("/console/static/")
        loaded = [each["href"] for each in page.all("link")]
        assert all(each.startswith("/console/static/") for each in loaded)


def test_a_refusal_before_the_body_is_read_has_the_headers_too(browser: Browser) -> None:
    answer = browser.send("/console/sign-out", {})
    assert answer.status_code == 401
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_first_load_is_below_100_kb(browser: Browser) -> None:
    browser.sign_in("vera")
    page = browser.answer("/console")
    needed = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page.get_data(as_text=True))
    assert len(needed) == 3
    parts = [page, *map(browser.answer, needed)]
    assert [each.status_code for each in parts] == [200] * 4
    assert sum(len(each.data) for each in parts) < 100_000


def test_an_unknown_page_says_so_in_words(browser: Browser) -> None:
    browser.sign_in("vera")
    page = browser.get("/console/nothing")
    assert page.status == 404
    assert "There is no such page." in page.text
