"""Warnings: what a rule file may say and hardly means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.catalogue.prices import Kept
from service.rulebook import RuleBookInvalid, load_rulebook
from tests.unit.rulebook_files import ENV, PACK, load, with_rule, with_target

APP = "kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 8}"
QUIET = """\
targets:
  api: {kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 10}}
rules:
  - {name: cpu, match: [alertname=CPU], action: horizontal_scale, target: api, cooldown: 10m}
"""


def warnings_of(folder: Path, text: str) -> list[str]:
    """Without that of the good file, whose project is called `ref`."""
    found = [each.replace(f"{folder}/1.yml:", "") for each in load(folder, text).warnings]
    return [each for each in found if "target db: ref does not look like" not in each]


def database(sizes: str) -> str:
    return QUIET.replace(
        "rules:\n",
        f"  db: {{kind: supabase, project: {'a' * 20}, sizes: {sizes}}}\nrules:\n"
        "  - {name: pool, match: [alertname=P], action: scale_database, target: db, "
        "cooldown: 9m}\n",
    )


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            database("[free, pro]"),
            "3: warning: target db: free does not look like a size of supabase, such as ci_micro,",
        ),
        (
            database("[ci_micro, ci_smal]"),
            "3: warning: target db: ci_smal is no known size; did you mean ci_small?",
        ),
        (
            with_target(f"{{{APP}, sizes: [profesional-s, professional-m]}}"),
            "2: warning: target api: profesional-s is no known size; did you mean professional-s?",
        ),
        (
            with_target("{" + APP.replace("app-1", "$API_APP_ID") + "}"),
            (
                "2: warning: target api: $API_APP_ID is taken as it is written. For the variable, "
                "write ${API_APP_ID}."
            ),
        ),
        (
            with_target("{" + APP.replace("app-1", "quizmentor") + "}"),
            "2: warning: target api: quizmentor does not look like the id of an app, which is a",
        ),
        (
            with_rule(**{"with": "{step: 50}"}),
            "14: warning: rule extra: a step of 50 is more than there is between 2 and 10",
        ),
        (
            with_rule(match="[alertnme=Extra]"),
            "10: warning: rule extra: label alertnme: did you mean alertname?",
        ),
        (
            with_rule(settle="20m"),
            "14: warning: rule extra: settle 20m is longer than cooldown 10m",
        ),
    ],
)
def test_what_is_hardly_meant_is_warned_of_at_its_line(
    tmp_path: Path, text: str, warning: str
) -> None:
    found, *others = warnings_of(tmp_path, text)
    assert found.startswith(warning)
    assert len(others) == ("[free, pro]" in text)


def test_two_targets_that_are_the_same_thing_at_the_vendor_are_warned_of(tmp_path: Path) -> None:
    twin = "  two: {kind: app_platform, app: app-1, component: api, replicas: {min: 1, max: 3}}\n"
    rule = (
        "  - {name: b, match: [alertname=B], action: horizontal_scale, target: two, cooldown: 9m}\n"
    )
    (found,) = warnings_of(tmp_path, QUIET.replace("rules:\n", twin + "rules:\n") + rule)
    assert found.startswith("3: warning: target two: it is the same as target api (")
    other = twin.replace("component: api", "component: web")
    assert not warnings_of(tmp_path, QUIET.replace("rules:\n", other + "rules:\n") + rule)


def test_the_shipped_rules_and_sizes_that_are_simply_new_raise_no_warning(tmp_path: Path) -> None:
    assert load_rulebook([PACK], ENV).warnings == ()
    sizes = "[s-2vcpu-8gb-amd, s-4vcpu-16gb-amd]"
    new = with_target(f"{{{APP}, sizes: [apps-s-1vcpu-1gb, apps-d-1vcpu-2gb]}}")
    new = new.replace("[s-1vcpu-1gb, s-1vcpu-2gb]", sizes)
    assert sizes in new
    assert warnings_of(tmp_path, new) == []


KEPT = {
    "app_platform": Kept(
        1_795_000_000.0,
        {
            "apps-s-1vcpu-1gb": {"price_monthly": 12.0},
            "apps-s-9vcpu-9gb": {"price_monthly": 90.0},
        },
    ),
    "droplet": Kept(
        1_795_000_000.0,
        {"s-1vcpu-1gb": {"price_monthly": 14.0}, "s-1vcpu-2gb": {"price_monthly": 12.0}},
    ),
}
"""The vendors' own lists, as a run has kept them on 2026-11-18."""


