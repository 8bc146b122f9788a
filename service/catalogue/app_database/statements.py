"""Which statements may be ended: plain queries, and nothing that would leave something half done.

Pure. A concurrent index build that is cancelled leaves an invalid index, and a cancelled ALTER is a
migration that failed. So a session is ended only where each statement of its text is known to be a
query. Whatever is not known is spared.
"""

from __future__ import annotations

import re

_PLAIN = frozenset(
    {"SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"}
    | {"EXECUTE", "FETCH", "DECLARE", "BEGIN", "START", "SET", "SHOW"}
)
"""First words of statements that leave nothing behind when they are cancelled. VACUUM, CREATE,
REINDEX, COPY, ALTER and all others are not among them. Neither are DO and CALL: what they run
shows nowhere."""
_NOISE = re.compile(
    r"--[^\n]*"  # a comment up to the end of the line
    r"|/\*.*?(?:\*/|\Z)"  # a comment over lines
    r"|[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)"  # a text with escapes
    r"|'(?:[^']|'')*(?:'|\Z)"
    r'|"(?:[^"]|"")*(?:"|\Z)'
    r"|\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|\Z)",
    re.DOTALL,
)
"""What may hold a semicolon or a keyword that is none."""
_WORD = re.compile(r"[\s(]*([A-Za-z_]+)")


def verbs(text: str) -> tuple[str, ...]:
    """The first word of each statement of a text, in capitals; `?` where there is no word."""
    bare = _NOISE.sub(" ", text)
    if "*/" in bare:  # a comment within a comment: what is a statement is not known
        return ("?",)
    found = []
    for statement in bare.split(";"):
        if statement.strip():
            word = _WORD.match(statement)
            found.append(word.group(1).upper() if word else "?")
    return tuple(found)


def is_plain(text: str) -> bool:
    """Whether each statement of the text may be cancelled without leaving something behind."""
    words = verbs(text)
    return bool(words) and set(words) <= _PLAIN
