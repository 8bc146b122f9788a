"""The checklist for scaling: the runbook's own, read, checked and printed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from service.cli.commands import ENTRIES
from service.domain.checklists import QUERY, markdown
from service.rulebook.checklists import load_checklist
from service.rulebook.errors import RuleBookInvalid
from service.rulebook.pack import packaged
from tests.unit.cli.commandline import CommandLine

SHIPPED = packaged("checklists.yml")
THE_RUNBOOKS = """\
## Pre-Scaling Checklist

- [ ] Current metrics documented
- [ ] Scaling plan reviewed
- [ ] Budget approved
- [ ] Rollback plan prepared
- [ ] Team notified

## During Scaling

- [ ] Backup created
- [ ] Scaling initiated
- [ ] Health checks running
- [ ] Metrics being monitored
- [ ] Error rates acceptable

## Post-Scaling Verification

- [ ] All services healthy
- [ ] Performance improved
- [ ] No data loss
- [ ] Costs within budget
- [ ] Documentation updated

## Sign-off

- [ ] DevOps Lead: **\\_\\_\\_**
- [ ] Finance: **\\_\\_\\_**
- [ ] CTO: **\\_\\_\\_**
"""


def test_the_shipped_one_prints_the_runbooks_list_word_for_word() -> None:
    assert markdown(load_checklist(SHIPPED)) == THE_RUNBOOKS


def test_each_item_says_what_shows_it_and_each_command_exists() -> None:
    found = load_checklist(SHIPPED)
    assert Counter(each.phase for each in found.items) == {"pre": 5, "during": 5, "post": 5}
    for item in found.items:
        if item.evidence == QUERY:
            assert item.shown_by.split()[1] in ENTRIES
    printed = markdown(found, evidence=True).splitlines()
    assert printed[printed.index("- [ ] Error rates acceptable") + 1] == "  - `runbookd kpis show`"
    assert sum(line.startswith("  - ") for line in printed) == 15


def test_the_command_prints_it_for_people_and_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = CommandLine(monkeypatch, capsys)
    assert line("checklist").out == THE_RUNBOOKS
    told = json.loads(line("checklist", "--json").out)
    assert len(told["items"]) == 15
    assert told["signoff"] == ["DevOps Lead", "Finance", "CTO"]


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ("{id: metrics,", "{id: plan,", "plan is the id of two items"),
        ("{id: metrics,", "{id: Metrics!,", "id must be 1 to 63 of a-z"),
        ("{id: metrics, ", "{", "id is missing"),
        ("phase: pre, text: Current", "phase: before, text: Current", "phase must be"),
        ("query: runbookd readings}", "query: rm -rf /}", "a command such as runbookd status"),
        (", query: runbookd readings}", "}", "so query has to say what shows it"),
        ("query: runbookd readings}", "query: runbookd readings, look: x}", "look has no meaning"),
        ("text: Current metrics", 'text: "- [x] Current', "one line without signs of Markdown"),
        ("items:", "things:", "a checklist has a list `items`"),
        ("[DevOps Lead, Finance, CTO]", "DevOps", "signoff is a list of roles"),
        ("phase: post", "phase: during", "phase post has no item"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, was: str, now: str, sentence: str
) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert was in text
    file = tmp_path / "checklists.yml"
    changed = text.replace(was, now) if was == "phase: post" else text.replace(was, now, 1)
    if '"- [x] Current' in changed:
        changed = changed.replace('"- [x] Current documented', '"- [x] Current documented"')
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(RuleBookInvalid) as refused:
        load_checklist(file)
    assert sentence in str(refused.value)
    assert f"{file}:" in str(refused.value)
