"""The vendors' price lists, as runs have kept them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.database import DATABASE_FORM, open_database, usable
from service.catalogue.prices import Kept, load_kept
from service.catalogue.registry import KINDS
from service.domain.errors import StoreUnavailable
from service.settings import Settings, SettingsInvalid
from service.store.facts import FactStore


def kept_prices(settings: Settings) -> dict[str, Kept]:
    """The lists by kind; none where there is no database yet, or it cannot be used now.

    Whoever asks has the documented prices beside them, and can do without.
    """
    try:
        found = _read(settings.effective_database_url)
    except (StoreUnavailable, SettingsInvalid, OSError):
        return {}
    return {name: kept for name, kept in found.items() if kept is not None}


def _read(url: str) -> dict[str, Kept | None]:
    with usable("DATABASE_URL", DATABASE_FORM):
        parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        return {}
    engine = open_database(url)
    try:
        notes = FactStore(engine)
        return {kind.name: load_kept(notes.get(kind.prices.note)) for kind in KINDS}
    finally:
        engine.dispose()
