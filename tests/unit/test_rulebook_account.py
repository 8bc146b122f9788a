"""The account in a rule file: what is refused, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.digitalocean_account.target import AccountTarget
from service.catalogue.request_json import dump_request, load_request
from service.rulebook import load_rulebook
from tests.fakes.runs import request_for
from tests.unit.rulebook_files import ENV, PACK, load, told

JOB_PACK = PACK.with_name("unused.yml")


def with_account(options: str = "{}", more: str = "", keep: str = "[archive]") -> str:
    """An account on line 2, and one rule about it on lines 4 to 9."""
    return (
        f"targets:\n  account: {{kind: digitalocean_account, keep: {keep}}}\nrules:\n"
        "  - name: bill\n    match: [alertname=Bill]\n    action: remove_unused\n"
        f"    target: account\n    with: {options}\n    cooldown: 1d\n{more}"
    )


def test_an_account_has_the_tags_that_keep_and_a_run_of_it_is_pinned_whole(tmp_path: Path) -> None:
    target = load(tmp_path, with_account()).targets["account"]
    assert target == AccountTarget("account", ("archive",))
    assert target.bounds == "nothing with the tag keep or archive"
    request = request_for("remove_unused", target, options={"kinds": ["volumes"], "most": 1})
    assert load_request(dump_request(request)) == request


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (with_account("{kinds: [apps]}"), "1.yml:8"),
        (with_account("{kinds: []}"), "1.yml:8"),
        (with_account("{older_than: 6d}"), "a duration of 7d or more, such as 30d"),
        (with_account("{most: 11}"), "1.yml:8"),
        (with_account("{newest: 0}"), "1.yml:8"),
        (with_account(keep="archive"), "1.yml:2"),
        (
            with_account(more="    approval: {otherwise: act}\n"),
            "remove_unused is never done because nobody decided: write otherwise: hold or page.",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert any(sentence in each for each in told(tmp_path, text))


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ("", 86_400),
        ("    approval: {otherwise: page}\n", 86_400),
        ("    approval: {wait: 15m}\n", 900),
    ],
)
def test_a_rule_that_removes_waits_a_day_for_a_person_unless_it_says_another_time(
    tmp_path: Path, more: str, seconds: float
) -> None:
    (rule,) = load(tmp_path, with_account(more=more)).rules
    assert rule.policy.approval.wait_s == seconds


def test_the_shipped_file_asks_once_a_week_for_what_is_older_than_30_days() -> None:
    book = load_rulebook([PACK, JOB_PACK], ENV)
    job = book.jobs["remove-unused"]
    assert (job.action, job.target) == ("remove_unused", "account")
