"""A rule file as plain values that remember their lines.

YAML's surprises end here: a key written twice is refused, only true and false are booleans, only
plain decimal digits are whole numbers; `yes`, `no`, `1_000` and `0x10` are text, which the schema
then refuses where it wants something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from service.rulebook.errors import Problems
from service.rulebook.yaml_advice import advice_on

Place = tuple[str | int, ...]
"""Keys and indices from the top of a file to a value."""

MAX_VALUES = 200_000
"""How many values a file may hold once its aliases are followed; a thousand rules need 20,000."""

MAX_DEPTH = 32
"""How deep values may be nested; a rule needs 5."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"


class _Loader(yaml.SafeLoader):
    """Composes nodes with YAML 1.2's few implicit types; constructs nothing."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?", [*"-+0123456789"]),
    ("merge", r"<<", ["<"]),
):
    # PyYAML's stub leaves the class method untyped
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})\\Z"), _first)


@dataclass(frozen=True, slots=True)
class Document:
    """One rule file: its values, and the line of each."""

    file: str
    data: Any
    lines: Mapping[Place, int] = field(repr=False)

    def line(self, place: Place) -> int:
        """The line of the value at `place`, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_document(
    path: Path, problems: Problems, read: Callable[[Path], bytes] = Path.read_bytes
) -> Document | None:
    """The file's values; None, with the reason noted, when it cannot be read as YAML."""
    file = str(path)
    try:
        text = read(path).decode("utf-8-sig")
        node = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        problems.add(file, 1, f"the file cannot be read: {error.strerror or error}.")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.add(file, line, "the file is not UTF-8 text.")
    except yaml.YAMLError as error:
        found = advice_on(error, text)
        problems.add(file, found.line, f"this is not valid YAML: {found.sentence}")
    except RecursionError:
        problems.add(file, 1, "the file is nested too deeply to be a rule file.")
    else:
        return _document(file, node, problems)
    return None


def _document(file: str, node: yaml.Node | None, problems: Problems) -> Document | None:
    if node is None:
        problems.add(file, 1, "the file is empty; it needs targets, rules or both.")
        return None
    reader = _Reader(file, problems)
    return Document(file, reader.value(node, ()), reader.lines)


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values; what cannot be one is noted and read as None."""

    file: str
    problems: Problems
    lines: dict[Place, int] = field(default_factory=dict)
    open_nodes: list[yaml.Node] = field(default_factory=list)
    values: int = 0

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, _line(node))
        self.values += 1
        if self.values > MAX_VALUES:
            if self.values == MAX_VALUES + 1:
                self.refuse(node, f"aliases make the file larger than {MAX_VALUES} values")
            return None
        if len(self.open_nodes) > MAX_DEPTH:
            self.refuse(node, "this is nested too deeply to be a rule file")
            return None
        if node in self.open_nodes:
            self.refuse(node, "an alias makes this value contain itself")
            return None
        self.open_nodes.append(node)
        try:
            return self.contents(node, place)
        finally:
            self.open_nodes.pop()

    def contents(self, node: yaml.Node, place: Place) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {key.value: self.entry(key, value, place) for key, value in self.pairs(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self.scalar(node)

    def entry(self, key: yaml.Node, value: yaml.Node, place: Place) -> Any:
        inner = (*place, key.value)
        self.lines[inner] = _line(key)
        return self.value(value, inner)

    def pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """The mapping's own entries, then those merged with `<<` that it does not set itself."""
        seen: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged.append(value)
            elif not isinstance(key, yaml.ScalarNode):
                self.refuse(key, "a key must be a plain word")
            elif key.value in seen:
                self.refuse(key, f"{key.value!r} is already set on line {seen[key.value]}")
            else:
                seen[key.value] = _line(key)
                yield key, value
        for source in merged:
            yield from self.merged_pairs(source, seen)

    def merged_pairs(
        self, source: yaml.Node, seen: dict[str, int]
    ) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        sources = source.value if isinstance(source, yaml.SequenceNode) else [source]
        for mapping in sources:
            if not isinstance(mapping, yaml.MappingNode) or mapping in self.open_nodes:
                self.refuse(source, "<< can only merge another mapping")
                continue
            self.open_nodes.append(mapping)
            for key, value in self.pairs(mapping):
                if key.value not in seen:
                    seen[key.value] = _line(key)
                    yield key, value
            self.open_nodes.pop()

    def scalar(self, node: yaml.Node) -> Any:
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return node.value
            case "null":
                return None
            case "bool":
                return node.value.lower() == "true"
            case "int":
                return self.number(node)
            case "float":
                return float(node.value)
        self.refuse(node, f"the YAML tag {node.tag} is not known here")
        return None

    def number(self, node: yaml.Node) -> int | None:
        try:
            return int(node.value)
        except ValueError:
            self.refuse(node, f"{node.value[:40]!r} is not a whole number")
            return None

    def refuse(self, node: yaml.Node, sentence: str) -> None:
        self.problems.add(self.file, _line(node), f"{sentence}.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
