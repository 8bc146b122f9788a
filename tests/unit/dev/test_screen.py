from __future__ import annotations

import io
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from service.dev.plan import DevPlan
from service.dev.screen import Screen, example_curl, example_notification
from service.intake.parse import parse_notification

NOW = 1_767_225_600.0


def plan(*, open_webhooks: bool = True) -> DevPlan:
    return DevPlan(
        home=Path("/data"),
        host="127.0.0.1",
        port=8080,
        sandbox_port=8090,
        sandbox_url="http://127.0.0.1:8090",
        sandbox_given=False,
        redis_given="",
        database_url="sqlite:////data/runbookd.db",
        open_webhooks=open_webhooks,
        prometheus_url="",
    )


def shown(*lines: tuple[str, str]) -> str:
    stream = io.StringIO()
    screen = Screen(Console(file=stream, width=60))
    for name, line in lines:
        screen.say(name, line)
    return stream.getvalue()


def banner(plan_: DevPlan) -> list[str]:
    stream = io.StringIO()
    Screen(Console(file=stream, width=60)).banner(plan_, "/data/redis.sock", NOW)
    return stream.getvalue().splitlines()


def test_the_example_is_one_firing_high_cpu_alert_of_an_alertmanager() -> None:
    body = example_notification(NOW)
    assert "\n" not in body
    parsed = parse_notification(
        body.encode(),
        source="alertmanager",
        content_type="application/json",
        received_at=datetime.fromtimestamp(NOW, UTC),
    )
    (alert,) = parsed.alerts
    assert (alert.name, alert.firing, alert.notes) == ("High CPU Usage", True, ())
    assert parsed.quarantined == ()


def test_the_curl_is_one_line_that_a_shell_splits_into_address_and_json() -> None:
    (line,) = [line for line in banner(plan()) if line.startswith("  curl") and "webhooks" in line]
    words = shlex.split(line)
    assert words[2] == "http://127.0.0.1:8080/webhooks/alertmanager"
    assert json.loads(words[-1])["version"] == "4"


def test_the_curl_asks_for_the_secret_where_one_is_set_and_never_shows_it() -> None:
    assert "YOUR_TOKEN" in example_curl("http://127.0.0.1:8080", NOW, secret_needed=True)
    assert "Authorization" not in example_curl("http://127.0.0.1:8080", NOW, secret_needed=False)


@pytest.mark.parametrize("open_webhooks", [True, False])
def test_the_banner_says_whether_the_webhooks_are_open(open_webhooks: bool) -> None:
    text = " ".join(" ".join(banner(plan(open_webhooks=open_webhooks))).split())
    assert ("on loopback only" in text) is open_webhooks
    assert "/data" in text


def test_a_line_carries_the_name_of_its_process_and_is_not_markup() -> None:
    assert shown(("web", "[info] took [/] it")) == "web     | [info] took [/] it\n"


def test_a_long_line_is_not_broken() -> None:
    assert shown(("worker", "x" * 200)).count("\n") == 1


def test_what_servers_say_of_themselves_is_left_out() -> None:
    chatter = "2026-01-01T00:00:00Z [info     ] Booting worker with pid: 7 [gunicorn.error]"
    warning = "2026-01-01T00:00:00Z [warning  ] Worker timed out [gunicorn.error]"
    assert shown(("web", chatter), ("web", ""), ("web", warning)).splitlines() == [
        f"web     | {warning}"
    ]
