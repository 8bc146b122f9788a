"""Slack's limits on the blocks of a message, from its Block Kit reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.sandbox.core.wire import Json, one_of

MOST_BLOCKS = 50
LONGEST_SECTION = 3000
LONGEST_HEADER = 150
LONGEST_BUTTON = 75
LONGEST_VALUE = 2000
LONGEST_SUM = 12_000
"""Characters of all blocks together. Slack documents no limit, but refuses about so many."""

_KNOWN = frozenset(
    {
        "actions",
        "context",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "rich_text",
        "section",
        "video",
    }
)
_MOST_FIELDS, _LONGEST_FIELD = 10, 2000
_MOST_CONTEXT, _MOST_ACTIONS = 10, 25


def problems(blocks: Any) -> list[str]:
    """What Slack would refuse in these blocks. Empty if it would accept them."""
    if not isinstance(blocks, list):
        return ["blocks must be a list"]
    if len(blocks) > MOST_BLOCKS:
        return [f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"]
    found = (
        f"{what} [json-pointer:/blocks/{at}]"
        for at, block in enumerate(blocks)
        for what in _block(block)
    )
    return list(found)


def length(blocks: Any) -> int:
    """Characters of all texts in these blocks."""
    if isinstance(blocks, dict):
        inner = blocks.get("text")
        own = len(inner) if isinstance(inner, str) else 0
        return own + sum(length(each) for each in blocks.values() if not isinstance(each, str))
    return sum(map(length, blocks)) if isinstance(blocks, list) else 0


def _block(block: Any) -> Iterator[str]:
    if not isinstance(block, dict) or not one_of(block.get("type"), _KNOWN):
        yield "unsupported block type"
        return
    match block["type"]:
        case "section":
            yield from _section(block)
        case "header":
            yield from _text(block.get("text"), LONGEST_HEADER, ("plain_text",))
        case "context":
            yield from _some(block, _MOST_CONTEXT)
        case "actions":
            yield from _some(block, _MOST_ACTIONS)
            for element in block.get("elements") or ():
                yield from _element(element)


def _section(block: Json) -> Iterator[str]:
    fields = block.get("fields")
    if not block.get("text") and not fields:
        yield "a section needs text or fields"
    if block.get("text"):
        yield from _text(block["text"], LONGEST_SECTION)
    if fields is not None:
        if not isinstance(fields, list) or not 1 <= len(fields) <= _MOST_FIELDS:
            yield f"from 1 to {_MOST_FIELDS} fields allowed"
            return
        for one in fields:
            yield from _text(one, _LONGEST_FIELD)
    if isinstance(block.get("accessory"), dict):
        yield from _element(block["accessory"])


def _text(
    text: Any, longest: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Iterator[str]:
    if not isinstance(text, dict) or not one_of(text.get("type"), kinds):
        yield f"text must be an object of type {' or '.join(kinds)}"
        return
    words = text.get("text")
    if not isinstance(words, str) or not words:
        yield "must be more than 0 characters"
    elif len(words) > longest:
        yield f"must be less than {longest + 1} characters"


def _some(block: Json, most: int) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= most:
        yield f"from 1 to {most} elements allowed"


def _element(element: Any) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") != "button":
        return
    yield from _text(element.get("text"), LONGEST_BUTTON, ("plain_text",))
    if len(str(element.get("value") or "")) > LONGEST_VALUE:
        yield f"value must be less than {LONGEST_VALUE + 1} characters"
