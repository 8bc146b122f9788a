"""What a person types after `/runbook` in Slack: its form, and what is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.people import BadRequest

USAGE = (
    "Type `/runbook status`, `/runbook why ID`, `/runbook pause TARGET 1h WHY` or `/runbook resume "
    "TARGET`."
)
"""What can be typed."""
_WORDS = {"status": (0, 1), "why": (1, 1), "pause": (3, 3), "resume": (1, 1)}
"""How many arguments each verb takes, at least and at most. The last of a pause is a sentence."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A verb and what follows it."""

    verb: str
    words: tuple[str, ...]


def typed(text: str) -> Typed:
    """The command in a text.

    Raises:
        BadRequest: it is none; the sentence says what can be typed.
    """
    verb, *rest = text.split(maxsplit=1) or [""]
    if verb not in _WORDS:
        raise BadRequest(USAGE)
    least, most = _WORDS[verb]
    words = tuple(rest[0].split(maxsplit=most - 1 if verb == "pause" else -1)) if rest else ()
    if not least <= len(words) <= most:
        raise BadRequest(USAGE)
    return Typed(verb, words)
