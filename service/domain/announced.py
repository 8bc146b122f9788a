"""The text of an announcement: a rule's words, with a few fields of what fires. Pure.

A field is a name in braces, such as `{alert}`. It is replaced once, and nothing in its value is
looked at again: no name in it is followed, and nothing is computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.domain.text import cut, visible

FIELDS = ("alert", "summary", "severity", "count", "source", "rule", "run")
"""The names that may stand in braces."""
LONGEST_TEXT = 2000
"""Characters of a rule's text. A Slack message shows 3000, so there is room for five values of full
length."""
LONGEST_VALUE = 200
"""Characters that a field puts in: the rest of an alert's words is behind its links."""

_FIELD = re.compile(r"\{([^{}]*)\}")


def unknown_fields(text: str) -> list[str]:
    """What stands in braces and is no field, in the order of the text."""
    return [name for name in fields_in(text) if name not in FIELDS]


def fields_in(text: str) -> list[str]:
    """What stands in braces, each once, in the order of the text."""
    return list(dict.fromkeys(_FIELD.findall(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each field's value put in, cut to its length; other braces stay as they are."""

    def value(found: re.Match[str]) -> str:
        known = values.get(found.group(1))
        return found.group() if known is None else visible(cut(known, LONGEST_VALUE))

    return _FIELD.sub(value, text)