def ladder(*sizes: str) -> str:
    return with_target(f"{{{APP}, sizes: [{', '.join(sizes)}]}}")


def listed(folder: Path, text: str, kept: Mapping[str, Kept]) -> list[str]:
    """The sentences of the warnings about sizes; the errors would be raised."""
    path = folder / "rules.yml"
    path.write_text(text)
    found = load_rulebook([path], ENV, kept=kept).warnings
    return [each.partition(": warning: ")[2] for each in found if "ref does not look" not in each]


def test_a_size_that_is_on_no_list_is_warned_of_until_the_vendors_own_names_it(
    tmp_path: Path,
) -> None:
    text = ladder("apps-s-1vcpu-1gb", "apps-s-9vcpu-9gb")
    (warned,) = listed(tmp_path, text, {})
    assert warned == (
        "target api: apps-s-9vcpu-9gb is not among DigitalOcean's documented sizes of 2026-11, and "
        "no run has asked for its own list yet. A size that is not sold holds every run."
    )
    assert listed(tmp_path, text, {"app_platform": KEPT["app_platform"]}) == []
    unsold = ladder("apps-s-1vcpu-1gb", "apps-s-7vcpu-7gb")
    (warned,) = listed(tmp_path, unsold, {"app_platform": KEPT["app_platform"]})
    assert warned == (
        "target api: apps-s-7vcpu-7gb is not on DigitalOcean's list of 2026-11-18, nor among its "
        "documented sizes. A size that is not sold holds every run."
    )


def test_a_documented_size_that_the_vendors_list_has_no_more_is_not_warned_of(
    tmp_path: Path,
) -> None:
    text = ladder("professional-xs", "professional-s")
    assert listed(tmp_path, text, {"app_platform": KEPT["app_platform"]}) == []


def test_a_ladder_of_app_platform_that_falls_in_price_is_warned_of_and_no_error(
    tmp_path: Path,
) -> None:
    (warned,) = listed(tmp_path, ladder("professional-s", "apps-s-1vcpu-1gb"), {})
    assert warned == (
        "target api: sizes should rise in price: apps-s-1vcpu-1gb ($12 a month) comes after "
        "professional-s ($25), as documented."
    )


def test_what_only_the_vendors_own_prices_show_is_never_an_error(tmp_path: Path) -> None:
    text = with_target(f"{{{APP}}}")
    assert listed(tmp_path, text, {}) == []
    (warned,) = listed(tmp_path, text, {"droplet": KEPT["droplet"]})
    assert warned == (
        "target vm: sizes should rise in price: s-1vcpu-2gb ($12 a month) comes after "
        "s-1vcpu-1gb ($14), by DigitalOcean's list of 2026-11-18."
    )


def test_strict_makes_each_warning_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(QUIET.replace("alertname=CPU", "alertnme=CPU"))
    assert len(load_rulebook([path], ENV).warnings) == 1
    with pytest.raises(RuleBookInvalid, match="did you mean alertname"):
        load_rulebook([path], ENV, strict=True)


def test_a_warning_is_told_beside_the_errors_that_it_may_have_caused(tmp_path: Path) -> None:
    text = QUIET.replace("alertname=CPU", "alertnme=CPU").replace("10m", "soon")
    with pytest.raises(RuleBookInvalid) as raised:
        load(tmp_path, text)
    assert [
        str(each).partition(" rule")[0].rpartition("/")[2] for each in raised.value.warnings
    ] == ["1.yml:4: warning:"]
    assert len(raised.value.errors) == 1
    assert str(raised.value).count("\n") == 1


def test_a_rule_that_names_no_target_of_the_file_is_the_cause_and_told_alone(
    tmp_path: Path,
) -> None:
    with pytest.raises(RuleBookInvalid) as raised:
        load(tmp_path, QUIET.replace("target: api", "target: apj"))
    (error,) = raised.value.errors
    assert error.sentence.endswith("unknown target 'apj'; did you mean api?")
