"""Rules that change under a running service: web processes, a worker, signals, and the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
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

    def refuse(self, error: str) -> None:
        """Until every process refuses its files for this error."""
        self.stack.wait_for(
            lambda: all(error in str(each["refused"]) for each in self.processes()),
            f"all processes to refuse {error}",
        )

    def wait_for(self, hash_: str) -> None:
        """Until every process has these rules, and each web process answers by them."""

        def all_have_them() -> bool:
            return {each["hash"] for each in self.processes()} == {hash_} and all(
                self.stack.one("status", web)["rules_hash"] == hash_ for web in self.stack.web_urls
            )

        self.stack.wait_for(all_have_them, f"all processes to have {hash_}")

    def told(self, title: str) -> int:
        """How many messages in Slack have this title."""
        messages: list[Json] = self.stack.state()["slack"]["messages"]
        return sum(each["text"].startswith(title) for each in messages)

    def child(self, web: str) -> int:
        """The id of the process that serves, below gunicorn's master."""
        master = self.stack.processes[web].pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        known: set[int] = {each["pid"] for each in self.processes()}
        (found,) = known & set(map(int, children))
        return found

    def lines(self, process: str, event: str) -> list[Json]:
        """What a process has logged of something."""
        text = self.stack.processes[process].log.read_text("utf-8", "replace")
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [each for each in found if each["event"] == event]

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
    assert all("decisions" in each for each in answers), answers[:3]
    assert len(decided) == SENDERS * EACH + 1
    assert {each["rules_hash"] for each in decided} == {before, after}
    assert decided[0]["rules_hash"] == after


def test_half_a_file_is_never_in_force(reloading: Reloading) -> None:
    whole = RULES.replace("COOLDOWN", "12m")
    half = whole[: whole.index("  - name: told")]
    reads = {name: len(reloading.lines(name, "rules_read")) for name in ("web", "worker")}
    with reloading.path.open("w") as file:
        file.write(half)
        file.flush()
        file.write(whole[len(half) :])
    reloading.wait_for(reloading.hash_of("12m"))
    for name, before in reads.items():
        read = reloading.lines(name, "rules_read")[before:]
        assert {each["hash"] for each in read} == {reloading.hash_of("12m")}


def test_an_invalid_file_leaves_the_rules_before_in_force_and_is_told_once_until_it_is_valid(
    reloading: Reloading,
) -> None:
    stack, before = reloading.stack, reloading.change("13m")
    reloading.wait_for(before)
    for error in ("cooldwn", "coldown"):
        reloading.write(RULES.replace("COOLDOWN", "14m").replace("cooldown:", f"{error}:", 1))
        reloading.refuse(error)
    (sentence,) = reloading.wrong()
    assert "the rules before stay in force" in sentence
    assert "rules.yml:13: rule cpu: unknown key coldown" in sentence
    assert {each["hash"] for each in reloading.processes()} == {before}
    assert sentence in stack.one("rules")["wrong"]
    stack.post_alert(alert("Storm while refused"))
    assert stack.api("decisions", rule="told")[0]["rules_hash"] == before
    stack.wait_for(lambda: reloading.told(REFUSED) == 1, "Slack to be told")
    for page in ("", "/rules"):
        shown = stack.http.get(f"{stack.web_urls['web']}/console{page}")
        assert "unknown key coldown" in shown.text
    asked = reloading.command()
    assert asked.returncode == 1
    assert "unknown key coldown" in asked.stdout
    after = reloading.change("14m")
    reloading.wait_for(after)
    assert reloading.wrong() == []
    stack.wait_for(lambda: reloading.told(MENDED) == 1, "Slack to be told that it is mended")
    assert reloading.told(REFUSED) == 1


def test_the_command_has_every_process_read_its_files_and_says_what_each_has(
    reloading: Reloading,
) -> None:
    reads = {name: len(reloading.lines(name, "rules_read")) for name in ("web", "second", "worker")}
    done = reloading.command()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of them have the same rules." in done.stdout
    (hash_,) = {each["hash"] for each in reloading.processes()}
    assert done.stdout.count(hash_) == 3
    for name, before in reads.items():
        assert len(reloading.lines(name, "rules_read")) == before + 1, name


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_signal_has_one_process_read_its_files_and_ends_nothing(
    reloading: Reloading, name: str
) -> None:
    stack, before = reloading.stack, len(reloading.lines(name, "rules_read"))
    pid = stack.processes[name].pid if name == "worker" else reloading.child(name)
    os.kill(pid, signal.SIGHUP)
    stack.wait_for(
        lambda: len(reloading.lines(name, "rules_read")) > before, "the files to be read"
    )
    assert stack.processes[name].exit_status is None
    assert pid in {each["pid"] for each in reloading.processes()}


def test_a_signal_to_the_master_replaces_its_process_and_loses_nothing_beside_an_invalid_file(
    reloading: Reloading,
) -> None:
    stack, before = reloading.stack, reloading.change("15m")
    reloading.wait_for(before)
    reloading.write("rules: 7")
    reloading.refuse("must be a list")
    old, replaced, answers = reloading.child("web"), threading.Event(), 0
    os.kill(stack.processes["web"].pid, signal.SIGHUP)

    def has_replaced() -> bool:
        return old not in {each["pid"] for each in reloading.processes("second")}

    while not replaced.is_set():
        # A sender asks anew when a connection is closed on it, and takes no other answer.
        fires = alert("Storm of a restart", number=str(answers))
        answer = stack.wait_for(partial(stack.post_alert, fires), "an answer")
        (decision,) = answer["decisions"]
        assert decision["rule"] == "told"
        answers += 1
        if has_replaced():
            replaced.set()
    stack.wait_for(lambda: reloading.child("web") != old, "the new process to be known")
    assert {each["hash"] for each in reloading.processes()} == {before}
    decided = stack.api("decisions", rule="told")[:answers]
    assert {each["rules_hash"] for each in decided} == {before}
    after = reloading.change("16m")
    reloading.wait_for(after)
