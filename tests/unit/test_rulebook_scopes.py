"""Scopes in rule files: which rules a credential may earn, checked whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.rules.scopes import EVERYTHING, NOTHING, Scope
from tests.unit.rulebook_files import GOOD, load, told


def with_scopes(text: str) -> str:
    """The good file, and scopes from line 9 on."""
    return f"{GOOD}scopes:\n{text}"


def test_scopes_are_read_by_credential(tmp_path: Path) -> None:
    text = "  prod: {rules: all, may_resolve: true}\n  dev: {rules: [cpu], may_resolve: false}\n"
    scopes = load(tmp_path, with_scopes(text)).scopes
    assert scopes.of("prod") == EVERYTHING
    assert scopes.of("dev") == Scope(frozenset({"cpu"}), may_resolve=False)


def test_a_scope_that_says_nothing_of_resolves_may_resolve_what_it_may_earn(tmp_path: Path) -> None:
    scopes = load(tmp_path, with_scopes("  dev: {rules: [cpu]}\n")).scopes
    assert scopes.of("dev").may_resolve


def test_a_credential_that_is_not_named_may_earn_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, with_scopes("  prod: {rules: all}\n")).scopes.of("other") == NOTHING


def test_the_default_is_for_every_credential_that_is_not_named(tmp_path: Path) -> None:
    scopes = load(tmp_path, with_scopes("  default: {rules: all}\n  dev: {rules: []}\n")).scopes
    assert scopes.of("other") == EVERYTHING
    assert scopes.of("dev").earns_nothing


def test_without_scopes_every_credential_may_earn_everything(tmp_path: Path) -> None:
    scopes = load(tmp_path, GOOD).scopes
    assert not scopes.stated
    assert scopes.of("whoever") == EVERYTHING


def test_where_no_credential_was_asked_for_no_scope_holds(tmp_path: Path) -> None:
    assert load(tmp_path, with_scopes("  dev: {rules: []}\n")).scopes.of("") == EVERYTHING


def test_the_built_in_rules_may_be_named(tmp_path: Path) -> None:
    scopes = load(tmp_path, with_scopes("  dev: {rules: [unmatched, no-data]}\n")).scopes
    assert scopes.of("dev") == Scope(frozenset({"unmatched", "no-data"}))


def test_scopes_of_several_files_are_one(tmp_path: Path) -> None:
    more = "scopes:\n  dev: {rules: [memory]}\n"
    scopes = load(tmp_path, with_scopes("  prod: {rules: all}\n"), more).scopes
    assert (scopes.of("prod"), scopes.of("dev")) == (EVERYTHING, Scope(frozenset({"memory"})))


def test_the_hash_changes_with_the_scopes_and_not_without_them(tmp_path: Path) -> None:
    plain = load(tmp_path, GOOD).hash
    one = load(tmp_path, with_scopes("  dev: {rules: [cpu]}\n")).hash
    other = load(tmp_path, with_scopes("  dev: {rules: [cpu], may_resolve: false}\n")).hash
    assert len({plain, one, other}) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "  dev: {rules: [cpo]}\n",
            "10: scope dev: rules names unknown rule 'cpo'; did you mean cpu?",
        ),
        ("  dev: {rules: al}\n", "10: scope dev: rules cannot be 'al': write all, or a list of"),
        ("  dev: {rules: [1]}\n", "10: scope dev: rules cannot be [1]: write all, or a list of"),
        ("  dev: {may_resolve: true}\n", "10: scope dev: rules is missing: write all, or a list"),
        (
            "  dev: {rules: all, may_resolv: true}\n",
            "10: scope dev: unknown key may_resolv; did you mean may_resolve?",
        ),
        (
            "  dev: {rules: all, may_resolve: yes}\n",
            "10: scope dev: may_resolve must be true or false, not 'yes'.",
        ),
        ("  dev: all\n", "10: scope dev: a scope is a mapping, such as {rules: all, may_resolve:"),
        ("  []\n", "9: scopes must be a mapping of credentials to what each may do."),
        ("\n", "9: scopes must be a mapping of credentials to what each may do."),
    ],
)
def test_what_is_wrong_with_a_scope_is_one_sentence_at_its_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (error,) = told(tmp_path, with_scopes(text))
    assert error.startswith(f"1.yml:{sentence}")


def test_one_credential_has_one_scope_in_all_files(tmp_path: Path) -> None:
    again = "scopes:\n  dev: {rules: all}\n"
    (error,) = told(tmp_path, with_scopes("  dev: {rules: [cpu]}\n"), again)
    assert error == "2.yml:2: scope dev: the same credential has a scope at 1.yml:10."
