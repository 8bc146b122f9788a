"""A checklist for scaling: its items, by phase, and how each is shown to be so. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

PRE, DURING, POST = "pre", "during", "post"
TITLES: Mapping[str, str] = {
    PRE: "Pre-Scaling Checklist",
    DURING: "During Scaling",
    POST: "Post-Scaling Verification",
}
"""The runbook's headings of the phases, in its order."""
QUERY, PERSON = "query", "person"
EVIDENCE = (QUERY, PERSON)
BLANK = "**\\_\\_\\_**"
"""A place for a name, as Markdown writes it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be checked. `shown_by` is a command where `evidence` is QUERY, and where it is
    PERSON, what somebody looks at."""

    id: str
    phase: str
    text: str
    evidence: str
    shown_by: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """The items in their order, and the roles that sign."""

    items: Sequence[Item]
    signoff: Sequence[str]

    def of(self, phase: str) -> list[Item]:
        """The items of a phase."""
        return [each for each in self.items if each.phase == phase]


def markdown(checklist: Checklist, *, evidence: bool = False) -> str:
    """The list in Markdown, nothing of it ticked. With `evidence`, what shows each item."""
    return "\n".join(_lines(checklist, evidence)) + "\n"


def _lines(checklist: Checklist, evidence: bool) -> Iterator[str]:
    for place, (phase, title) in enumerate(TITLES.items()):
        if place:
            yield ""
        yield f"## {title}"
        yield ""
        for item in checklist.of(phase):
            yield f"- [ ] {item.text}"
            if evidence:
                yield f"  - {_shown(item)}"
    if checklist.signoff:
        yield from ("", "## Sign-off", "")
        yield from (f"- [ ] {role}: {BLANK}" for role in checklist.signoff)


def _shown(item: Item) -> str:
    return f"`{item.shown_by}`" if item.evidence == QUERY else f"a person looks at {item.shown_by}"
