"""docs/rules.md quotes `runbookd check`, shows a rule file and lists guards: all of it is true."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from service.catalogue.registry import ACTIONS, KINDS, kinds_of
from service.catalogue.spec import ActionSpec
from service.catalogue.steps.bounds import ALREADY_THERE
from service.domain.alerts.flapping import FLAPPING
from service.domain.capacity.refusals import GUARD as SIZE_REFUSED
from service.domain.decisions.budget import BUDGET
from service.domain.decisions.claims import COOLDOWN
from service.domain.decisions.controls import PAUSED, PERSON_HOLD, PERSON_LOCK
from service.domain.decisions.demotion import DEMOTED
from service.domain.decisions.expected import IN_VAIN
from service.domain.decisions.guards import (
    CANCELLED,
    IGNORED,
    LABELS,
    LOCKED,
    RESOLVED,
    SCOPE,
    SETTLING,
    YOUNG,
)
from service.domain.decisions.policy import FROZEN, LIMITED
from service.domain.decisions.returns import CALM
from service.domain.levels.acting import STILL_HELD
from service.engine.outcomes import CHANGED_SINCE_PLAN, UNOBSERVABLE, VENDOR_BUSY
from service.rulebook.pack import packaged
from tests.unit.rulebook_files import (
    ENV,
    GOOD,
    PACK,
    RULES,
    TARGETS,
    errors_of,
    load,
    with_rule,
    with_target,
    with_zone,
)

ROOT = PACK.parents[1]
SERVICE = ROOT / "service"
CATALOGUE = SERVICE / "catalogue"
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
APP = "kind: app_platform, app: a, component: c"
SECOND = "  - {name: high-cpu, match: [alertname=B], action: page_oncall}\n"
FOURTH = "targets:\n\nrules:\n  - {name: high-cpu, match: [alertname=A], action: page_oncall}\n"
NO_TARGET: dict[str, str | None] = {"action": "investigate", "target": None}

WRONG = [
    with_rule(action="horizontal_scal"),
    with_rule(target="apo"),
    with_rule(target="db"),
    with_rule(target=None),
    with_rule(action="vertical_scale"),
    with_rule(match="[]"),
    with_rule(match=None),
    with_rule(match="['severity!=\"none\"']"),
    with_rule(match="[' ']"),
    with_rule(match="[alertname]"),
    with_rule(match="['alertname==x']"),
    with_rule(match="['alertname=~\"(\"']"),
    with_target(f"{{{APP}}}"),
    with_target(f"{{{APP}, replicas: {{max: 3}}}}"),
    with_target(f"{{{APP}, replicas: {{min: 12, max: 10}}}}"),
    with_target(f"{{{APP}, replicas: {{min: 2, max: 10, limit: 8}}}}"),
    with_target(f"{{{APP}, replicas: {{min: 1, max: 251}}}}"),
    with_target("{kind: droplet, droplet: 1}"),
    with_target("{kind: droplet, droplet: 1, sizes: [c-2]}"),
    with_target("{kind: droplet, droplet: worker-vm, sizes: [c-2, c-4]}"),
    with_target(
        f"{{kind: droplet, droplet: 1, sizes: [{', '.join(f'n{at}' for at in range(51))}]}}"
    ),
    with_target("{kind: droplet, droplet: 1, sizes: [s-4vcpu-8gb, c-2]}"),
    with_target("{kind: droplet, droplet: 1, sizes: [s-1vcpu-1gb, c-2], choices: [c-2]}"),
    with_target(f"{{{APP}, sizes: [professional-s, professional-s]}}"),
    with_target(f"{{{APP}, sizes: [professional-s, ci_small]}}"),
    with_rule(cooldown=None),
    with_rule(cooldown="600"),
    with_rule(cooldown="10 minutes"),
    with_rule(flapping="{transitions: 4}"),
    with_rule(give_up="3"),
    with_rule(expect="10m", slo="{cleared: 80, of: 10}"),
    with_rule(cooldown="900000w"),
    with_rule(action="page_oncall"),
    with_rule(**NO_TARGET, settle="2m", severity="error"),
    *(with_zone(f"{{{options}}}") for options in ("", "everything: true, tags: [a]")),
    with_rule(**{"with": "{steps: 1}"}),
    with_rule(action="page_oncall", target=None, cooldown=None, **{"with": "{step: 1}"}),
    with_rule(action="set_capacity"),
    with_rule(action="set_capacity", **{"with": "{replicas: 11}"}),
    with_rule(action="set_capacity", **{"with": "{size: c-2}"}),
    with_rule(**{"with": "{step: 0}", "continue": "yes"}, severity="high"),
    FOURTH + FOURTH.splitlines(keepends=True)[-1].replace("high-cpu", "other"),
    FOURTH + SECOND,
    GOOD + "  - {match: [a=b], action: page_oncall}\n",
    GOOD + "  - {name: High CPU, match: [a=b], action: page_oncall}\n",
    TARGETS + "".join(RULES.splitlines(keepends=True)[:3]),
    with_rule(match="['alertname=\"${NOPE}\"']"),
    with_rule(match="['alertname=\"${REGION}\"']"),
    with_target("{kind: app_platfrm}"),
    with_rule(cooldwn="5m"),
    GOOD + SECOND + "scopes: {dev: {rules: [high-cpo]}, a: {}, b: all}\n",
    GOOD + "scopes:\n",
    TARGETS + "rules:\n  - name: a\n    match: [a=b]\n    cooldown: 1m\n    cooldown: 2m\n",
    "rules:\n\t- a\n",
    "",
    "targets: {}\n",
]
"""A rule file for each row of the page's table of errors."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All errors of all the wrong files."""
    folder = tmp_path_factory.mktemp("wrong")
    errors = [error for text in WRONG for error in errors_of(folder, text, env={"REGION": ""})]
    return "\n".join(error.sentence for error in errors).replace(f"{folder}/1.yml", "rules.yml")


