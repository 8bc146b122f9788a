"""Makes Slack's blocks from a message, within Slack's limits whatever an alert holds.

The blocks are a header, the text, the links, fields of label and value, and a small last line. Text
from an alert is shown literally. Every text is `verbatim`, because Slack would otherwise look for
addresses and mentions in it. Only the message's own links can be clicked, and each shows its
address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from service.domain.links import is_web_address
from service.domain.slack import APPROVE, REJECT
from service.domain.text import cut, one_line
from service.ports import Message
from service.providers.text import cut_escaped, slack_text

HEADER_LIMIT = 150
"""Characters of a header block."""
TEXT_LIMIT = 3000
"""Characters of a section's or a context's text."""
FIELD_LIMIT = 2000
"""Characters of one field, label and value together."""
FIELDS_PER_SECTION = 10
"""Fields of one section."""
BLOCKS_LIMIT = 50
"""Blocks of one message."""
SUM_LIMIT = 10_000
"""Characters of all blocks together. Slack documents no limit, but refuses about 12,000
(`msg_blocks_too_long`)."""
_CUT = "Cut to what Slack takes."
_LABEL_LIMIT = 200
"""Characters of a field's label, and of a link's text. The rest of the room is for the value."""
_IN_AN_ADDRESS = "%/:=&?~#+!$,;'@()*[]"
"""Characters that are not escaped in an address, beside letters and digits. < > | would end Slack's
link."""


def blocks(message: Message, *, buttons: bool = False) -> list[dict[str, Any]]:
    """The blocks of a message. If fields or text do not fit, a line says so.

    `buttons` is whether somebody takes a press of the message's buttons.
    """
    head = _header(message.title) + _section(message.text)
    links = _links(message.links)
    foot = _context(message.context)
    pressed = _buttons(message.buttons) if buttons else []
    room = BLOCKS_LIMIT - len(head) - len(links) - len(pressed) - len(foot) - 2
    fields = _fields(message.fields, room)
    cut_ = _cut_in_sum([*_texts(head), *_texts(fields), *_texts(foot)], _length(links))
    return head + links + fields + pressed + foot + (_context(_CUT) if cut_ else [])


def _cut_in_sum(texts: Sequence[dict[str, Any]], taken: int) -> bool:
    """Cut the longest texts until all blocks are within `SUM_LIMIT`. Whether any was cut.

    `taken` is how many characters cannot be cut: those of the links.
    """
    room = SUM_LIMIT - taken - len(_CUT)
    lengths = sorted(len(each["text"]) for each in texts)
    if sum(lengths) <= room:
        return False
    for place, length in enumerate(lengths):
        # The room for each text that is at least as long as this one.
        longest = room // (len(lengths) - place)
        if length > longest:
            break
        room -= length
    for each in texts:
        each["text"] = cut_escaped(each["text"], longest)
    return True


def _texts(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The text objects of blocks."""
    return [
        text
        for block in shown
        for text in (
            *([block["text"]] if "text" in block else []),
            *block.get("fields", ()),
            *block.get("elements", ()),
        )
    ]


def _length(shown: Sequence[dict[str, Any]]) -> int:
    return sum(len(text["text"]) for text in _texts(shown))


def _header(title: str) -> list[dict[str, Any]]:
    line = cut(one_line(title), HEADER_LIMIT)
    if not line:
        return []
    return [{"type": "header", "text": {"type": "plain_text", "text": line, "emoji": False}}]


def _section(text: str) -> list[dict[str, Any]]:
    return [{"type": "section", "text": _mrkdwn(text, TEXT_LIMIT)}] if text.strip() else []


def _links(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """As many whole links as fit. Half of a link would be none."""
    shown = ""
    for line in (_link(href, text) for href, text in pairs if is_web_address(href)):
        if len(shown) + len(line) < TEXT_LIMIT:
            shown += f"\n{line}"
    return [{"type": "context", "elements": [_literal(shown.lstrip())]}] if shown else []


def _link(href: str, text: str) -> str:
    address = quote(href, safe=_IN_AN_ADDRESS, errors="replace").replace("&", "&amp;")
    return f"{slack_text(one_line(text), _LABEL_LIMIT)}: <{address}>"


def _context(text: str) -> list[dict[str, Any]]:
    if not text.strip():
        return []
    return [{"type": "context", "elements": [_mrkdwn(text, TEXT_LIMIT)]}]


def _fields(pairs: Sequence[tuple[str, str]], room: int) -> list[dict[str, Any]]:
    shown = pairs[: room * FIELDS_PER_SECTION]
    sections = [
        {
            "type": "section",
            "fields": [_field(*pair) for pair in shown[at : at + FIELDS_PER_SECTION]],
        }
        for at in range(0, len(shown), FIELDS_PER_SECTION)
    ]
    left_out = len(pairs) - len(shown)
    return sections + (_context(f"{left_out} more not shown") if left_out else [])


_STYLES = {APPROVE: "primary", REJECT: "danger"}


def _buttons(buttons: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    elements = [
        {
            "type": "button",
            "action_id": action,
            "value": value,
            "text": {"type": "plain_text", "text": label, "emoji": False},
            **({"style": _STYLES[action]} if action in _STYLES else {}),
        }
        for label, action, value in buttons
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def _field(label: str, value: str) -> dict[str, Any]:
    name = slack_text(one_line(label), _LABEL_LIMIT)
    shown = slack_text(value, FIELD_LIMIT - len(name) - len("**\n"))
    return _literal(f"*{name}*\n{shown}")


def _mrkdwn(text: str, limit: int) -> dict[str, Any]:
    return _literal(slack_text(text, limit))


def _literal(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
