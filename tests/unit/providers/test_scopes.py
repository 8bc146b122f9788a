"""One table says what each call needs of a token: errors, doctor and documents follow it."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.providers.errors import Call, from_status
from service.providers.scopes import NEEDED, SNAPSHOT, Needed, only_writing_tells

PAGE = (Path(__file__).parents[3] / "docs" / "vendors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("needed", NEEDED, ids=lambda each: each.what)
def test_the_page_names_what_each_call_needs(needed: Needed) -> None:
    scopes = ", ".join(f"`{scope}`" for scope in needed.scopes)
    assert f"| {needed.what} | {scopes} |" in PAGE


def test_a_403_names_the_scopes_that_the_call_needs_beside_the_vendors_words() -> None:
    call = Call("digitalocean", "snapshot droplet 101", False, "DIGITALOCEAN_TOKEN", "x", SNAPSHOT)
    error = from_status(call, 403, "You are not authorized to perform this operation", None)
    assert str(error) == (
        'DigitalOcean answered 403 to the request to snapshot droplet 101: "You are not authorized '
        'to perform this operation". To take a snapshot, the token in the setting '
        "DIGITALOCEAN_TOKEN needs the scope droplet:update and image:create."
    )


SCOPED = sorted({each.kind for each in NEEDED if each.kind})
"""The kinds whose vendor gives tokens scopes."""


@pytest.mark.parametrize("kind", SCOPED)
def test_doctor_says_of_each_kind_what_only_a_write_would_show(kind: str) -> None:
    said = only_writing_tells(kind)
    assert said.startswith("Not tried, because only a write shows it: ")
    assert all(
        scope in said
        for each in NEEDED
        if each.kind == kind and not each.reads
        for scope in each.scopes
    )