def quoted() -> list[str]:
    table = PAGE.split("| wrong | sentence (an example) |")[1].split("\n\n")[0]
    cells = [row.split(" | ", 1)[1] for row in table.splitlines() if " | " in row]
    return [said for cell in cells for said in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("sentence", quoted())
def test_check_says_what_the_page_quotes(told: str, sentence: str) -> None:
    assert all(part.strip() in told for part in sentence.split("…"))


def test_the_file_that_the_page_shows_is_valid(tmp_path: Path) -> None:
    (shown,) = (
        block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "\nrules:" in block
    )
    assert [rule.name for rule in load(tmp_path, shown).rules] == ["high-cpu"]


def test_the_scopes_that_the_page_shows_suit_the_shipped_pack(tmp_path: Path) -> None:
    (shown,) = (
        block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "scopes:" in block
    )
    scopes = load(tmp_path, PACK.read_text(encoding="utf-8"), shown).scopes
    assert scopes.of("prod").may_earn("high-cpu")
    assert not scopes.of("grafana-dev").may_earn("high-cpu")


def test_the_page_lists_every_action_that_is_not_of_one_kind_alone() -> None:
    table = PAGE.split("| action | needs a target of kind |")[1].split("\n\n")[0]
    listed = set(re.findall(r"^\| \[?`(\w+)`", table, re.MULTILINE))
    shared = {action.name for action in ACTIONS if len(kinds_of(action.name)) != 1}
    assert shared <= listed <= {action.name for action in ACTIONS}


@pytest.mark.parametrize(
    "action", [each for each in ACTIONS if each.name != "ignore"], ids=lambda each: each.name
)
def test_an_action_has_a_page_that_names_its_options_and_says_whether_it_can_be_undone(
    action: ActionSpec,
) -> None:
    page = (ROOT / "docs" / "actions" / f"{action.name}.md").read_text(encoding="utf-8")

    fields = action.options.model_fields.items()
    options = {field.alias or name for name, field in fields}
    assert set(re.findall(r"`(\w+)`", page)) >= options
    assert re.search(r"\*\*Undo|runbookd undo", page)
    assert "## How it fails" in page
    kinds = [ROOT / "docs" / "kinds" / f"{kind}.md" for kind in kinds_of(action.name)]
    links = [PAGE, *(each.read_text(encoding="utf-8") for each in kinds)]
    assert any(f"actions/{action.name}.md" in each for each in links)


EVERY_ID = {
    **ENV,
    "CLOUDFLARE_ZONE_ID": "5eed0000000000000000000000000c0d",
    "VALKEY_CLUSTER_ID": "9cc10173-0c0d-4e1f-8c0d-5eed00000001",
    "BALANCER_SERVER_1": "10.0.0.11",
    "BALANCER_SERVER_2": "10.0.0.12",
}
SHIPPED = sorted((ROOT / "rules").glob("*.yml"))


def test_each_shipped_file_is_told_of_and_carried_in_an_installation() -> None:
    told = set(re.findall(r"^\| `rules/(\w+\.yml)`", PAGE, re.MULTILINE))
    assert told == {path.name for path in SHIPPED}
    for path in SHIPPED:
        assert packaged(path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_the_shipped_files_are_one_valid_book_together(tmp_path: Path) -> None:
    """Each also has to go with all others: a name is taken only once."""
    files = {path.name: path.read_text(encoding="utf-8") for path in SHIPPED}
    del files["kpis.yml"], files["load.yml"], files["checklists.yml"]
    ladder = "sizes: [ci_micro, ci_small, ci_medium, ci_large]"
    assert ladder in files["quizmentor.yml"]
    bounds = "pooler: {max: 60}\n    replicas: {max: 2, regions: [us-east-1]}"
    files["quizmentor.yml"] = files["quizmentor.yml"].replace(ladder, f"{ladder}\n    {bounds}")
    order = sorted(files, key=lambda name: name != "decide.yml")
    book = load(tmp_path, *(files[name] for name in order), env=EVERY_ID)
    told = PAGE.split("## The shipped files")[1].split("## A file")[0]
    rows = re.findall(r"^\| `rules/\w+\.yml` \|[^|]*\| ([\w, ]*) \|$", told, re.MULTILINE)
    named = {name for row in rows for name in row.split(", ")} - {"none yet", ""}
    assert named == {rule.action for rule in book.rules}


def named_in(folders: Iterable[Path]) -> set[str]:
    """The guards that the code in these folders names where it holds something."""
    code = "".join(
        path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")
    )
    return set(re.findall(r'(?:PlanHeld|Check)\(\s*"(\w+)"', code))


def test_the_page_lists_every_guard_that_holds_a_run_and_no_other() -> None:
    table = PAGE.split("### Guards that a run can meet")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    shared = [CATALOGUE / "steps", *(SERVICE / name for name in ("domain", "triggers", "engine"))]
    named = named_in(shared) | {RESOLVED, SETTLING, LOCKED, CANCELLED, LIMITED, FROZEN}
    named |= {YOUNG, PAUSED, PERSON_LOCK, PERSON_HOLD, BUDGET, CALM, STILL_HELD}
    named |= {SCOPE, LABELS, FLAPPING, IN_VAIN, DEMOTED, ALREADY_THERE}
    named |= {COOLDOWN, IGNORED, UNOBSERVABLE, CHANGED_SINCE_PLAN, VENDOR_BUSY, SIZE_REFUSED}
    # These checks never decide.
    assert listed == named - {"redis_gate", "target"}


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_the_page_of_a_kind_lists_every_guard_of_its_plans(kind: str) -> None:
    page = (ROOT / "docs" / "kinds" / f"{kind}.md").read_text(encoding="utf-8")
    held = page.split("- **Held**")[1].split("\n- **")[0]
    assert named_in([CATALOGUE / kind]) <= set(re.findall(r"`(\w+)`", held))
