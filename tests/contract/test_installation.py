from __future__ import annotations

import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.settings import load_settings
from service.store.database import open_engine
from service.store.facts import FactStore
from tests.contract.admission import SqlDesk, all_at_once
from tests.databases import Databases


def test_all_processes_of_an_installation_have_one_id_whoever_makes_it(engine: sa.Engine) -> None:
    made = all_at_once([FactStore(engine).installation_id for _ in range(8)])
    assert len(set(made)) == 1
    assert SqlDesk(engine).rows("SELECT value FROM facts WHERE name = 'installation'") == [
        (made[0],)
    ]


def test_an_installation_keeps_its_id(database_url: str, engine: sa.Engine) -> None:
    first = FactStore(engine).installation_id()
    assert Stores(load_settings({"DATABASE_URL": database_url})).installation == first


def test_two_installations_have_different_ids(databases: Databases) -> None:
    engines = [open_engine(databases.fresh()) for _ in range(2)]
    ids = {FactStore(engine).installation_id() for engine in engines}
    for engine in engines:
        engine.dispose()
    assert len(ids) == 2


def test_a_copy_whose_row_was_deleted_makes_an_id_of_its_own(engine: sa.Engine) -> None:
    first = FactStore(engine).installation_id()
    SqlDesk(engine).execute("DELETE FROM facts WHERE name = 'installation'")
    assert FactStore(engine).installation_id() != first
