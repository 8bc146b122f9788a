"""Settings come from the environment, one place, and are all told in the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service import environment
from service.settings import (
    SECRETS,
    VENDOR_SECRETS,
    Settings,
    SettingsInvalid,
    child_environment,
    load_settings,
    misspelt,
    rule_variables,
    setting_names,
)

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_every_setting_and_no_other() -> None:
    table = README.read_text(encoding="utf-8").split("## Settings")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)}
    assert listed == set(setting_names())


def test_a_setting_may_be_kept_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("test-token-not-real\n", encoding="utf-8")
    settings = load_settings({"DIGITALOCEAN_TOKEN_FILE": str(secret)})
    assert settings.digitalocean_token.get_secret_value() == "test-token-not-real"


def test_a_file_that_cannot_be_read_is_named_with_its_variable(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(SettingsInvalid, match=f"SLACK_BOT_TOKEN_FILE names {missing}"):
        load_settings({"SLACK_BOT_TOKEN_FILE": str(missing)})


def test_several_secrets_are_separated_by_commas() -> None:
    settings = load_settings({"ALERTMANAGER_TOKENS": " old-not-real, new-not-real ,"})
    given = [token.get_secret_value() for token in settings.alertmanager_tokens]
    assert given == ["old-not-real", "new-not-real"]


def test_basic_authentication_needs_a_user_and_a_password() -> None:
    with pytest.raises(SettingsInvalid, match=r"GRAFANA_BASIC.*user:password"):
        load_settings({"GRAFANA_BASIC": "grafana"})


@pytest.mark.parametrize("value", [":", "user:", ":password"])
def test_neither_user_nor_password_may_be_empty(value: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"ALERTMANAGER_BASIC.*neither may be empty"):
        load_settings({"ALERTMANAGER_BASIC": value})


@pytest.mark.parametrize(
    "name",
    ["ALERTMANAGER_TOKENS", "ALERTMANAGER_BASIC", "GRAFANA_TOKENS", "GRAFANA_BASIC", "API_TOKENS"],
)
@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_a_setting_that_lets_somebody_in_is_never_set_to_nothing(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{name}.*holds nothing"):
        load_settings({name: value})


def test_an_empty_file_is_named_with_its_variable(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsInvalid, match=f"API_TOKENS_FILE names {empty}, which is empty"):
        load_settings({"API_TOKENS_FILE": str(empty)})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("API_TOKEN", "API_TOKENS"),
        ("API_TOKEN_FILE", "API_TOKENS_FILE"),
        ("ALERTMANAGER_TOKEN", "ALERTMANAGER_TOKENS"),
        ("SLACK_TOKEN", "SLACK_BOT_TOKEN"),
        ("DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_TOKEN"),
        ("RUNBOOKD_PORT", "PORT"),
        ("RUNBOOKD_COLOUR", "one of those in README.md"),
    ],
)
def test_a_name_that_looks_like_a_setting_is_told_with_the_one_that_was_meant(
    name: str, meant: str
) -> None:
    assert misspelt({name: "x"}) == (f"{name} is not a setting; did you mean {meant}?",)


def test_what_looks_like_a_setting_that_is_given_is_not_told() -> None:
    assert misspelt({"REDIS_TLS_URL": "rediss://x", "REDIS_URL": "redis://x"}) == ()
    assert misspelt({"REDIS_TLS_URL": "rediss://x"}) != ()


def test_names_of_others_and_our_own_are_not_told() -> None:
    others = (
        "HOSTNAME",
        "WEB_CONCURRENCY",
        "HOME",
        "PATH",
        "PORTAGE",
        "DYNO",
        "LOGNAME",
        "XDG_RUNTIME_DIR",
    )
    ours = [form for name in setting_names() for form in (name, f"{name}_FILE")]
    assert misspelt(dict.fromkeys([*others, *ours], "x")) == ()


def test_what_is_withheld_from_a_child_is_withheld_in_either_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN_FILE", "API_TOKENS_FILE"):
        monkeypatch.setenv(name, "x")
    found = child_environment({"PORT": "1"}, VENDOR_SECRETS)
    assert {name for name in found if "TOKEN" in name} == {"API_TOKENS_FILE"}
    assert found["PORT"] == "1"


def test_every_bad_value_is_told_by_its_variable() -> None:
    with pytest.raises(SettingsInvalid) as told:
        load_settings({"PORT": "http", "WORKER_POLL_S": "0"})
    assert [sentence.split(":")[0] for sentence in told.value.sentences] == [
        "PORT",
        "WORKER_POLL_S",
    ]


def test_a_secret_is_never_shown() -> None:
    settings = load_settings({"ALERTMANAGER_TOKENS": "hidden-not-real"})
    assert "hidden-not-real" not in repr(settings)


def test_every_secret_is_known_as_one() -> None:
    fields = Settings.model_fields.values()
    assert {each.alias for each in fields if "SecretStr" in str(each.annotation)} == SECRETS
    assert SECRETS | {"RUNBOOKD_TOKEN"} >= environment.SECRETS
    assert [each for each in SECRETS if not environment.is_secret(each)] == []


def test_rules_may_refer_to_the_targets_ids_even_when_they_are_kept_in_files(
    tmp_path: Path,
) -> None:
    app = tmp_path / "app"
    app.write_text("app-1", encoding="utf-8")
    environment = {"API_APP_ID_FILE": str(app), "DROPLET_ID": "101"}
    variables = rule_variables(load_settings(environment), environment)
    assert variables == {"API_APP_ID": "app-1", "DROPLET_ID": "101", "SUPABASE_PROJECT_REF": ""}


def test_rules_may_refer_to_what_rules_env_lists_and_to_nothing_else() -> None:
    environment = {
        "RULES_ENV": "CLUSTER, REGION",
        "CLUSTER": "eu-1",
        "OTHER": "x",
        "SLACK_BOT_TOKEN": "xoxb-test-not-real",
    }
    variables = rule_variables(load_settings(environment), environment)
    assert variables["CLUSTER"] == "eu-1"
    assert variables["REGION"] == ""
    assert not {"OTHER", "SLACK_BOT_TOKEN", "RULES_ENV"} & set(variables)


@pytest.mark.parametrize(
    "name",
    [
        "ALERTMANAGER_TOKENS",
        "GRAFANA_BASIC",
        "API_TOKENS",
        "DIGITALOCEAN_TOKEN",
        "SUPABASE_ACCESS_TOKEN",
        "PAGERDUTY_ROUTING_KEY",
        "SLACK_BOT_TOKEN",
        "PROMETHEUS_TOKEN",
        "DATABASE_URL",
        "REDIS_URL",
        "PROMETHEUS_URL",
    ],
)
def test_a_setting_that_may_hold_a_secret_is_refused_in_rules_env(name: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^RULES_ENV: .*{name} may hold a secret"):
        load_settings({"RULES_ENV": f"CLUSTER,{name}"})


def test_rules_env_holds_names_only() -> None:
    with pytest.raises(SettingsInvalid, match=r"'\$\{CLUSTER\}' is not a variable's name"):
        load_settings({"RULES_ENV": "${CLUSTER}"})


def test_without_a_database_url_the_database_is_a_file_in_the_home(tmp_path: Path) -> None:
    settings = load_settings({"RUNBOOKD_HOME": str(tmp_path)})
    assert settings.effective_database_url == f"sqlite:///{tmp_path / 'runbookd.db'}"


def test_the_platforms_own_word_for_postgresql_is_understood() -> None:
    settings = load_settings({"DATABASE_URL": "postgres://user@host/postgres://"})
    assert settings.effective_database_url == "postgresql://user@host/postgres://"
