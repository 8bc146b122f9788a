"""What the operator configured: rules, targets and the book that holds them.

These are the values that `service.rulebook` makes from YAML, already checked: whoever holds
one may rely on bounds, ladders and references being sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum


class ActionName(StrEnum):
    """What a rule may ask for (runbook, Alert Configuration)."""

    HORIZONTAL_SCALE = "horizontal_scale"
    VERTICAL_SCALE = "vertical_scale"
    SCALE_DATABASE = "scale_database"
    PAGE_ONCALL = "page_oncall"
    INVESTIGATE = "investigate"

    @property
    def scales(self) -> bool:
        """Whether it changes a target, and so needs one, a cooldown and a claim."""
        return self in _SCALING


_SCALING = frozenset(
    {ActionName.HORIZONTAL_SCALE, ActionName.VERTICAL_SCALE, ActionName.SCALE_DATABASE}
)


class Direction(StrEnum):
    """Which way a target changes; a cooldown belongs to (target, direction)."""

    OUT = "out"
    IN = "in"
    UP = "up"
    DOWN = "down"
    NOTIFY = "notify"
    """A message or a page: nothing changes, but repeats are debounced in the same way."""


class TargetKind(StrEnum):
    """The kinds of vendor resource that can be scaled."""

    APP_PLATFORM = "app_platform"
    DROPLET = "droplet"
    SUPABASE = "supabase"


@dataclass(frozen=True, slots=True)
class AppTarget:
    """One component of a DigitalOcean App Platform app.

    `sizes` is its ladder of instance sizes, smallest first; empty when it never changes size.
    """

    name: str
    app: str
    component: str
    min_replicas: int
    max_replicas: int
    sizes: tuple[str, ...] = ()
    health_url: str | None = None

    @property
    def kind(self) -> TargetKind:
        """The kind of vendor resource."""
        return TargetKind.APP_PLATFORM

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change; components share a spec."""
        return f"do-app:{self.app}"


@dataclass(frozen=True, slots=True)
class DropletTarget:
    """One DigitalOcean droplet with its ladder of sizes, smallest first."""

    name: str
    droplet: str
    sizes: tuple[str, ...]
    health_url: str | None = None

    @property
    def kind(self) -> TargetKind:
        """The kind of vendor resource."""
        return TargetKind.DROPLET

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"do-droplet:{self.droplet}"


@dataclass(frozen=True, slots=True)
class SupabaseTarget:
    """One Supabase project with its ladder of compute sizes (`ci_micro` …), smallest first."""

    name: str
    project: str
    sizes: tuple[str, ...]

    @property
    def kind(self) -> TargetKind:
        """The kind of vendor resource."""
        return TargetKind.SUPABASE

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"supabase:{self.project}"


Target = AppTarget | DropletTarget | SupabaseTarget


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

    `cooldown` is how long (target, direction) rests after this rule's action; it is zero only
    for page_oncall, whose dedup_key does that work. `settle` is how long the target rests after
    a run of this rule, whichever rule asks next. `step` is how many replicas horizontal_scale adds.
    `severity` overrides the alert's severity in a page.
    """

    name: str
    matchers: tuple[Matcher, ...]
    action: ActionName
    target: str | None = None
    cooldown: timedelta = timedelta()
    settle: timedelta = timedelta()
    step: int = 1
    severity: str | None = None
    continue_: bool = False
    origin: Origin = field(default_factory=lambda: Origin("", 0))


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules and targets in force, in order, with the hash that decisions pin.

    `hash` is 12 hexadecimal digits over what the rules and targets say, `${NAME}` filled in: the
    same on every machine, whatever the files are called and however they are commented.
    """

    rules: tuple[Rule, ...]
    targets: Mapping[str, Target]
    hash: str

    def target_of(self, rule: Rule) -> Target | None:
        """The target a rule acts on; None for a rule that only tells someone."""
        return self.targets[rule.target] if rule.target is not None else None


DEFAULT_RULE = Rule(
    name="unmatched",
    matchers=(),
    action=ActionName.INVESTIGATE,
    cooldown=timedelta(hours=1),
)
"""What happens to an alert that no rule matches: one Slack message, never silence
(runbook, Alert Configuration: the handler's default)."""

NO_DATA_RULE = replace(DEFAULT_RULE, name="no-data")
"""What happens when a sender lost sight of its data: someone is told, nothing is changed."""

TEST_RULE = replace(DEFAULT_RULE, name="test")
"""What happens when somebody presses a sender's test button: Slack shows that the path works."""

RESERVED_NAMES = frozenset({DEFAULT_RULE.name, NO_DATA_RULE.name, TEST_RULE.name})
"""Names that no configured rule may have."""
