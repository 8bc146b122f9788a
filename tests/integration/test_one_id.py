"""One id leads through the logs, from the answer to a sender to the call of the vendor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.stack import Options, Stack, alert


def lines(log: Path) -> list[dict[str, Any]]:
    found = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in found if line.startswith("{")]


def test_the_id_that_a_sender_gets_is_on_the_lines_of_the_run_and_of_its_calls_to_vendors(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, Options(redis="none", environment={"LOG_FORMAT": "json"})) as stack:
        stack.start()
        answer = stack.post_alert(alert("High CPU Usage"))
        other = stack.post_alert(alert("Database Connection Pool Exhausted"))
        (run,) = {each["run"] for each in answer["decisions"]}
        stack.wait_for(
            lambda: all(each["ended_at"] for each in stack.runs()) and len(stack.runs()) == 2,
            "both runs to end",
        )
        episode = stack.one(f"runs/{run}")["alerts"][0]
        web, worker = (lines(stack.processes[name].log) for name in ("web", "worker"))

    notification = answer["notification"]
    (asked,) = [each for each in web if each.get("notification") == notification]
    assert (asked["event"], asked["run"], asked["alert"]) == ("run_asked_for", run, episode)

    mine = [each for each in worker if each.get("notification") == notification]
    assert {(each["run"], each["alert"]) for each in mine} == {(run, episode)}
    calls = [each for each in mine if each["event"] == "vendor_called"]
    assert ("digitalocean", "answered") in {(each["vendor"], each["outcome"]) for each in calls}
    assert "slack" in {each["vendor"] for each in calls}

    theirs = [each for each in worker if each.get("notification") == other["notification"]]
    assert "supabase" in {each.get("vendor") for each in theirs}
    assert "digitalocean" not in {each.get("vendor") for each in theirs}
