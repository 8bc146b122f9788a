"""What people are told when rule files are refused, and when they can be used again. Pure."""

from __future__ import annotations

from service.domain.rules.told import ProcessRules, shown_errors
from service.ports import Message


def refused(mine: ProcessRules) -> Message:
    """That the rule files have changed and cannot be used."""
    stays = f"The rules before stay in force: {mine.hash}."
    return Message(
        title="The rule files have an error: they are not in force",
        text=(
            f"{shown_errors(mine.refused)} "
            f"{stays if mine.hash else 'There are no rules in force.'} Mend the files: they are "
            "read again by themselves, and you are told once they can be used."
        ),
        fields=[("Found by", mine.name), ("See all errors", "runbookd check")],
        context="runbookd status tells it until it is mended",
    )


def mended(mine: ProcessRules) -> Message:
    """That they can be used again."""
    return Message(
        title="The rule files can be used again",
        text=f"No process refuses its rule files any more. In force: {mine.hash}.",
        context="runbookd status",
    )
