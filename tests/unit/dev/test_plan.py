from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.dev.home import DevRefused
from service.dev.plan import choose_port, environment, loopback_of, make_plan, with_sandbox_ids
from service.dev.session import worker_child
from service.settings import SettingsInvalid, load_settings

FREE = {"PORT": "0", "SANDBOX_PORT": "0"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def planned(home: Path, **given: str) -> dict[str, str]:
    settings = with_sandbox_ids(load_settings({**FREE, **given}))
    return environment(make_plan(settings, home), settings, "unix:///redis.sock")


def test_the_children_find_the_sandbox_its_ids_and_the_data(tmp_path: Path) -> None:
    found = planned(tmp_path)
    assert found["SANDBOX_URL"] == f"http://127.0.0.1:{found['SANDBOX_PORT']}"
    assert found["API_APP_ID"] == "app-quizmentor"
    assert found["DROPLET_ID"] == "101"
    assert found["SUPABASE_PROJECT_REF"] == "quizmentorquizmentor"
    assert found["REDIS_URL"] == "unix:///redis.sock"
    assert found["RUNBOOKD_HOME"] == str(tmp_path)


def test_the_data_is_a_file_in_the_home(tmp_path: Path) -> None:
    found = planned(tmp_path, RUNBOOKD_HOME=str(tmp_path))
    assert found["DATABASE_URL"] == f"sqlite:///{tmp_path}/runbookd.db"


def test_what_is_given_stays(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        API_APP_ID="mine",
        SANDBOX_URL="http://127.0.0.1:9",
        DATABASE_URL="postgresql://127.0.0.1/mine",
    )
    assert found["API_APP_ID"] == "mine"
    assert found["SANDBOX_URL"] == "http://127.0.0.1:9"
    assert found["DATABASE_URL"] == "postgresql://127.0.0.1/mine"


def test_webhooks_are_open_only_without_any_secret(tmp_path: Path) -> None:
    assert planned(tmp_path)["OPEN_WEBHOOKS"] == "1"
    for name in ("ALERTMANAGER_TOKENS", "GRAFANA_TOKENS"):
        assert "OPEN_WEBHOOKS" not in planned(tmp_path, **{name: "test-token-not-real"})


def test_webhooks_are_never_open_beyond_this_machine(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"web would listen on 192\.0\.2\.7"):
        planned(tmp_path, HOST="192.0.2.7")


def test_a_port_in_use_is_named_with_its_variable(taken: int) -> None:
    with pytest.raises(DevRefused) as refused:
        choose_port("SANDBOX_PORT", "127.0.0.1", taken)
    assert f"Port {taken} is in use" in str(refused.value)
    assert "set SANDBOX_PORT" in str(refused.value)


def test_a_host_of_another_machine_is_named(tmp_path: Path) -> None:
    given = {"HOST": "192.0.2.7", "ALERTMANAGER_TOKENS": "test-token-not-real"}
    given["API_TOKENS"] = "test-token-not-real"
    with pytest.raises(DevRefused, match=r"cannot be listened on at 192\.0\.2\.7"):
        planned(tmp_path, **given)


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.2", "127.0.0.2"), ("name", "name")],  # noqa: S104 - what is asked about
)
def test_what_listens_everywhere_is_reached_on_loopback(host: str, reached_at: str) -> None:
    assert loopback_of(host) == reached_at


def test_the_worker_gets_the_way_to_what_the_sandbox_does_not_stand_in_for(tmp_path: Path) -> None:
    settings = with_sandbox_ids(load_settings(FREE))
    withheld = worker_child(make_plan(settings, tmp_path), {}).withheld
    assert {"DIGITALOCEAN_TOKEN", "SLACK_BOT_TOKEN", "API_TOKENS"} <= set(withheld)
    assert not {"APP_DATABASE_URL", "PROMETHEUS_TOKEN"} & set(withheld)
