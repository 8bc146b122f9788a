"""What a scenario is: its steps, their order, and how far it may go. Pure.

A scenario is a procedure of several steps, such as the runbook's viral growth. Each step is an
action on a target. `after` is the only order: steps without it begin together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from service.domain.decisions.approval import Approval, approval_from_json
from service.domain.durations import lasted
from service.domain.scenarios.signoffs import Gate, gate_from_json
from service.domain.watching import Term, read_term

STOP, CONTINUE, UNDO, PAGE = "stop", "continue", "undo", "page"
ON_FAILURE = (STOP, CONTINUE, UNDO, PAGE)
"""What follows when a step is not done. STOP: no further step begins, and a person is paged.
CONTINUE: all others go on, also those that come after it. UNDO: as STOP, and what was done is
put back. PAGE: a person is paged, what comes after it is left out, and the others go on."""
RESTORE, NONE = "restore", "none"
UNDOS = (RESTORE, NONE)
"""Whether the way back puts back what a step has changed."""


_RUN = re.compile(r"[a-z0-9][a-z0-9_-]*\.[0-9]+")


def is_scenario_run(run: str) -> bool:
    """Whether an id is that of a scenario that was started, such as `emergency.3`. The id of a run
    has one more part."""
    return _RUN.fullmatch(run) is not None


def start_claim(scenario: str) -> str:
    """The claim of the runs that start a scenario, whichever rule asks."""
    return f"{scenario}.start"


@dataclass(frozen=True, slots=True)
class When:
    """What has to hold at a step's turn so that it begins: a reading with its limit, such as
    `p95 > 500`. `unknown_begins` is whether it begins too where the reading is not known."""

    reading: str
    unknown_begins: bool = False

    @property
    def term(self) -> Term:
        """The reading and its limit."""
        return read_term(self.reading)


@dataclass(frozen=True, slots=True)
class Early:
    """What ends a scenario before its time, once it has held for `for_s` seconds: a reading with
    its limit; or, where that is empty, that no alert fires by which a rule has started it."""

    reading: str
    for_s: float

    @property
    def said(self) -> str:
        """What has to hold, in words."""
        for_so_long = f"for {lasted(self.for_s)}"
        if self.reading:
            return f"{self.reading} has held {for_so_long}"
        return f"the alert that started it has been resolved {for_so_long}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as it is written.

    `to` are values of the target, as a person gives them; a text such as `+1`, or `next` for a
    size, is that many steps up. `options` are those of an action that moves nothing. `after` are
    the steps that have to be over first. `restores` is whether the way back puts it back.
    `confirm` is whether a person has to approve this step. `exact` is whether the target may get
    less by it. `when` is what has to hold at its turn, None where nothing has to.
    """

    id: str
    action: str
    target: str | None = None
    to: Mapping[str, Any] = field(default_factory=dict, hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    after: tuple[str, ...] = ()
    on_failure: str = STOP
    restores: bool = False
    confirm: bool = False
    exact: bool = False
    when: When | None = None

    def fields(self) -> dict[str, Any]:
        """What it says, as plain values."""
        known = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}
        # A step without it has the hash that it had before there were any.
        return known | {"when": asdict(self.when)} if self.when else _without(known, "when")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario.

    An `emergency` asks nobody, and starts although something is paused, locked or frozen.
    `approval` says who approves the whole of it, None where nobody has to, and `above` how many
    dollars a month it has to add for that. `lasts_s` is how long it is in force, in seconds, None
    where only a person ends it. `dollars` is what it may spend in all, None where nothing bounds
    that. `signoff` says who has to sign for it, None where nobody has to. `rules` are the names of
    the rules that may start it; people always may. `early` is what ends it before its time, None
    where nothing does. `covers_s` is for how long what it spends is approved, in seconds, None
    where that is as long as it lasts. `written` is where it is written, as file:line.
    """

    name: str
    steps: tuple[Step, ...]
    emergency: bool = False
    approval: Approval | None = None
    above: float = 0.0
    lasts_s: float | None = None
    dollars: float | None = None
    signoff: Gate | None = None
    rules: tuple[str, ...] = ()
    early: Early | None = None
    covers_s: float | None = None
    written: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets that it changes, each once."""
        return tuple(dict.fromkeys(each.target for each in self.steps if each.target is not None))

    @property
    def planned_first(self) -> bool:
        """Whether it is planned before it begins, because its plan may have to be approved or
        signed."""
        return (self.approval is not None or self.signoff is not None) and not self.emergency

    def fields(self) -> dict[str, Any]:
        """What it says, as plain values; where it is written does not count."""
        return {
            "name": self.name,
            "emergency": self.emergency,
            "approval": None if self.approval is None else self.approval.to_json(),
            "above": self.above,
            "lasts_s": self.lasts_s,
            "dollars": self.dollars,
            # A scenario without these has the hash that it had before there were any.
            **({} if self.signoff is None else {"signoff": self.signoff.to_json()}),
            **({"rules": list(self.rules)} if self.rules else {}),
            **({} if self.early is None else {"early": asdict(self.early)}),
            **({} if self.covers_s is None else {"covers_s": self.covers_s}),
            "steps": [each.fields() for each in self.steps],
        }


def scenario_from_fields(fields: Mapping[str, Any]) -> Scenario:
    """What `Scenario.fields` told, now or in an earlier version."""
    steps = tuple(_step_from(each) for each in _known(Step, fields["steps"]))
    approval, signoff, early = fields["approval"], fields.get("signoff"), fields.get("early")
    return Scenario(
        **{
            **next(_known(Scenario, [fields])),
            "steps": steps,
            "approval": None if approval is None else approval_from_json(approval),
            "signoff": None if signoff is None else gate_from_json(signoff),
            "rules": tuple(fields.get("rules", ())),
            "early": None if early is None else Early(**early),
        }
    )


def _step_from(fields: Mapping[str, Any]) -> Step:
    when = fields.get("when")
    known = {"after": tuple(fields["after"]), "when": None if when is None else When(**when)}
    return Step(**{**fields, **known})


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _known(kind: type[Any], told: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in told:
        yield {name: each[name] for name in kind.__dataclass_fields__ if name in each}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Steps that wait for one another, in their order; empty where there are none.

    `after` maps each step to those that it waits for. Names that are no steps are passed over.
    """
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        if found := _walk(start, after, path, done):
            return found
    return []


def _walk(
    step: str, after: Mapping[str, Sequence[str]], path: list[str], done: set[str]
) -> list[str]:
    if step in done or step not in after:
        return []
    if step in path:
        return [*path[path.index(step) :], step]
    path.append(step)
    for each in after[step]:
        if found := _walk(each, after, path, done):
            return found
    path.pop()
    done.add(step)
    return []


def behind(step: str, after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The steps that come right after one."""
    return (each for each, waits in after.items() if step in waits)
