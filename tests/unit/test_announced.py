from __future__ import annotations

from service.domain.announced import LONGEST_VALUE, filled, unknown_fields


def test_fields_are_put_in_and_other_braces_stay() -> None:
    assert filled("{alert}: {x} {", {"alert": "CPU"}) == "CPU: {x} {"


def test_a_value_is_not_looked_at_again() -> None:
    assert filled("{alert} {run}", {"alert": "{run}", "run": "r.1"}) == "{run} r.1"


def test_a_field_reaches_into_nothing() -> None:
    values = {"alert": "CPU"}
    for text in ("{alert.__class__}", "{alert[0]}", "{alert!r}", "{alert:>99999999}", "{{alert}}"):
        assert filled(text, values) in (text, "{CPU}")
    assert unknown_fields("{alert.__class__} {alert} {alert!r} {}") == [
        "alert.__class__",
        "alert!r",
        "",
    ]


def test_a_long_value_is_cut_and_what_is_unseen_is_shown() -> None:
    assert len(filled("{alert}", {"alert": "a" * 5_000})) == LONGEST_VALUE
    assert filled("{alert}", {"alert": "a\u202eb"}) == "a\\u202eb"
