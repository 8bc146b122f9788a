"""What can only be said of rules and targets together: references, names, rules never reached."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.actions import branches_of
from service.catalogue.registry import action_spec, kind_spec, kinds_of
from service.catalogue.spec import ActionSpec, Effect
from service.catalogue.watch import WATCH, unknown_in
from service.domain.rules.rules import Origin, Rule, Target
from service.domain.rules.shadowing import Reach, find_shadowed
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.rules import Draft
from service.rulebook.substitution import Complain


@dataclass(frozen=True, slots=True)
class Declared:
    """A target where it is written, and how to note what is wrong in its file.

    `target` is None when it could not be read.
    """

    origin: Origin
    target: Target | None
    place: Place
    complain: Complain


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule as far as it was read, and how to note what is wrong at a place in its file."""

    draft: Draft
    complain: Complain

    @property
    def rule(self) -> Rule:
        """The rule as far as it was read."""
        return self.draft.rule

    def note(self, key: str, sentence: str) -> None:
        """Note what is wrong with one of the rule's keys."""
        self.note_at((key,), sentence)

    def note_at(self, place: Place, sentence: str) -> None:
        """Note what is wrong at a place within the rule."""
        self.complain((*self.draft.place, *place), sentence)

    def doubt(self, key: str, sentence: str) -> None:
        """Warn of what one of the rule's keys may say and hardly means."""
        self.complain.warn((*self.draft.place, key), sentence)


def check_references(rules: Sequence[Placed], targets: Mapping[str, Declared]) -> None:
    """Each rule's target exists and suits its action."""
    for placed in rules:
        for use in _uses(placed):
            declared = targets.get(use.target)
            if declared is None:
                sentence = f"unknown target {use.target!r}; {suggestion(use.target, targets)}"
                placed.note_at((*use.place, "target"), sentence)
            elif declared.target is not None and use.action is not None:
                _check_suits(placed, use, use.action, declared.target)


def check_watches(
    rules: Sequence[Placed], targets: Mapping[str, Declared], readings: Collection[str]
) -> None:
    """What a rule watches exists: its target, and each reading by its name. `readings` are those
    that the files name themselves."""
    for placed in rules:
        for key, name, known in _unknown_in(placed, targets, readings):
            what = "reading" if key == "readings" else key
            sentence = f"with: unknown {what} {name!r}; {suggestion(name, known)}"
            placed.note_at(("with", key), sentence)


def _unknown_in(
    placed: Placed, targets: Mapping[str, Declared], readings: Collection[str]
) -> Iterator[tuple[str, str, Sequence[str]]]:
    if placed.draft.action is WATCH and placed.rule.options:
        yield from unknown_in(placed.rule.options, targets, readings)


@dataclass(frozen=True, slots=True)
class _Use:
    """What a rule, or one branch of it, does to a target; `place` is where that stands in the
    rule, and `options` are None where some of them are wrong."""

    target: str
    action: ActionSpec | None
    options: Mapping[str, Any] | None
    place: Place = ()


def _uses(placed: Placed) -> list[_Use]:
    rule, action = placed.rule, placed.draft.action
    if action is not None and action.asks:
        return [
            _Use(each["target"], action_spec(each["action"]), each["with"], ("with", name))
            for name, each in branches_of(rule.options).items()
        ]
    if rule.target is None:
        return []
    return [_Use(rule.target, action, None if placed.draft.wrong_options else rule.options)]


def _check_suits(placed: Placed, use: _Use, action: ActionSpec, target: Target) -> None:
    if action.effect is not Effect.CHANGES:
        return
    kinds = kinds_of(action.name)
    if target.kind not in kinds:
        placed.note_at(
            (*use.place, "target"),
            f"{action.name} cannot change target {target.name} of kind {target.kind}; "
            f"it needs one of kind {' or '.join(kinds)}.",
        )
    elif action.climbs and not target.sizes:
        placed.note_at(
            (*use.place, "target"),
            f"{action.name} needs a ladder, and target {target.name} has none; give it sizes, "
            "smallest first.",
        )
    elif use.options is not None:
        for sentence in kind_spec(target.kind).refuses(target, action.name, use.options):
            placed.note_at((*use.place, "with"), f"with: {sentence}")
        for doubt in kind_spec(target.kind).doubts(target, action.name, use.options):
            placed.complain.warn((*placed.draft.place, *use.place, "with"), doubt)


def check_resources(targets: Mapping[str, Declared]) -> None:
    """No two targets stand for the same thing at the vendor, each with cooldowns of its own."""
    first: dict[tuple[str, str], Declared] = {}
    for name, declared in targets.items():
        if (target := declared.target) is None:
            continue
        managed = kind_spec(target.kind).manages(target)
        earlier = first.setdefault((target.kind, managed), declared)
        if earlier is not declared and earlier.target is not None:
            declared.complain.warn(
                declared.place,
                f"it is the same as target {earlier.target.name} ({earlier.origin}): {managed}. "
                f"A rule that changes {name} does not wait for the other's cooldown.",
            )


def check_names(rules: Sequence[Placed]) -> None:
    """No two rules share a name, in whatever files they are."""
    first: dict[str, Rule] = {}
    for placed in rules:
        rule = placed.rule
        if rule.name and (earlier := first.setdefault(rule.name, rule)) is not rule:
            placed.note("name", f"another rule has the same name at {earlier.origin}.")


def check_reached(rules: Sequence[Placed]) -> None:
    """No rule stands behind one that takes everything it would match."""
    legible = [placed for placed in rules if placed.draft.matchers]
    reaches = [Reach(placed.rule.matchers, placed.rule.continue_) for placed in legible]
    for later, earlier in find_shadowed(reaches):
        before = legible[earlier].rule
        legible[later].complain(
            legible[later].draft.place,
            f"this rule is never reached: rule {before.name} ({before.origin}) before it takes "
            "every alert that it matches. Move it up, or let the other continue.",
        )


def unused(rules: Sequence[Placed], targets: Mapping[str, Declared]) -> list[str]:
    """The targets that no rule names; none while a rule names a target that is not there.

    That rule may mean one of them, and then this would tell the consequence beside its cause.
    """
    used = {placed.rule.target for placed in rules}
    used |= {use.target for placed in rules for use in _uses(placed)}
    used |= {placed.rule.options.get("target") for placed in rules if placed.draft.action is WATCH}
    if not used <= {*targets, None}:
        return []
    return [name for name in targets if name not in used]
