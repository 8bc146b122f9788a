"""What a person asks at 3 am, answered by Slack and the pager alone, and by `runbookd explain`.

Ten questions for ten situations, on the whole service beside the sandbox. The command that explains
a situation is the one that its message names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.messages.answers import QUESTIONS
from tests.processes import ROOT
from tests.said import messages
from tests.stack import TOKEN, Options, Stack, alert, notification
from tests.unit.cli.commandline import CommandLine

TARGETS = """
  shop: {kind: app_platform, app: app-bench-000, component: api, replicas: {min: 2, max: 9}}
  blog: {kind: app_platform, app: app-bench-001, component: api, replicas: {min: 2, max: 9}}
"""
RULES = """
  - {name: shop-cpu, match: ['alertname="Shop CPU"'], action: horizontal_scale, target: shop,
     cooldown: 10m}
  - {name: blog-cpu, match: ['alertname="Blog CPU"'], action: horizontal_scale, target: blog,
     cooldown: 10m}
"""
ALERTS = (
    "High CPU Usage",
    "High Memory Usage",
    "Database Connection Pool Exhausted",
    "High Error Rate",
    "Slow Response Time",
    "Disk Almost Full",
    "Shop CPU",
    "Blog CPU",
)
FREE = "Nothing was changed, so there is nothing to stop, to undo or to pay."
NOT_CHANGED = "nothing: nothing was changed"
SILENCE = "silence it at its sender"


@dataclass(frozen=True)
class Situation:
    """`title` begins its message in Slack, `page` the summary at the pager, empty where nobody is
    paged. `told` and `explained` are what must be read for each question."""

    title: str
    told: Mapping[str, str]
    explained: Mapping[str, str | tuple[str, ...]]
    page: str = ""


def scaled(name: str, alert_name: str, change: str, rule: str, price: str, wait: str) -> Situation:
    run = f"{name}.{'out' if 'replicas' in change else 'up'}.1"
    pause = f"runbookd pause {name} --for 30m --why WHY"
    return Situation(
        f"Done: {name}: {change}",
        {
            "what happened": f"Scaled because {alert_name}: {alert_name} for a test.",
            "what was done": f"Done: {name}: {change}",
            "why": f"Scaled because {alert_name}",
            "why not": "Its cooldown holds more until then.",
            "now": "Verified after ",
            "next": f"The next step may follow in {wait} min, at ",
            "to stop it": f"No more of it {pause}",
            "to undo it": f"Undo it runbookd undo {run}",
            "cost": f"Price {price}",
            "decided by": f"Rule {rule}",
        },
        {
            "what happened": f"{alert_name}: {alert_name} for a test. It came first at 2026-",
            "what was done": f"{name}: {change}. It was verified.",
            "why": f"Rule {rule} matches the alert, and asks for ",
            "why not": "Nothing held it: 8 checks passed.",
            "now": f"The alert still fires. The run left {name} at ",
            "next": f"The next step may follow in {wait} min, at ",
            "to stop it": f"{pause} (no more of it)",
            "to undo it": f"runbookd undo {run}",
            "cost": price,
            "decided by": f"rule {rule} of rules ",
        },
    )


def told_only(rule: str, alert_name: str, **told: str) -> Situation:
    return Situation(
        f"Investigate: {alert_name}",
        {
            "what happened": f"{alert_name} for a test",
            "what was done": "so nothing was changed.",
            "why": f"rule {rule}",
            "now": "Nothing was changed",
            "next": "It is told again in 1 h, at ",
            "to undo it": FREE,
            "cost": FREE,
            "decided by": f"rule {rule}",
            **{name.replace("_", " "): text for name, text in told.items()},
        },
        {
            "what happened": f"{alert_name}: {alert_name} for a test. It came first at 2026-",
            "what was done": f"Told in Slack: Investigate: {alert_name}. Nothing was changed.",
            "why": "No rule of the file matches" if rule == "unmatched" else f"Rule {rule} matches",
            "why not": "Nothing was to be changed: it only tells.",
            "now": "The alert still fires. Nothing is under way.",
            "next": "It is told again in ",
            "to stop it": SILENCE,
            "to undo it": NOT_CHANGED,
            "cost": NOT_CHANGED,
            "decided by": f"rule {rule} of rules ",
        },
    )


SITUATIONS = {
    "cpu": scaled(
        "api", "High CPU Usage", "replicas 2 → 3", "high-cpu", "$24 → $36 a month (+$12)", "10"
    ),
    "memory": scaled(
        "worker-vm",
        "High Memory Usage",
        "size s-1vcpu-1gb → s-1vcpu-2gb",
        "high-memory",
        "$6 → $12 a month (+$6)",
        "30",
    ),
    "pool": scaled(
        "database",
        "Database Connection Pool Exhausted",
        "compute ci_micro → ci_small",
        "database-connections",
        "$10 → $15 a month (+$5)",
        "30",
    ),
    "errors": Situation(
        "Paged: High Error Rate",
        {
            "what happened": "High Error Rate: High Error Rate for a test",
            "what was done": "The person on call was paged (critical) by rule high-error-rate.",
            "why": "by rule high-error-rate",
            "why not": "Rule high-error-rate only pages.",
            "now": "1 firing",
            "next": "The incident is closed when the last of its alerts has resolved.",
            "to stop it": SILENCE,
            "to undo it": FREE,
            "cost": FREE,
            "decided by": "by rule high-error-rate",
        },
        {
            "what happened": "High Error Rate: High Error Rate for a test. It came first at 2026-",
            "what was done": "Paged: High Error Rate: High Error Rate for a test. Nothing was",
            "why": "Rule high-error-rate matches the alert, and asks for page_oncall.",
            "why not": "Nothing was to be changed: it only pages.",
            "now": "The alert still fires.",
            "next": "The incident is closed when the last of its alerts has resolved.",
            "to stop it": SILENCE,
            "to undo it": NOT_CHANGED,
            "cost": NOT_CHANGED,
            "decided by": "rule high-error-rate of rules ",
        },
        page="High Error Rate",
    ),
    "slow": told_only(
        "slow-responses",
        "Slow Response Time",
        why_not="Rule slow-responses only tells of it, so nothing was changed.",
        to_stop_it=SILENCE,
    ),
    "unknown": told_only(
        "unmatched",
        "Disk Almost Full",
        why_not="No rule matches it, so nothing was changed.",
        to_stop_it="silence it at its sender, or give it a rule with action ignore",
    ),
    "failed": Situation(
        "Failed: shop: replicas 2 → 3",
        {
            "what happened": "Shop CPU: Shop CPU for a test",
            "what was done": "Failed: shop: replicas 2 → 3",
            "why": "asked for because: Shop CPU",
            "why not": 'DigitalOcean answered 422 to the request to update app app-bench-000: "the',
            "now": "instance_count of api is 2 now (before: 2, wanted: 3); 2 replicas serve",
            "next": "The next try may be in 1 min, at ",
            "to stop it": "No more of it runbookd pause shop --for 30m --why WHY",
            "to undo it": f"To undo or pay {NOT_CHANGED}",
            "cost": f"To undo or pay {NOT_CHANGED}",
            "decided by": "Rule shop-cpu",
        },
        {
            "what happened": "Shop CPU: Shop CPU for a test. It came first at 2026-",
            "what was done": "Run shop.out.1 tried shop: replicas 2 → 3, and failed.",
            "why": "Rule shop-cpu matches the alert, and asks for horizontal_scale of shop.",
            "why not": 'DigitalOcean answered 422 to the request to update app app-bench-000: "the',
            "now": "The alert still fires. `runbookd status shop` shows how shop is.",
            "next": "if an alert still asks for it.",
            "to stop it": "runbookd pause shop --for 30m --why WHY (no more of it)",
            "to undo it": f"{NOT_CHANGED}; runbookd retry shop.out.1 (try again)",
            "cost": NOT_CHANGED,
            "decided by": "rule shop-cpu of rules ",
        },
        page="shop: replicas 2 → 3 failed",
    ),
    "held": Situation(
        "Held: horizontal_scale of blog",
        {
            "what happened": "Asked for because Blog CPU: Blog CPU for a test.",
            "what was done": "Nothing was changed",
            "why": "Asked for because Blog CPU",
            "why not": "A person pinned app app-bench-001: it was rolled back to deployment ",
            "now": "Nothing was changed",
            "next": "It is looked at again in 1 min, at ",
            "to stop it": "No more of it runbookd pause blog --for 30m --why WHY",
            "to undo it": f"To undo or pay {NOT_CHANGED}",
            "cost": f"To undo or pay {NOT_CHANGED}",
            "decided by": "Guard rolled_back",
        },
        {
            "what happened": "Blog CPU: Blog CPU for a test. It came first at 2026-",
            "what was done": "Nothing was changed. Run blog.out.1 is held.",
            "why": "Rule blog-cpu matches the alert, and asks for horizontal_scale of blog.",
            "why not": "A person pinned app app-bench-001: it was rolled back to deployment ",
            "now": "The alert still fires. blog was left as it was.",
            # On a slow machine its next try may have come.
            "next": ("The next try may be in ", "A newer run of blog is under way."),
            "to stop it": "runbookd pause blog --for 30m --why WHY (no more of it)",
            "to undo it": f"{NOT_CHANGED}; runbookd retry blog.out.1 (try again)",
            "cost": NOT_CHANGED,
            "decided by": "rule blog-cpu of rules ",
        },
    ),
    "held by a cooldown": Situation(
        "Held: High CPU Usage",
        {
            "what happened": "Held: High CPU Usage: High CPU Usage for a test.",
            "what was done": "Nothing was changed",
            "why": "Rule high-cpu asks for horizontal_scale",
            "why not": "which the cooldown of api.out holds",
            "now": "Nothing was changed",
            "next": "It is over in ",
            "to stop it": FREE,
            "to undo it": FREE,
            "cost": FREE,
            "decided by": "Rule high-cpu",
        },
        {
            "what happened": "High CPU Usage: High CPU Usage for a test. It came first at 2026-",
            "what was done": "Nothing was changed.",
            "why": "Rule high-cpu matches the alert, and asks for horizontal_scale of api.",
            "why not": "cooldown of api.out until 2026-",
            "now": "The alert still fires. api was left as it was.",
            "next": "The next try may be in ",
            "to stop it": "runbookd pause api --for 30m --why WHY (no more of it)",
            "to undo it": NOT_CHANGED,
            "cost": NOT_CHANGED,
            "decided by": "rule high-cpu of rules ",
        },
    ),
    "quarantined": Situation(
        "Alerts from alertmanager could not be read",
        {
            "what happened": "1 of 1 alert in a notification from alertmanager could not be read",
            "what was done": "They are kept as they came",
            "why": "The label 'code' in `labels` is a list, not a string.",
            "why not": "no rule saw them: nobody is paged.",
            "now": "Nothing was changed",
            "next": "What comes next is read anew.",
            "to stop it": FREE,
            "to undo it": FREE,
            "cost": FREE,
            "decided by": "no rule saw them",
        },
        {
            "what happened": "1 of 1 alert in a notification from alertmanager could not be read",
            "what was done": "Slack was told. Nothing was changed.",
            "why": "The label 'code' in `labels` is a list, not a string.",
            "why not": "No rule sees an alert that cannot be read.",
            "now": "Nothing is under way.",
            "next": "at the earliest, if more such alerts come.",
            "to stop it": "correct what sends them",
            "to undo it": NOT_CHANGED,
            "cost": NOT_CHANGED,
            "decided by": "runbookd itself, and no rule",
        },
    ),
}


def rules(folder: Path) -> Path:
    """The shipped pack with two more targets, one of which fails and one of which is held."""
    pack = (ROOT / "rules" / "quizmentor.yml").read_text(encoding="utf-8")
    path = folder / "rules.yml"
    head, tail = pack.replace("\ntargets:\n", f"\ntargets:{TARGETS}", 1).split(
        "\n# Alerts that always"
    )
    text = f"{head.rstrip()}{RULES}\n# Alerts that always{tail}"
    path.write_text(text, encoding="utf-8")
    return path


def pin(stack: Stack, app: str) -> None:
    """A person deploys an app once more, and rolls it back."""
    address = f"{stack.sandbox_url}/digitalocean/v2/apps/{app}"
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as person:

        def newest() -> Any:
            return person.get(f"{address}/deployments").json()["deployments"][0]

        first, spec = newest(), person.get(address).json()["app"]["spec"]
        assert person.put(address, json={"spec": spec}).is_success
        stack.wait_for(lambda: newest()["phase"] == "ACTIVE", "the second deployment")
        body = {"deployment_id": first["id"]}
        assert person.post(f"{address}/rollback", json=body).is_success
        stack.wait_for(lambda: newest()["phase"] == "ACTIVE", "the rollback")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service in which all of it has happened."""
    folder = tmp_path_factory.mktemp("ten-questions")
    with Stack(folder / "stack", Options(rules=[rules(folder)], redis="none")) as stack:
        stack.start()
        stack.reset(extra_apps=2)
        pin(stack, "app-bench-001")
        refusal = {"id": "unprocessable_entity", "message": "the region has no capacity"}
        path = "/v2/apps/app-bench-000"
        stack.fault(vendor="digitalocean", method="PUT", path=path, status=422, body=refusal)
        for name in ALERTS:
            stack.post_alert(alert(name))
        unreadable = alert("Broken")
        unreadable["labels"]["code"] = ["a list"]
        assert stack.post(notification(unreadable, alertname="Broken")).is_success
        first = [each.title for each in SITUATIONS.values() if each.title != HELD_BY_COOLDOWN]
        stack.wait_for(lambda: not _untold(stack, first), "all that is told first")
        stack.post_alert(alert("High CPU Usage", instance="another"))
        stack.wait_for(lambda: not _untold(stack, [HELD_BY_COOLDOWN]), "the hold")
        yield stack


