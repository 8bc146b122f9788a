"""Small texts that outlive a process, such as a vendor's price list."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.ports.notes import Notes
from service.store.facts import FactStore
from tests.fakes.notes import FakeNotes

LONG = '{"sizes": "' + "é" * 100_000 + '"}'


@pytest.fixture(params=["fake", "sql"])
def notes(request: pytest.FixtureRequest, engine: sa.Engine) -> Notes:
    return FakeNotes() if request.param == "fake" else FactStore(engine)


def test_what_was_never_put_is_empty(notes: Notes) -> None:
    assert notes.get("prices.vendor") == ""


def test_a_text_is_kept_whole_and_the_newest_takes_the_place_of_the_one_before(
    notes: Notes,
) -> None:
    notes.put("prices.vendor", LONG)
    notes.put("prices.other", "other")
    assert notes.get("prices.vendor") == LONG
    notes.put("prices.vendor", "newer")
    assert (notes.get("prices.vendor"), notes.get("prices.other")) == ("newer", "other")
