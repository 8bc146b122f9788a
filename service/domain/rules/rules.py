"""What the operator configured: rules, targets and the book that holds them.

These are the values that `service.rulebook` makes from YAML, already checked: whoever holds
one may rely on bounds, ladders and references being sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from service.domain.alerts.flapping import Flapping
from service.domain.decisions.policy import Policy
from service.domain.jobs.jobs import Job
from service.domain.levels.levels import Levels
from service.domain.rules.scopes import UNSTATED, Scopes
from service.domain.scenarios.scenarios import Scenario
from service.domain.watchdogs import Watchdog


class Target(Protocol):
    """One vendor resource that an operator declared.

    Each kind has a frozen dataclass of its own, with the fields that its plans need
    (`service.catalogue.<kind>.target`).
    """

    @property
    def name(self) -> str:
        """What the operator calls it."""
        ...

    @property
    def kind(self) -> str:
        """The name of its kind, as in the rules: `app_platform`."""
        ...

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change; two targets may share one."""
        ...

    @property
    def service(self) -> str:
        """The value of the label `service` of alerts that are about it; empty where none is."""
        ...

    @property
    def sizes(self) -> tuple[str, ...]:
        """Its ladder of sizes, smallest first; empty when it never changes size."""
        ...

    @property
    def bounds(self) -> str:
        """How far it may be changed, for a person: `2–10 instances`."""
        ...

    @property
    def console(self) -> str:
        """Where a person looks at it: the http(s) address of its page in the vendor's console."""
        ...


class MatchOp(StrEnum):
    """Alertmanager's four matcher operators."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a missing label counts as the empty string, as in Alertmanager."""

    label: str
    op: MatchOp
    value: str

    def __str__(self) -> str:
        """The matcher in Alertmanager's syntax, value quoted."""
        label = self.label if _BARE_LABEL.fullmatch(self.label) else f'"{_escaped(self.label)}"'
        return f'{label}{self.op.value}"{_escaped(self.value)}"'


_BARE_LABEL = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule or target was written, for messages: file name and line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        """`file:line`, as editors understand it."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which alerts lead to which action on which target.

    `action` is a name in the catalogue. `cooldown` is how long the same (target, direction) is left
    alone after this rule's action; it is zero only for page_oncall, whose dedup_key does that work.
    `settle` is how long the target is left alone after a run of this rule, whichever rule asks
    next. `after` is how long an alert has to fire before it earns anything. `flapping` is
    how often an alert may fire and resolve, None where the rule does not say. `options` are the
    action's own, as plain JSON that the catalogue has checked. `severity` overrides the alert's
    severity in a page. `policy` is how far it may act: what the rule says, and what holds for all
    rules.
    """

    name: str
    matchers: tuple[Matcher, ...]
    action: str
    target: str | None = None
    cooldown: timedelta = timedelta()
    settle: timedelta = timedelta()
    after: timedelta = timedelta()
    flapping: Flapping | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    severity: str | None = None
    policy: Policy = field(default_factory=Policy)
    continue_: bool = False
    origin: Origin = field(default_factory=lambda: Origin("", 0))


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules and targets in force, in order, with the hash that decisions pin.

    `hash` is 12 hexadecimal digits over what the rules and targets say, `${NAME}` filled in: the
    same on every machine, whatever the files are called and however they are commented.
    `warnings` name what the files may say and hardly mean, `file:line: warning: …` each.
    `policy` holds for whoever asks, people too. `scopes` say which sender may earn which rules.
    `readings` are what Prometheus is asked for each metric beside the standard ones. They decide
    nothing, so they are no part of the hash. `levels` say what should hold by the calendar and the
    clock. `jobs` are the chores, by name. `costs` are dollars a month that
    no vendor's list shows, by name; they decide nothing. `scenarios` are procedures of several
    steps, by name. `watchdogs` are alerts that always fire, by name.
    """

    rules: tuple[Rule, ...]
    targets: Mapping[str, Target]
    hash: str
    warnings: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    scopes: Scopes = UNSTATED
    levels: Levels = field(default_factory=Levels)
    readings: Mapping[str, str] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    watchdogs: Mapping[str, Watchdog] = field(default_factory=dict)

    def target_of(self, rule: Rule) -> Target | None:
        """The target a rule acts on; None for a rule that only tells someone."""
        return self.targets[rule.target] if rule.target is not None else None

    @property
    def resources(self) -> dict[str, str]:
        """The vendor resource of each target, by the target's name."""
        return {name: each.resource for name, each in self.targets.items()}


DEFAULT_RULE = Rule(
    name="unmatched",
    matchers=(),
    action="investigate",
    cooldown=timedelta(hours=1),
)
"""What happens to an alert that no rule matches: one Slack message, never silence
(runbook, Alert Configuration: the handler's default)."""

NO_DATA_RULE = replace(DEFAULT_RULE, name="no-data")
"""What happens when a sender lost sight of its data: someone is told, nothing is changed."""

TEST_RULE = replace(DEFAULT_RULE, name="test")
"""What happens when somebody presses a sender's test button: Slack shows that the path works."""

WATCHDOG_RULE = replace(DEFAULT_RULE, name="watchdogs", action="ignore")
"""What happens to a watchdog that no rule matches: that it was heard is all that there is to it."""

RESERVED_NAMES = frozenset(
    {DEFAULT_RULE.name, NO_DATA_RULE.name, TEST_RULE.name, WATCHDOG_RULE.name}
)
"""Names that no configured rule may have."""
