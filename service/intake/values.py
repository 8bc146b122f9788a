"""The values that Grafana measured: as a map, or in the text beside it.

One NaN among them makes Grafana send null in place of the whole map. The text keeps the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from service.intake.text import described

Values = dict[str, float | None]

_BETWEEN = " ], [ "
_VALUE = "} value="


def read_value(value: object) -> float | None:
    """A measured value; None for null, NaN, infinities and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_values(item: Mapping[str, object], notes: list[str]) -> Values:
    """The field `values`; where it holds no number, what `valueString` shows as measured."""
    values = _mapped(item.get("values"), notes)
    if _measured(values):
        return values
    text = item.get("valueString")
    told = numbered(_told(text)) if isinstance(text, str) else {}
    return told if _measured(told) else values


def numbered(pairs: Iterable[tuple[str, float | None]]) -> Values:
    """The values by name, numbered from the second of a name on."""
    values: Values = {}
    seen: Counter[str] = Counter()
    for name, value in pairs:
        seen[name] += 1
        values[name if seen[name] == 1 else f"{name} ({seen[name]})"] = value
    return values


def _measured(values: Values) -> bool:
    return any(value is not None for value in values.values())


def _mapped(value: object, notes: list[str]) -> Values:
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.append(f"`values` was {described(value)}, not an object, and was left out.")
        return {}
    return {name: read_value(number) for name, number in value.items()}


def _told(text: str) -> Iterator[tuple[str, float | None]]:
    """Each `[ var='A' labels={…} value=10 ]` of the text. Without a regular expression, because
    the text is a stranger's and may be long."""
    for part in text.split(_BETWEEN):
        head, found, value = part.rpartition(_VALUE)
        if found:
            name = head.partition("='")[2].partition("'")[0]
            yield name, _number(value.rstrip(" ]"))


def _number(text: str) -> float | None:
    try:
        return read_value(float(text))
    except ValueError:
        return None
