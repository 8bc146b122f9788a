"""Reads nginx's configuration into directives with their lines. Pure.

It knows the grammar and no single directive: whether nginx takes a file, only `nginx -t` can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<sign>[{};])
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s{};"'\\\#])(?:\\.|\$\{[^}\s]*\}|[^\s{};\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_LUA = "_by_lua_block"
"""The end of the names whose block is a program, which is no configuration."""


class UnreadableConfig(ValueError):  # noqa: N818 - a fact about a file, told as it is
    """The text is no configuration of nginx: `line` (from 1) and a sentence."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(line, sentence)
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: `listen 80;`, or one with a block, such as `server { … }`.

    `args` are without their quotes. `line` counts from 1. `block` is None for one without a block.
    """

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment without its `#`; `line` counts from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Config:
    """A file as it was read."""

    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]


def parse_config(text: str) -> Config:
    """Read a file, or a part of one.

    Raises:
        UnreadableConfig: a brace or a semicolon is missing, or a quote is never closed.
    """
    comments: list[Comment] = []
    reader = _Reader(list(_tokens(text, comments)))
    return Config(tuple(reader.block(opened_at=0)), tuple(comments))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def _tokens(text: str, comments: list[Comment]) -> Iterator[_Token]:
    at, line, lua = 0, 1, False
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise UnreadableConfig(line, f"what begins with {text[at : at + 20]!r} never ends.")
        kind, said = str(found.lastgroup), found.group()
        end = found.end()
        if kind == "comment":
            comments.append(Comment(said[1:].strip(), line))
        elif kind != "space":
            yield _Token(kind, said, line)
            if lua and said == "{":
                end = _end_of_program(text, end, line)
                said = text[at:end]
            lua = said.endswith(_LUA)
        line += said.count("\n")
        at = end


def _end_of_program(text: str, at: int, line: int) -> int:
    """Where the brace stands that closes a program; its own braces come in pairs."""
    depth = 1
    for place in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise UnreadableConfig(line, "this block is never closed by a }.")


class _Reader:
    """Makes directives of tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def block(self, opened_at: int) -> Iterator[Directive]:
        """The directives up to the closing brace, or to the end of the file."""
        while (token := self._next()) is not None:
            if token.text == "}" and token.kind == "sign":
                if not opened_at:
                    raise UnreadableConfig(token.line, "this } closes nothing.")
                return
            if token.kind == "sign":
                raise UnreadableConfig(token.line, f"this {token.text} has no directive before it.")
            yield self._directive(token)
        if opened_at:
            raise UnreadableConfig(opened_at, "this block is never closed by a }.")

    def _directive(self, first: _Token) -> Directive:
        args: list[str] = []
        while (token := self._next()) is not None:
            if token.kind != "sign":
                args.append(_plain(token))
            elif token.text == ";":
                return Directive(_plain(first), tuple(args), first.line)
            elif token.text == "{":
                within = tuple(self.block(token.line))
                return Directive(_plain(first), tuple(args), first.line, within)
            else:
                break
        raise UnreadableConfig(first.line, f"{_plain(first)} does not end with a semicolon.")

    def _next(self) -> _Token | None:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else None


def _plain(token: _Token) -> str:
    return token.text[1:-1] if token.kind == "quoted" else token.text