HELD_BY_COOLDOWN = SITUATIONS["held by a cooldown"].title


def _untold(stack: Stack, titles: list[str]) -> list[str]:
    told = messages(stack)
    return [title for title in titles if not any(each.startswith(title) for each in told)]


def told_of(stack: Stack, situation: Situation) -> str:
    """All that Slack and the pager say of a situation."""
    slack = next(each for each in messages(stack) if each.startswith(situation.title))
    if not situation.page:
        return slack
    incidents = stack.state()["pagerduty"]["open"]
    (page,) = [each for each in incidents if each["summary"].startswith(situation.page)]
    details = " ".join(f"{name}: {value}" for name, value in page["custom_details"].items())
    return f"{slack} {page['summary']} {details}"


def command_of(told: str) -> list[str]:
    """The command that a message names to read on."""
    found = re.findall(r"`runbookd (explain [^`]+)`", told)
    assert found, told
    command: str = found[-1]
    return command.split()


def says(answer: str, said: str | tuple[str, ...]) -> bool:
    """Whether one of these is in the answer."""
    return any(each in answer for each in ((said,) if isinstance(said, str) else said))


@pytest.fixture
def runbookd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(ROOT)
    return CommandLine(monkeypatch, capsys)


@pytest.mark.parametrize("name", SITUATIONS)
def test_slack_and_the_pager_alone_answer_the_ten_questions(stack: Stack, name: str) -> None:
    situation = SITUATIONS[name]
    told = told_of(stack, situation)
    assert set(situation.told) == set(QUESTIONS)
    unanswered = {q: said for q, said in situation.told.items() if said not in told}
    assert unanswered == {}, told


