"""Mode, freeze windows and limits from YAML: how far runbookd may act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.catalogue.registry import action_spec, kind_spec
from service.catalogue.shapes import Shape, Text
from service.domain.decisions.budget import OVER, Budget
from service.domain.decisions.policy import (
    ACT,
    ALL,
    EACH_ACTION,
    EACH_TARGET,
    MODES,
    Freeze,
    Limit,
    Policy,
    careful,
)
from service.domain.durations import parse_duration
from service.domain.rules.rules import Rule, Target
from service.rulebook.bounds import MAX_COOLDOWN_DAYS
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.schema import read_shape
from service.rulebook.substitution import Complain
from service.rulebook.windows import read_window, read_zone

KEYS = ("mode", "zone", "freeze", "limits", "budget")
"""The keys of a file's top that are about policy."""
_LIMIT_PAUSE = "1h"
"""How long a limit that is reached pauses what it counts, where it does not say."""


class _FreezeShape(Shape):
    when: dict[str, Any] | None = None
    zone: Text | None = None
    targets: list[Text] | None = None
    why: Text | None = None


class _LimitShape(Shape):
    max: int | None = None
    per: Text | None = None
    target: Text | None = None
    action: Text | None = None
    pause: Text | None = None


class _BudgetShape(Shape):
    monthly: Any = None
    per_target: dict[str, Any] | None = None
    over: Text | None = None


class _LimitsShape(Shape):
    changes: list[dict[str, Any]] | None = None


def read_policy(raw: Mapping[str, Any], complain: Complain) -> Policy:
    """The policy that a file's top states, noting everything that is wrong with it."""
    return _Reader(raw, complain).policy()


def combined(policies: Iterable[Policy]) -> Policy:
    """What several files state together: the most careful mode, and each window and limit."""
    every = list(policies)
    return Policy(
        careful([each.mode for each in every]),
        tuple(freeze for each in every for freeze in each.freezes),
        tuple(limit for each in every for limit in each.limits),
        budget=_tightest([each.budget for each in every if each.budget is not None]),
    )


def _tightest(budgets: Sequence[Budget]) -> Budget | None:
    """What several files state of the budget together: the smallest of each amount, and the most
    careful answer to what does not fit."""
    if not budgets:
        return None
    sums = [each.monthly for each in budgets if each.monthly is not None]
    own: dict[str, float] = {}
    for name, dollars in (pair for each in budgets for pair in each.per_target):
        own[name] = min(dollars, own.get(name, dollars))
    over = max((each.over for each in budgets), key=OVER.index)
    return Budget(min(sums, default=None), tuple(own.items()), over)


def counting(policy: Policy, targets: Iterable[str]) -> Policy:
    """The same policy, whose budget counts all of these targets."""
    if policy.budget is None:
        return policy
    return replace(policy, budget=replace(policy.budget, targets=tuple(sorted(targets))))


_UNPRICED = (
    "a budget counts what targets cost, and nobody knows what {name} costs: kind {kind} has no "
    "prices. Remove the budget, or the target."
)


def unpriced(policy: Policy, targets: Mapping[str, Target]) -> list[tuple[Place, str]]:
    """The targets that a budget counts and whose cost nobody can tell."""
    budget = policy.budget
    if budget is None:
        return []
    counted = dict(budget.per_target) if budget.monthly is None else targets
    return [
        (
            ("budget",),
            _UNPRICED.format(name=name, kind=targets[name].kind),
        )
        for name in counted
        if name in targets and not kind_spec(targets[name].kind).has_prices
    ]


OF_A_RULE = ("approval", "returns", "expected")
"""The parts of a policy that a rule says for itself. A mode is said by both, and all others by the
top of a file."""


def policy_of(rule: Rule, of_all: Policy) -> Policy:
    """How far one rule may act. What holds for all is about rules that change a target."""
    action = action_spec(rule.action)
    if not action.governed:
        return rule.policy
    own = {name: getattr(rule.policy, name) for name in OF_A_RULE}
    return replace(of_all, **own, mode=careful((rule.policy.mode, of_all.mode)))


def unknown_targets(policy: Policy, targets: Iterable[str]) -> list[tuple[Place, str]]:
    """The targets that freeze windows or the budget name and nobody declares, with their places."""
    known = set(targets)
    named: list[tuple[Place, str]] = [
        (("freeze", index, "targets"), name)
        for index, freeze in enumerate(policy.freezes)
        for name in freeze.targets
    ]
    if policy.budget is not None:
        named += [(("budget", "per_target", name), name) for name, _ in policy.budget.per_target]
    return [
        (place, f"unknown target {name!r}; {suggestion(name, known)}")
        for place, name in named
        if name not in known
    ]


