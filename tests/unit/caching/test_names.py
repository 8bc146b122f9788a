"""Keys, tags, namespaces and lives: what is refused, and what stays apart."""

from __future__ import annotations

from typing import Any

import pytest

from service.caching import LONGEST_LIFE_S, Key, Life, MemoryLayer
from service.caching.keys import (
    LONGEST_KEY,
    LONGEST_TAG,
    MOST_TAGS,
    checked_namespace,
    checked_tags,
    user_tag,
)


@pytest.mark.parametrize("part", [None, True, 1.5, b"a", ["a"]])
def test_a_part_that_is_no_text_or_whole_number_is_refused(part: Any) -> None:
    with pytest.raises(TypeError, match="is no part of a key"):
        Key.shared("question", part)
    with pytest.raises(TypeError, match="is no part of a key"):
        Key.personal(part, "progress")


@pytest.mark.parametrize("parts", [(), ("",), ("a", "")])
def test_an_empty_key_or_part_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="part"):
        Key.shared(*parts)
    with pytest.raises(ValueError, match="part"):
        Key.personal(1, *parts)
    with pytest.raises(ValueError, match="empty"):
        Key.personal("", "progress")


def test_parts_never_run_into_each_other() -> None:
    keys = [
        Key.shared("a:b", "c"),
        Key.shared("a", "b:c"),
        Key.shared("a", "b", "c"),
        Key.shared("u", 42),
        Key.shared("u", "42"),
        Key.shared("u", "n42"),
        Key.shared("u", "%n42"),
        Key.personal(42, "u"),
        Key.personal("42", "u"),
    ]
    assert len({each.text for each in keys}) == len(keys)


def test_a_long_key_is_replaced_by_its_digest_and_stays_apart_from_others() -> None:
    long = [Key.shared("x" * 300 + end) for end in "ab"] + [Key.personal("x" * 300, "a")]
    assert len({each.text for each in long}) == 3
    assert all(len(each.text) <= LONGEST_KEY for each in long)
    digest = long[2].text.removeprefix("u:%sha256:")
    assert Key.personal("%sha256", digest).text != long[2].text


def test_the_tag_of_a_key_and_of_a_person_are_tags() -> None:
    for each in (Key.shared("é:x", 1).tag, user_tag("anna@example.org")):
        assert checked_tags((each,)) == (each,)
    assert "anna" not in user_tag("anna@example.org")


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "é", "line\n", "x" * (LONGEST_TAG + 1), 7])
def test_a_tag_that_a_header_cannot_hold_is_refused(tag: Any) -> None:
    with pytest.raises(ValueError, match="is no tag"):
        checked_tags((tag,))


def test_tags_that_differ_in_case_are_one() -> None:
    assert checked_tags(("B", "a", "b")) == ("a", "b")


def test_one_text_for_tags_is_refused_and_not_read_as_letters() -> None:
    with pytest.raises(TypeError, match="give a tuple of tags"):
        checked_tags("questions")


def test_more_tags_than_a_header_holds_are_refused() -> None:
    assert len(checked_tags(f"t{at}" for at in range(MOST_TAGS))) == MOST_TAGS
    with pytest.raises(ValueError, match=f"{MOST_TAGS} are the most"):
        checked_tags(f"t{at}" for at in range(MOST_TAGS + 1))


@pytest.mark.parametrize("namespace", ["", "Quiz", "a:b", "1a", "x" * 33, "a b", "é"])
def test_a_namespace_that_could_run_into_keys_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="is no namespace"):
        checked_namespace(namespace)


@pytest.mark.parametrize(
    "life",
    [
        (0,),
        (-1,),
        (60, -1),
        (60, 0, -1),
        (float("inf"),),
        (float("nan"),),
        (60, float("nan")),
        (LONGEST_LIFE_S, 1),
    ],
)
def test_a_life_that_makes_no_sense_is_refused(life: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="Life"):
        Life(*life)


def test_a_memory_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        MemoryLayer(100)
    with pytest.raises(ValueError, match="more than 0"):
        MemoryLayer(10_000, trust_s=0)
