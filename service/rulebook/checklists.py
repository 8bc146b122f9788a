"""A file of a checklist, read and checked whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from service.catalogue.shapes import Shape
from service.domain.checklists import PERSON, QUERY, TITLES, Checklist, Item
from service.rulebook.document import Document, Place, read_document
from service.rulebook.errors import Problems
from service.rulebook.schema import read_shape

_LINE = r"^[^\s`*\[\]<>][^\n`*\[\]<>]*$"
"""One line without signs that Markdown reads."""
Line = Annotated[str, Field(pattern=_LINE, max_length=200)]
_OF = {QUERY: "query", PERSON: "look"}
"""The key that says what shows an item, by its evidence."""


class _ItemShape(Shape):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] | None = Field(
        default=None, description="1 to 63 of a-z, 0-9 and _, beginning with a letter"
    )
    phase: Literal["pre", "during", "post"] | None = None
    text: Line | None = Field(default=None, description="one line without signs of Markdown")
    evidence: Literal["query", "person"] | None = None
    query: Annotated[str, Field(pattern=r"^runbookd [a-z][^\n`]*$")] | None = Field(
        default=None, description="a command such as runbookd status"
    )
    look: Annotated[str, Field(pattern=r"^[^\n]+$")] | None = Field(
        default=None, description="one line that says what somebody looks at"
    )


def load_checklist(path: Path) -> Checklist:
    """The checklist of a file.

    Raises:
        RuleBookInvalid: with every error in it, by line.
    """
    problems = Problems()
    document = read_document(path, problems)
    found = Checklist((), ()) if document is None else _Reader(document, problems).checklist()
    problems.concluded([str(path)])
    return found


class _Reader:
    """Reads one file, and notes what is wrong."""

    def __init__(self, document: Document, problems: Problems) -> None:
        self._document = document
        self._problems = problems

    def checklist(self) -> Checklist:
        data = self._document.data if isinstance(self._document.data, dict) else {}
        for key in data:
            if key not in ("items", "signoff"):
                self._complain((key,), f"unknown key {key!r}.")
        listed = data.get("items")
        if not isinstance(listed, list) or not listed:
            self._complain((), "a checklist has a list `items`.")
            return Checklist((), ())
        items = [self._item(("items", place), raw) for place, raw in enumerate(listed)]
        whole = Checklist([each for each in items if each is not None], self._roles(data))
        self._check(whole, all(each is not None for each in items))
        return whole

    def _complain(self, place: Place, sentence: str) -> None:
        self._problems.add(self._document.file, self._document.line(place), sentence)

    def _item(self, place: Place, raw: Any) -> Item | None:
        wrong: list[str] = []

        def complain(where: Place, sentence: str) -> None:
            wrong.append(sentence)
            self._complain(where, sentence)

        if not isinstance(raw, dict):
            complain(place, "an item is a mapping with id, phase, text and evidence.")
            return None
        shape = read_shape(_ItemShape, raw, place, complain).shape
        for key in ("id", "phase", "text", "evidence"):
            if not wrong and getattr(shape, key) is None:
                complain(place, f"{key} is missing.")
        if wrong:
            return None
        evidence = str(shape.evidence)
        for kind, key in _OF.items():
            given = getattr(shape, key)
            if kind == evidence and given is None:
                complain(place, f"evidence is {evidence}, so {key} has to say what shows it.")
            if kind != evidence and given is not None:
                complain((*place, key), f"evidence is {evidence}, so {key} has no meaning here.")
        if wrong:
            return None
        shown_by = str(getattr(shape, _OF[evidence]))
        return Item(str(shape.id), str(shape.phase), str(shape.text), evidence, shown_by)

    def _roles(self, data: dict[str, Any]) -> list[str]:
        roles = data.get("signoff", [])
        if not isinstance(roles, list) or not all(isinstance(each, str) and each for each in roles):
            self._complain(("signoff",), "signoff is a list of roles.")
            return []
        return roles

    def _check(self, checklist: Checklist, whole: bool) -> None:
        seen: set[str] = set()
        for place, item in enumerate(checklist.items):
            if item.id in seen:
                self._complain(("items", place), f"{item.id} is the id of two items.")
            seen.add(item.id)
        for phase in TITLES:
            if whole and not checklist.of(phase):
                self._complain(("items",), f"phase {phase} has no item.")