class _Reader:
    """Reads the keys of one file's top."""

    def __init__(self, raw: Mapping[str, Any], complain: Complain) -> None:
        self._raw = raw
        self._complain = complain
        self._zone = read_zone(raw.get("zone"), ("zone",), complain) or "UTC"

    def policy(self) -> Policy:
        freezes, limits = tuple(self._freezes()), tuple(self._limits())
        return Policy(self._mode(), freezes, limits, budget=self._budget())

    def _mode(self) -> str:
        given = self._raw.get("mode", ACT)
        if given not in MODES:
            self._complain(("mode",), f"unknown mode {given!r}; {suggestion(str(given), MODES)}")
            return ACT
        return str(given)

    def _freezes(self) -> Iterable[Freeze]:
        given = self._raw.get("freeze")
        if given is not None and not isinstance(given, list):
            self._complain(("freeze",), "freeze must be a list; begin each with `- when:`.")
            return
        for index, body in enumerate(given or ()):
            place: Place = ("freeze", index)
            if not isinstance(body, dict):
                self._complain(place, "a freeze window is a mapping with when, and a zone.")
            elif (freeze := self._freeze(body, place)) is not None:
                yield freeze

    def _freeze(self, body: Mapping[str, Any], place: Place) -> Freeze | None:
        shape = read_shape(_FreezeShape, body, place, self._complain).shape
        zone = self._zone
        if shape.zone is not None:
            zone = read_zone(shape.zone, (*place, "zone"), self._complain) or zone
        if not shape.when:
            self._complain(
                place,
                'when is missing: say when it holds, such as {days: fri, between: ["16:00", '
                '"24:00"]}.',
            )
            return None
        window = read_window(shape.when, (*place, "when"), zone, self._complain)
        if window is None:
            return None
        return Freeze(window, tuple(shape.targets or ()), shape.why or "")

    def _budget(self) -> Budget | None:
        given = self._raw.get("budget")
        if given is None:
            return None
        if not isinstance(given, dict):
            self._complain(
                ("budget",), "budget must be a mapping, such as {monthly: 200, over: approve}."
            )
            return None
        shape = read_shape(_BudgetShape, given, ("budget",), self._complain).shape
        per_target = [
            (name, self._dollars(("budget", "per_target", name), dollars))
            for name, dollars in (shape.per_target or {}).items()
        ]
        if shape.monthly is None and not per_target:
            self._complain(
                ("budget",), "a budget needs monthly or per_target: dollars a month, such as 200."
            )
            return None
        monthly = None
        if shape.monthly is not None:
            monthly = self._dollars(("budget", "monthly"), shape.monthly)
        return Budget(monthly, tuple(per_target), self._over(shape.over))

    def _over(self, given: str | None) -> str:
        if given is None or given in OVER:
            return given or OVER[0]
        self._complain(("budget", "over"), f"unknown over {given!r}; {suggestion(given, OVER)}")
        return OVER[0]

    def _dollars(self, place: Place, given: object) -> float:
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not 0 < float(str(given)) < _MOST_DOLLARS:
            self._complain(
                place, f"{place[-1]} must be dollars a month above 0, such as 200, not {given!r}."
            )
            return 1.0
        return float(str(given))

    def _limits(self) -> Iterable[Limit]:
        given = self._raw.get("limits")
        if given is None:
            return
        if not isinstance(given, dict):
            self._complain(("limits",), "limits must be a mapping with changes.")
            return
        shape = read_shape(_LimitsShape, given, ("limits",), self._complain).shape
        for index, body in enumerate(shape.changes or ()):
            if (limit := self._limit(body, ("limits", "changes", index))) is not None:
                yield limit

    def _limit(self, body: Mapping[str, Any], place: Place) -> Limit | None:
        read = read_shape(_LimitShape, body, place, self._complain)
        shape = read.shape
        if read.wrong:
            return None
        if shape.max is None or shape.per is None:
            self._complain(place, "a limit needs max and per, such as {max: 6, per: 1h}.")
            return None
        if shape.max < 1:
            self._complain((*place, "max"), "max must be at least 1; to stop all, use mode: off.")
            return None
        per_s = self._duration((*place, "per"), shape.per)
        pause_s = self._duration((*place, "pause"), shape.pause or _LIMIT_PAUSE)
        of = self._counted(shape, place)
        if per_s is None or pause_s is None or of is None:
            return None
        return Limit(shape.max, per_s, of, pause_s)

    def _counted(self, shape: _LimitShape, place: Place) -> str | None:
        each = {EACH_TARGET: shape.target, EACH_ACTION: shape.action}
        given = {key: value for key, value in each.items() if value is not None}
        for key, value in given.items():
            if value != "each":
                self._complain((*place, key), f"{key} must be each, or left out to count all.")
                return None
        if len(given) > 1:
            self._complain(place, "a limit counts each target or each action, not both.")
            return None
        return next(iter(given), ALL)

    def _duration(self, place: Place, text: str) -> float | None:
        try:
            seconds = parse_duration(text, MAX_COOLDOWN_DAYS).total_seconds()
        except ValueError as error:
            self._complain(place, f"{place[-1]} {error}.")
            return None
        if seconds <= 0:
            self._complain(place, f"{place[-1]} must be longer than 0, such as 1h.")
            return None
        return seconds


_MOST_DOLLARS = 1e9
"""A budget above this bounds nothing; infinity and what is no number are refused too."""
