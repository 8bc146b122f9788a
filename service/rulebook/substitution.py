"""`${NAME}` put in after parsing, so that a value can never become syntax.

`env` holds the names that rule files may use, each with its value, which is empty when it is not
set. Any other name is refused: what a rule says is shown, and the environment holds secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from service.domain.rules.matchers import checked
from service.domain.rules.rules import Matcher
from service.rulebook.document import Document, Place


class Complain(Protocol):
    """Notes what is wrong at a place of the document; `warn` what is allowed and hardly meant."""

    def __call__(self, place: Place, sentence: str) -> None:
        """Note an error."""

    def warn(self, place: Place, sentence: str) -> None:
        """Note a warning."""


_REFERENCE = re.compile(r"\$\{(?P<name>[^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITHOUT_BRACES = re.compile(r"\$(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


def substituted(document: Document, env: Mapping[str, str], complain: Complain) -> Any:
    """The document's values with every `${NAME}` put in.

    Matchers keep theirs: they are put in once the matcher is parsed (`substituted_matcher`).
    """
    return _walk(document.data, (), env, complain)


def substituted_matcher(
    matcher: Matcher, place: Place, env: Mapping[str, str], complain: Complain
) -> Matcher:
    """The matcher with `${NAME}` put into its value; raises `MatcherError` as parsing does."""
    value = _text(matcher.value, place, env, complain)
    if value == matcher.value:
        return matcher
    return checked(Matcher(matcher.label, matcher.op, value))


def _walk(value: Any, place: Place, env: Mapping[str, str], complain: Complain) -> Any:
    if isinstance(value, str):
        if place[:1] == ("targets",) and (bare := _WITHOUT_BRACES.search(value)):
            name = bare["name"]
            complain.warn(
                place, f"${name} is taken as it is written. For the variable, write ${{{name}}}."
            )
        return _text(value, place, env, complain)
    if isinstance(value, dict):
        return {key: _walk(inner, (*place, key), env, complain) for key, inner in value.items()}
    if isinstance(value, list) and not _holds_matchers(place):
        return [_walk(inner, (*place, at), env, complain) for at, inner in enumerate(value)]
    return value


def _holds_matchers(place: Place) -> bool:
    return len(place) == 3 and place[0] == "rules" and place[2] == "match"  # noqa: PLR2004 - rules, its index, match


def _text(text: str, place: Place, env: Mapping[str, str], complain: Complain) -> str:
    """The text with its references put in; one that cannot be is noted and stays as written."""

    def put_in(reference: re.Match[str]) -> str:
        name = reference["name"]
        if not _NAME.fullmatch(name) or not reference.group().endswith("}"):
            complain(place, f"{reference.group()} cannot be read; write ${{NAME}}.")
            return reference.group()
        if name not in env:
            complain(place, _not_allowed(name))
            return reference.group()
        value = env[name].strip()
        if not value:
            complain(place, f"${{{name}}} is not set or is empty; set {name} in the environment.")
            return reference.group()
        return value

    return _REFERENCE.sub(put_in, text)


def _not_allowed(name: str) -> str:
    return (
        f"${{{name}}} is not among the variables that rule files may use. If {name} holds no "
        f"secret, add it to the setting RULES_ENV, as in RULES_ENV={name}; separate several by "
        "commas."
    )
