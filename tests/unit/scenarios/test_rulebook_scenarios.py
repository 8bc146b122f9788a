"""Scenarios in a rule file: what is read of them, and what is refused, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.requests import Wanted
from service.domain.scenarios.scenarios import circle, scenario_from_fields
from service.domain.scenarios.signoffs import Gate
from service.triggers.scenarios.wanted import step_wants
from tests.unit.rulebook_files import GOOD, load, told

OUT = "{id: out, action: set_capacity, target: api, to: {replicas: 8}, undo: restore}"
"""A step that is in order."""


def with_scenario(*steps: str, more: str = "", name: str = "rush", top: str = "") -> str:
    """The good file, and a scenario on line 10: `more` on line 11, `steps:`, then each step."""
    lines = "".join(f"      - {each}\n" for each in steps)
    extra = f"    {more}\n" if more else ""
    return f"{GOOD}{top}scenarios:\n  {name}:\n{extra}    steps:\n{lines}"


def test_a_scenario_is_read_with_its_order_and_what_it_may_spend(tmp_path: Path) -> None:
    more = (
        "{start: {person: true}, approval: {above: $200/month, from: [finance], wait: 20m}, "
        "spend: {up_to: $60}, ends: {after: 12h}, steps: ["
        f"{OUT}, {{id: db, action: scale_database, target: db, to: {{size: ci_small}}, "
        "after: [out], on_failure: page, confirm: person, undo: none}]}"
    )
    book = load(tmp_path, f"{GOOD}scenarios:\n  rush: {more}\n")
    rush = book.scenarios["rush"]
    assert (rush.above, rush.dollars, rush.lasts_s) == (200.0, 60.0, 43_200.0)
    assert rush.approval is not None
    assert (rush.approval.of, rush.approval.wait_s) == (("finance",), 1_200.0)
    out, db = rush.steps
    assert (out.to, out.after, out.on_failure, out.restores) == ({"replicas": 8}, (), "stop", True)
    assert (db.after, db.on_failure, db.restores, db.confirm) == (("out",), "page", False, True)
    assert rush.targets == ("api", "db")
    assert rush.written == f"{tmp_path}/1.yml:10"


def test_a_target_that_only_a_scenario_uses_is_no_error(tmp_path: Path) -> None:
    other = "  web: {kind: app_platform, app: app-2, component: c, replicas: {min: 1, max: 9}}\n"
    text = with_scenario(OUT.replace("api", "web")).replace("rules:\n", f"{other}rules:\n", 1)
    assert "web" in load(tmp_path, text).targets


def test_the_hash_of_the_rules_covers_what_a_scenario_says_and_not_where(tmp_path: Path) -> None:
    first = load(tmp_path, with_scenario(OUT))
    assert first.hash != load(tmp_path, GOOD).hash
    assert first.hash != load(tmp_path, with_scenario(OUT.replace("8", "9"))).hash
    assert first.hash == load(tmp_path, with_scenario(OUT).replace("scenarios", "\nscenarios")).hash


TELL = "{id: teams, action: tell, undo: none, with: {channels: ['#ops'], text: TEXT}}"
DB = "{id: db, action: scale_database, target: db, to: {size: ci_small}, undo: none}"
WATCH = "{id: w, action: watch, with: {for: 2h, target: api, readings: [rps]}, undo: none}"
A, B = OUT.replace("out", "a"), OUT.replace("out", "b")


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (with_scenario(OUT.replace("set_capacity", "set_capacty")), 12, "unknown action"),
        (with_scenario(OUT.replace("target: api", "target: apo")), 12, "did you mean api?"),
        (with_scenario(OUT.replace("target: api, ", "")), 12, "must know what to change"),
        (with_scenario(OUT.replace("target: api", "target: vm")), 12, "cannot change vm"),
        (with_scenario(OUT.replace("replicas: 8", "replica: 8")), 12, "not replica."),
        (with_scenario(OUT.replace("8", "11")), 12, "replicas 11 is above the limit 10 of api"),
        (with_scenario(OUT.replace("8", "1")), 12, "replicas 1 is below the min 2 of api"),
        (with_scenario(OUT.replace("8", "yes")), 12, "replicas must be"),
        (with_scenario(OUT.replace("replicas: 8", "size: c-2")), 12, "not on the ladder of api"),
        (with_scenario(OUT.replace("to: {replicas: 8}, ", "")), 12, "to is missing"),
        (with_scenario(OUT.replace("to:", "with:")), 12, "takes no `with`: say `to`"),
        (with_scenario(OUT.replace(", undo: restore", "")), 12, "undo is missing: restore, to"),
        (with_scenario(OUT.replace("undo: restore", "undo: maybe")), 12, "undo must be"),
        (with_scenario(OUT.replace("undo", "after: [nope], undo")), 12, "unknown step 'nope'"),
        (
            with_scenario(
                A.replace("undo", "after: [b], undo"), B.replace("undo", "after: [a], undo")
            ),
            12,
            "it waits for itself: a after b after a",
        ),
        (with_scenario(OUT, OUT), 13, "another step has the id out"),
        (with_scenario(OUT.replace("undo", "colour: red, undo")), 12, "unknown key colour"),
        (with_scenario(OUT, more="colour: red"), 11, "unknown key colour"),
        (with_scenario(OUT.replace("id: out, ", "")), 12, "id is missing"),
        (with_scenario("out"), 12, "a step is a mapping, such as"),
        (with_scenario(DB), 12, "takes db down for a while, so a person has to know"),
        (
            with_scenario(DB, more="emergency: true"),
            13,
            "takes db down for a while, so a person has to know",
        ),
        (
            with_scenario(OUT.replace("undo", "confirm: person, undo"), more="emergency: true"),
            13,
            "an emergency asks nobody",
        ),
        (
            with_scenario(OUT, more="emergency: true\n    approval: {above: 5}"),
            12,
            "an emergency asks nobody: remove approval",
        ),
        (with_scenario(OUT, more="approval: {above: much}"), 11, "above must be dollars above 0"),
        (with_scenario(OUT, more="approval: {from: ['a b']}"), 11, "'a b' is no role or group"),
        (with_scenario(OUT, more="approval: {wait: soon}"), 11, "wait 'soon' is not a duration"),
        (with_scenario(OUT, more="spend: {}"), 11, "spend needs up_to"),
        (with_scenario(OUT, more="ends: {}"), 11, "ends needs after"),
        (with_scenario(OUT, more="ends: {after: 900d}"), 11, "the longest that is allowed"),
        (
            with_scenario(OUT, more="start: {person: false}"),
            11,
            "person must be true: people start it, not false",
        ),
        (with_scenario(OUT, more="start: {rule: rush}"), 11, "unknown rule 'rush'"),
        (with_scenario(OUT, name="tell"), 10, "an action has the same name"),
        (with_scenario(OUT, name="Viral Growth"), 10, "the name must be 1 to 63 of a-z"),
        (with_scenario(), 11, "steps is missing"),
        (with_scenario("{id: p, action: page_oncall, undo: none}"), 12, "use tell, with page"),
        (with_scenario("{id: i, action: ignore, undo: none}"), 12, "ignore cannot be a step"),
        (with_scenario(TELL.replace("none", "restore")), 12, "tell cannot be undone: what was"),
        (with_scenario(TELL.replace("TEXT", "'{alert} fires'")), 12, "no alert to fill it from"),
        (with_scenario(TELL.replace("TEXT", "''")), 12, "tell needs text"),
        (with_scenario(TELL.replace("undo", "target: api, undo")), 12, "of no use to tell"),
        (with_scenario(WATCH.replace("for: 2h", "every: 5m")), 12, "watch needs for"),
        (with_scenario(WATCH.replace("target: api", "target: apo")), 12, "unknown target 'apo'"),
        (with_scenario(WATCH.replace("rps", "rpm")), 12, "unknown reading 'rpm'"),
        (with_scenario(WATCH.replace("none", "restore")), 12, "watch cannot be undone"),
        (with_scenario(WATCH.replace("undo", "confirm: person, undo")), 12, "no use to watch"),
        (with_scenario(*[OUT.replace("out", f"s{n}") for n in range(31)]), 11, "at most 30 steps"),
        (f"{GOOD}scenarios: []\n", 9, "scenarios must be a mapping of names to scenarios"),
        (f"{GOOD}scenarios: {{rush: 5}}\n", 9, "a scenario is a mapping with steps"),
    ],
)
def test_what_cannot_be_is_refused_with_its_file_and_line(
    tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    found = told(tmp_path, text)
    assert any(each.startswith(f"1.yml:{line}: ") and sentence in each for each in found), found


def test_next_and_plus_are_steps_up_from_what_there_is(tmp_path: Path) -> None:
    up = "{id: up, action: vertical_scale, target: vm, to: {size: next}, undo: none, CONFIRM}"
    up = up.replace("CONFIRM", "confirm: person")
    book = load(tmp_path, with_scenario(OUT.replace("8", "'+2'"), up))
    wants = [
        step_wants(each, book.targets[each.target or ""]).wanted
        for each in book.scenarios["rush"].steps
    ]
    assert wants == [(Wanted("replicas", by=2),), (Wanted("size", by=1),)]


def test_a_value_is_the_least_that_there_shall_be_unless_it_is_exact(tmp_path: Path) -> None:
    exact = OUT.replace("out", "in").replace("undo", "exact: true, undo")
    book = load(tmp_path, with_scenario(OUT, exact))
    wants = [step_wants(each, book.targets["api"]) for each in book.scenarios["rush"].steps]
    assert [each.wanted[0].least for each in wants] == [True, False]
    assert [each.direction for each in wants] == ["out", "set"]


def test_two_files_cannot_each_have_a_scenario_of_one_name(tmp_path: Path) -> None:
    other = f"scenarios:\n  rush:\n    steps:\n      - {OUT}\n"
    (only,) = told(tmp_path, with_scenario(OUT), other)
    assert only.startswith("2.yml:2: scenario rush: another scenario has the same name at")


@pytest.mark.parametrize(
    ("more", "refused"), [("emergency: false", True), ("approval: {above: 5}", False)]
)
def test_a_size_of_unknown_price_under_a_budget_takes_an_approval(
    tmp_path: Path, more: str, *, refused: bool
) -> None:
    sizes = "replicas: {min: 2, max: 10}, sizes: [apps-s-1vcpu-1gb, apps-s-9vcpu-9gb]"
    step = OUT.replace("replicas: 8", "size: apps-s-9vcpu-9gb")
    text = with_scenario(step, more=more, top="budget: {monthly: 900}\n")
    text = text.replace("replicas: {min: 2, max: 10}", sizes)
    if refused:
        (only,) = told(tmp_path, text)
        assert "1.yml:14: scenario rush: step out: what apps-s-9vcpu-9gb costs is not known" in only
    else:
        assert load(tmp_path, text).scenarios["rush"].approval is not None


def test_a_circle_is_found_wherever_it_begins() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle({"a": ["b"], "b": ["c"], "c": [], "d": ["a", "c"]}) == []
    assert circle({"a": ["a"]}) == ["a", "a"]


def test_who_signs_a_scenario_is_read_and_what_is_wrong_with_it_is_told_by_line(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    budget = "budget: {monthly: 200, over: approve}\n"
    good = "signoff: {before: [devops], above_budget: [finance], after: [cto], one_person: true}"
    book = load(tmp_path, with_scenario(OUT, more=good, top=budget))
    gate = Gate(("devops",), ("finance",), ("cto",), one_person=True)
    assert book.scenarios["rush"].signoff == gate
    assert scenario_from_fields(book.scenarios["rush"].fields()).signoff == gate
    wrong = (
        ("signoff: {before: [ceo]}", "", "before"),
        ("signoff: {during: [cto]}", "", "during"),
        ("signoff: {before: []}", "", "signoff names nobody"),
        ("signoff: {above_budget: [finance]}", "", "above_budget is of no use without a budget"),
        (
            "{emergency: true, signoff: {above_budget: [finance]}}",
            budget,
            "above_budget: an emergency is not planned first",
        ),
    )
    for more, top, sentence in wrong:
        with subtests.test(more=more):
            line = 11 if not top else 12
            if more.startswith("{"):
                text = with_scenario(OUT, more="emergency: true", top=top)
                text = text.replace(
                    "    steps", "    signoff: {above_budget: [finance]}\n    steps"
                )
                line = 13
            else:
                text = with_scenario(OUT, more=more, top=top)
            (said,) = [each for each in told(tmp_path, text) if sentence in each]
            assert f"1.yml:{line}:" in said, said
