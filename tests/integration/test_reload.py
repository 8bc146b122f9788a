"""Rules that change under a running service: web processes, a worker, signals, and the command."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.rulebook import load_rulebook
from service.settings import load_settings, rule_variables
from tests.processes import ROOT, inherited
from tests.stack import Json, Options, Stack, alert, new_sender, notification

RULES = """
targets:
  api:
    kind: app_platform
    app: ${API_APP_ID}
    component: api
    replicas: {min: 1, max: 4}
rules:
  - name: cpu
    match: ['alertname=~"High CPU.*"']
    action: horizontal_scale
    target: api
    cooldown: COOLDOWN
  - name: told
    match: ['alertname=~"Storm.*"']
    action: tell
    with: {channels: ['#ops'], text: It fires.}
    cooldown: COOLDOWN
"""
REFUSED = "The rule files have an error: they are not in force"
MENDED = "The rule files can be used again"
SENDERS, EACH = 4, 40


class Reloading:
    """A service whose rules are in one file."""

    def __init__(self, stack: Stack, path: Path) -> None:
        self.stack, self.path = stack, path

    def hash_of(self, cooldown: str) -> str:
        """The hash of the rules with this cooldown."""
        path = self.path.with_name("other.yml")
        path.write_text(RULES.replace("COOLDOWN", cooldown))
        variables = rule_variables(load_settings(self.stack.environment))
        return load_rulebook([path], variables).hash

    def write(self, text: str) -> None:
        """Replace the file whole, as an editor does."""
        new = self.path.with_name("new.yml")
        new.write_text(text)
        new.replace(self.path)

    def change(self, cooldown: str) -> str:
        """Other rules; their hash."""
        self.write(RULES.replace("COOLDOWN", cooldown))
        return self.hash_of(cooldown)

    def processes(self, web: str = "web") -> list[Json]:
        found: list[Json] = self.stack.one("status", web)["rules"]["processes"]
        return found

    def wrong(self, web: str = "web") -> list[str]:
        found: list[str] = self.stack.one("status", web)["rules"]["wrong"]
        return found

    def wait_for(self, hash_: str) -> None:
        """Until every process has these rules, and each web process answers by them."""

        def all_have_them() -> bool:
            return {each["hash"] for each in self.processes()} == {hash_} and all(
                self.stack.one("status", web)["rules_hash"] == hash_ for web in self.stack.web_urls
            )

        self.stack.wait_for(all_have_them, f"all processes to have {hash_}")

    def told(self, title: str) -> int:
        """How many messages in Slack have this title."""
        return str(self.stack.state()["slack"]).count(title)

    def pid(self, role: str, name: str) -> int:
        """The process that has the rules, which is none of gunicorn's masters."""
        if role == "worker":
            return self.stack.processes[name].pid
        master = self.stack.processes[name].pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return next(pid for pid in map(int, children) if pid in self.pids())

    def pids(self) -> set[int]:
        return {each["pid"] for each in self.processes()}

    def command(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "service.cli", "reload"],
            env={**inherited(), **self.stack.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def reloading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloading]:
    """Two web processes and a worker, on one rule file."""
    home = tmp_path_factory.mktemp("reload")
    path = home / "rules.yml"
    path.write_text(RULES.replace("COOLDOWN", "10m"))
    with Stack(home / "stack", Options(rules=[path], redis="none")) as stack:
        stack.start()
        stack.start_web("second")
        made = Reloading(stack, path)
        made.wait_for(made.hash_of("10m"))
        yield made


def test_a_storm_across_a_reload_loses_no_alert_and_each_decision_has_one_of_the_two_hashes(
    reloading: Reloading,
) -> None:
    stack, before = reloading.stack, reloading.hash_of("10m")
    half_way = threading.Barrier(SENDERS + 1)
    answers: list[Json] = []

    def send(number: int) -> None:
        with new_sender() as sender:
            for each in range(EACH):
                if each == EACH // 4:
                    half_way.wait(60)
                web = ("web", "second")[each % 2]
                fires = alert(f"Storm {number}", number=str(each))
                answer = stack.post(notification(fires), web, sender=sender)
                answers.append(answer.json() if answer.is_success else {"status": answer.text})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    half_way.wait(60)
    after = reloading.change("11m")
    for thread in threads:
        thread.join()
    reloading.wait_for(after)
    stack.post_alert(alert("Storm last"), web="second")
    decided = stack.api("decisions", rule="told")
    assert len(answers) == SENDERS * EACH
    assert all("alerts" in each for each in answers), answers[:3]
    assert len(decided) == SENDERS * EACH + 1
    assert {each["rules_hash"] for each in decided} == {before, after}
    assert decided[0]["rules_hash"] == after
