"""Credentials are read from lists of secrets: names, and what each of them accepts."""

from __future__ import annotations

import pytest

from service.domain.credentials import one_secret_of_two, read_pairs, read_tokens

LONG = "0123456789abcdef"


def test_a_token_with_a_name_is_accepted_with_it_and_without_it() -> None:
    (credential,) = read_tokens(["prod:s3cret"], "alertmanager")
    assert (credential.name, credential.secrets) == ("prod", ("prod:s3cret", "s3cret"))
    assert credential.both_ways


def test_the_first_colon_ends_the_name() -> None:
    (credential,) = read_tokens(["prod:a:b"], "alertmanager")
    assert (credential.name, credential.secrets) == ("prod", ("prod:a:b", "a:b"))


def test_a_token_alone_is_named_by_its_place_and_shows_nothing_of_itself() -> None:
    read = read_tokens(["one-secret", "prod:x", "another"], "grafana")
    assert [each.name for each in read] == ["grafana-1", "prod", "grafana-3"]
    assert "secret" not in repr(read)


def test_the_name_of_a_place_is_not_given_twice() -> None:
    read = read_tokens(["one", "grafana-1:two"], "grafana", taken=["grafana-2"])
    assert [each.name for each in read] == ["grafana-3", "grafana-1"]


def test_two_secrets_of_one_name_are_one_credential_that_is_being_replaced() -> None:
    read = read_tokens(["prod:old", "prod:new"], "alertmanager")
    assert {each.name for each in read} == {"prod"}


@pytest.mark.parametrize("entry", ["a b:c", ":secret", "-x:secret", f"{'n' * 64}:x", "name:"])
def test_what_cannot_be_a_name_is_part_of_the_secret(entry: str) -> None:
    (credential,) = read_tokens([entry], "alertmanager")
    assert (credential.name, credential.secrets) == ("alertmanager-1", (entry,))
    assert not credential.both_ways


def test_a_long_secret_with_a_colon_near_its_end_does_not_become_a_short_one() -> None:
    (credential,) = read_tokens([f"{LONG}:abc"], "alertmanager", shortest=16)
    assert credential.secrets == (f"{LONG}:abc",)
    assert (credential.name, credential.as_a_whole) == ("alertmanager-1", True)


def test_a_long_secret_after_a_name_counts_by_itself() -> None:
    (credential,) = read_tokens([f"prod:{LONG}"], "alertmanager", shortest=16)
    assert credential.secrets == (f"prod:{LONG}", LONG)
    assert not credential.as_a_whole


def test_the_user_of_a_pair_is_its_name() -> None:
    (credential,) = read_pairs(["am user:pass:word"])
    assert (credential.name, credential.secrets) == ("am user", ("am user:pass:word",))


def test_a_secret_that_two_names_share_is_found() -> None:
    read = read_tokens(["prod:same", "dev:same", "x:other"], "alertmanager")
    assert list(one_secret_of_two(read)) == [("prod", "dev")]
