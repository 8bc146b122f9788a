"""Single variables, read without the settings; and what is hidden by its variable's name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.environment import Unreadable, database_url, fill_in, given, home, redactor_by_name
from service.settings import load_settings


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)


def test_a_value_may_be_in_a_file(tmp_path: Path) -> None:
    held = tmp_path / "url"
    held.write_text(" https://runbookd.example.com\n", encoding="utf-8")
    assert given("RUNBOOKD_URL", {"RUNBOOKD_URL_FILE": str(held)}) == "https://runbookd.example.com"
    assert given("RUNBOOKD_URL", {}) == ""


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff"])
def test_a_file_that_holds_no_value_is_named_with_its_variable(
    tmp_path: Path, content: str | bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Unreadable, match=f"RUNBOOKD_TOKEN_FILE names {path}, which "):
        given("RUNBOOKD_TOKEN", {"RUNBOOKD_TOKEN_FILE": str(path)})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RUNBOOKD_HOME": "/srv/runbookd"},
        {"DATABASE_URL": "postgres://user@host/db"},
        {"DATABASE_URL": "sqlite:////srv/a.db", "RUNBOOKD_HOME": "elsewhere"},
    ],
)
def test_the_terminal_finds_the_database_where_the_settings_say(
    environment: dict[str, str],
) -> None:
    found = database_url(given("DATABASE_URL", environment), home(environment))
    assert found == load_settings(environment).effective_database_url


def test_what_is_given_in_either_form_is_not_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("API_TOKENS_FILE", "/run/secrets/api")
    fill_in({"PORT": "2", "API_TOKENS": "x", "HOST": "::1"})
    assert (os.environ["PORT"], os.environ.get("API_TOKENS"), os.environ["HOST"]) == (
        "1",
        None,
        "::1",
    )
    monkeypatch.delenv("HOST")


def test_our_secrets_are_hidden_in_all_their_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = tmp_path / "secret"
    held.write_text("from-a-file-not-real\n", encoding="utf-8")
    monkeypatch.setenv("GRAFANA_BASIC", "grafana:pass-not-real,other:word-not-real")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(held))
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:db-not-real@host/db")
    hide = redactor_by_name("more-not-real")
    for secret in ("pass", "word", "db", "more", "from-a-file"):
        assert "not-real" not in hide(f"it is {secret}-not-real")


def test_others_secrets_are_hidden_where_they_are_long_enough_to_be_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY", "others-secret-not-real")
    monkeypatch.setenv("FEATURE_KEY", "true")
    hide = redactor_by_name()
    assert hide('{"replay": true, "why": "others-secret-not-real"}') == (
        '{"replay": true, "why": "***"}'
    )
