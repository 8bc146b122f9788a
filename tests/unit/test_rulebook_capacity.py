"""The options of `set_capacity`, as `runbookd check` reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rulebook_files import RULES, TARGETS, load, told

LADDER = TARGETS.replace("max: 10}}", "max: 10}, sizes: [professional-xs, professional-m]}", 1)


def rule(options: str, target: str = "api") -> str:
    return (
        LADDER
        + RULES
        + "  - name: viral\n"
        + "    match: [alertname=Viral]\n"
        + "    action: set_capacity\n"
        + f"    target: {target}\n"
        + f"    with: {options}\n"
        + "    cooldown: 10m\n"
    )


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("{replicas: 10}", {"replicas": 10, "size": None, "exact": False}),
        (
            "{replicas: 10, size: professional-m}",
            {"replicas": 10, "size": "professional-m", "exact": False},
        ),
        (
            "{size: professional-xs, exact: true}",
            {"replicas": None, "size": "professional-xs", "exact": True},
        ),
    ],
)
def test_a_rule_names_a_count_a_size_or_both(
    tmp_path: Path, options: str, kept: dict[str, object]
) -> None:
    assert load(tmp_path, rule(options)).rules[-1].options == kept


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{}", "13: rule viral: with: set_capacity needs replicas, size or both, such as"),
        ("{exact: true}", "13: rule viral: with: set_capacity needs replicas, size or both"),
        (
            "{replicas: 11}",
            (
                "13: rule viral: with: set_capacity wants replicas: 11, and alerts keep api "
                "between 2 and 10. Ask for"
            ),
        ),
        ("{replicas: 1, exact: true}", "13: rule viral: with: set_capacity wants replicas: 1,"),
        (
            "{size: professional-l}",
            (
                "13: rule viral: with: set_capacity wants size professional-l, which is not on the "
                "ladder of api: professional-xs → professional-m."
            ),
        ),
        ("{replicas: ten}", "13: rule viral: with: replicas must be a whole number"),
        ("{replicas: 251}", "13: rule viral: with: replicas must be at most 250, not 251."),
        ("{replica: 5}", "13: rule viral: with: unknown key replica; did you mean replicas?"),
        ("{size: ''}", "13: rule viral: with: size is empty."),
        ("{replicas: 5, exact: 1}", "13: rule viral: with: exact must be true or false"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, options: str, said: str
) -> None:
    assert any(f"1.yml:{said}" in each for each in told(tmp_path, rule(options)))


def test_only_an_app_takes_it(tmp_path: Path) -> None:
    said = "set_capacity cannot change target vm of kind droplet; it needs one of kind app_platform"
    assert any(said in each for each in told(tmp_path, rule("{replicas: 2}", "vm")))
