"""A checklist for scaling: its items, by phase, and how each is shown to be so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.domain.text import one_line

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


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an item, or of a role that signs. `done` is whether it is ticked; `who` and
    `at` (ISO 8601) are empty where that is nobody; `evidence` is one line."""

    done: bool
    evidence: str = ""
    who: str = ""
    at: str = ""

    @property
    def line(self) -> str:
        """Who, when and what shows it, in one line; empty where nothing is known."""
        said = ", ".join(each for each in (self.who, self.at) if each)
        return ": ".join(each for each in (said, self.evidence) if each)


def markdown(checklist: Checklist, *, evidence: bool = False) -> str:
    """The list in Markdown, nothing of it ticked. With `evidence`, what shows each item."""
    return "\n".join(_lines(checklist, evidence)) + "\n"


def markdown_of(
    checklist: Checklist, title: str, found: Mapping[str, Found], signed: Mapping[str, Found]
) -> str:
    """The list in Markdown for one scenario: `found` by the ids of items, `signed` by the roles of
    `signoffs.ROLES`. What is not known is left open, with what a person has to look at."""
    lines = [f"# {title}", ""]
    for phase, heading in TITLES.items():
        lines += [f"## {heading}", ""]
        for item in checklist.of(phase):
            known = found.get(item.id, Found(done=False))
            lines.append(f"- [{'x' if known.done else ' '}] {item.text}")
            lines.append(f"  - {markdown_text(known.line) if known.line else _shown(item)}")
        lines.append("")
    if checklist.signoff:
        lines += ["## Sign-off", ""]
    for name in checklist.signoff:
        known = signed.get(name.split()[0].lower(), Found(done=False))
        who = markdown_text(known.line) if known.done else BLANK
        lines.append(f"- [{'x' if known.done else ' '}] {name}: {who}")
    return "\n".join(lines).rstrip("\n") + "\n"


def markdown_text(text: str) -> str:
    """Somebody's text in one line, with the signs that Markdown reads taken out of force."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", one_line(text))


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