def test_a_page_says_alike_in_slack_and_at_the_pager_what_follows_and_how_to_stop_it(
    stack: Stack,
) -> None:
    page = SITUATIONS["errors"]
    slack = told_of(stack, replace(page, page=""))
    pager = told_of(stack, page).removeprefix(slack)
    for said in (FREE, page.told["next"], SILENCE):
        assert said in slack
        assert said in pager


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_command_that_the_message_names_answers_the_ten_questions(
    stack: Stack, runbookd: CommandLine, name: str
) -> None:
    situation = SITUATIONS[name]
    command = command_of(told_of(stack, situation))
    answered = json.loads(runbookd(*command, "--json", env=stack.environment).out)["answers"]
    assert tuple(each["question"] for each in answered) == QUESTIONS
    answers = {each["question"]: each["answer"] for each in answered}
    assert all(answers.values())
    unanswered = {q: said for q, said in situation.explained.items() if not says(answers[q], said)}
    assert unanswered == {}, answers
    printed = runbookd(*command, env=stack.environment).out.splitlines()
    assert [line.split("  ")[0].strip() for line in printed[: len(QUESTIONS)]] == list(QUESTIONS)


def test_an_alert_that_could_not_be_read_is_explained_by_its_id(
    stack: Stack, runbookd: CommandLine
) -> None:
    (item,) = stack.api("quarantine")
    assert item["id"] in runbookd("quarantine", env=stack.environment).out
    said = " ".join(runbookd("explain", item["id"], env=stack.environment).out.split())
    assert "why The label 'code' in `labels` is a list, not a string." in said
    assert "decided by no rule: it was put aside before any was asked" in said
