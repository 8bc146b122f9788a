"""Old rows of a real PostgreSQL go into files of a real store (moto): each once, whoever dies."""

# ruff: noqa: S608, F401, F811 - the statements are made of names of this file, and app is a fixture
from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import psycopg
import pytest
from moto.server import ThreadedMotoServer

from service.catalogue.app_database.archive_files import packed
from service.catalogue.registry import checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.app_database import OldRows
from service.ports.bucket import Contents, Listed, Place, Stored
from service.providers.postgresql import PostgresDatabase
from service.providers.spaces import SpacesBuckets
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import LONG_S, AppDatabaseOfTests, FastClock
from tests.contract.archiving_files import LIST, files, into_files
from tests.contract.test_archive_rows import (
    NEW,
    OLD,
    TABLE,
    app,
    ids,
    rows_cross_the_boundary,
)
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.processes import ROOT, wait_until

KEYS = {"key": "fake-key", "secret": "fake-secret"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a store on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def place(store: str, request: pytest.FixtureRequest) -> Place:
    """A bucket of the test's own."""
    made = Place(store, "us-east-1", f"quiz-{abs(hash(request.node.name))}")
    SpacesBuckets(**KEYS)._made(made).create_bucket(Bucket=made.bucket)
    return made


def asked(place: Place, **changes: Any) -> Request:
    given = {
        "table": TABLE,
        "column": "created_at",
        "batch": 40,
        "over": None,
        "to": "bucket",
        "bucket": place.bucket,
        "region": place.region,
        "endpoint": place.endpoint,
    }
    options = checked_options("archive_rows", {**given, **changes})
    return request_for("archive_rows", APP_DATABASE, options=options)


@dataclass(slots=True)
class Between:
    """The store, where something happens right after a file was put. `spoils` is what becomes of
    what is read back."""

    buckets: SpacesBuckets
    after_put: Callable[[], object] = lambda: None
    spoils: Callable[[bytes], bytes] = lambda body: body
    puts: list[str] = field(default_factory=list)

    def look(self, place: Place, key: str, most: int, version: str = "") -> Stored | None:
        found = self.buckets.look(place, key, most, version)
        if found is None or found.contents is None:
            return found
        return replace(found, contents=Contents(self.spoils(found.contents.body)))

    def listed(self, place: Place, prefix: str, most: int) -> tuple[Listed, ...]:
        return self.buckets.listed(place, prefix, most)

    def put(self, place: Place, key: str, contents: Contents, etag: str, *, public: bool) -> bool:
        done = self.buckets.put(place, key, contents, etag, public=public)
        self.puts.append(key)
        self.after_put()
        return done


def run_on(app: AppDatabaseOfTests, place: Place, buckets: Any = None, **changes: Any) -> FakeRun:
    clock, database = FastClock(), PostgresDatabase(url=app.url())
    works = works_on(
        clock,
        app_database=database,
        buckets=buckets or SpacesBuckets(**KEYS),
        timings=TIMINGS,
    )
    return planned(works, asked(place, **changes), clock)


def filed(app: AppDatabaseOfTests, place: Place) -> list[bytes]:
    """The rows of all files that are listed, as often as they are listed."""
    sdk = SpacesBuckets(**KEYS)._made(place)
    found: list[bytes] = []
    for (key,) in app.admin(f"SELECT key FROM {LIST}"):
        body = sdk.get_object(Bucket=place.bucket, Key=key)["Body"].read()
        found += gzip.decompress(body).splitlines()
    return found


def filed_ids(app: AppDatabaseOfTests, place: Place) -> list[int]:
    return sorted(int(line.split(b"\t")[0]) for line in filed(app, place))


def test_old_rows_are_in_files_that_are_listed_and_new_ones_stay(
    app: AppDatabaseOfTests, place: Place
) -> None:
    run = run_on(app, place)
    assert run.plan.after == f"in bucket {place.bucket}"
    assert f"public.{LIST} lists the files" in run.plan.downtime
    records = run.execute()
    assert records["move_rows"] == {"rows": OLD, "batches": 8}
    assert filed_ids(app, place) == list(range(1, OLD + 1))
    assert ids(app, TABLE) == list(range(OLD + 1, OLD + NEW + 1))
    assert app.admin(f"SELECT sum(rows), count(*) FROM {LIST}") == [(OLD, 8)]


def test_what_is_restored_from_the_files_is_what_was_there_whatever_it_holds(
    app: AppDatabaseOfTests, place: Place
) -> None:
    app.admin(f"ALTER TABLE {TABLE} ADD more jsonb, ADD raw bytea, ADD list text[], ADD n numeric")
    app.admin(
        f"UPDATE {TABLE} SET what = E'a\\tb\\nc\\\\d', more = 'null', raw = '\\x00ff', "
        "list = ARRAY['x,y', NULL, ''], n = 'NaN' WHERE id % 2 = 0"
    )
    app.admin(f"UPDATE {TABLE} SET what = NULL WHERE id % 3 = 0")
    app.admin(f"CREATE TABLE before AS SELECT * FROM {TABLE}")
    run_on(app, place).execute()
    ((columns,),) = app.admin(f"SELECT DISTINCT columns FROM {LIST}")
    text = b"".join(line + b"\n" for line in filed(app, place))
    with (
        psycopg.connect(app.admin_url, autocommit=True) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {TABLE} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        copy.write(text)
    for one, other in ((TABLE, "before"), ("before", TABLE)):
        assert app.admin(f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}") == []


@pytest.mark.spread("done:move_rows", "recorded:move_rows")
@pytest.mark.parametrize("boundary", boundaries("make_archive", "move_rows"))
def test_a_run_that_dies_anywhere_while_rows_cross_the_boundary_loses_and_doubles_none(
    app: AppDatabaseOfTests, place: Place, databases: Databases, boundary: str
) -> None:
    request = replace(asked(place), origin=Origin(PERSON, "olga", "the disk"))
    with rows_cross_the_boundary(app) as added:
        ended = dies_and_goes_on(
            databases, request, boundary, app.url(), buckets=SpacesBuckets(**KEYS)
        )
    assert ended.run is not None
    assert ended.run.status == "succeeded"
    everything = sorted([*ids(app, TABLE), *filed_ids(app, place)])
    assert everything == sorted([*range(1, OLD + NEW + 1), *added])


def has_filed(app: AppDatabaseOfTests, rows: int) -> bool:
    return bool(app.admin(f"SELECT 1 FROM {LIST} HAVING sum(rows) >= {rows}"))


@pytest.mark.long
def test_a_process_that_is_killed_again_and_again_in_its_batches_loses_and_doubles_none(
    app: AppDatabaseOfTests, place: Place
) -> None:
    PostgresDatabase(url=app.url()).make_list("public", LIST)
    ((cutoff,),) = app.admin("SELECT (now() - interval '90 days')::text")
    given = [app.url(), place.endpoint, place.bucket, cutoff]
    with rows_cross_the_boundary(app) as added:
        for kill in range(1, 4):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.archiving_files", *given], cwd=ROOT
            )
            try:
                assert wait_until(partial(has_filed, app, kill * 50), LONG_S)
            finally:
                process.kill()
                process.wait(LONG_S)
    ours = files(app.url(), place.endpoint, place.bucket)
    while ours.move(into_files(cutoff)):
        pass
    everything = sorted([*ids(app, TABLE), *filed_ids(app, place)])
    assert everything == sorted([*range(1, OLD + NEW + 1), *added])


def test_a_row_that_changes_while_its_file_is_written_is_not_deleted_as_it_was(
    app: AppDatabaseOfTests, place: Place
) -> None:
    changes = iter([f"UPDATE {TABLE} SET what = 'changed' WHERE id = 5"])
    buckets = Between(SpacesBuckets(**KEYS), lambda: [app.admin(one) for one in changes])
    run_on(app, place, buckets).execute()
    assert filed_ids(app, place) == list(range(1, OLD + 1))
    (line,) = [line for line in filed(app, place) if line.startswith(b"5\t")]
    assert line.endswith(b"\tchanged")


@pytest.mark.parametrize(
    "spoils", [lambda body: body[:-1], lambda _: gzip.compress(b""), lambda _: b"x"]
)
def test_a_file_that_is_not_whole_when_it_is_read_back_deletes_nothing(
    app: AppDatabaseOfTests, place: Place, spoils: Callable[[bytes], bytes]
) -> None:
    run = run_on(app, place, Between(SpacesBuckets(**KEYS), spoils=spoils))
    with pytest.raises(StepFailed, match=r"does not hold the 40 rows when it is read back"):
        run.execute()
    assert len(ids(app, TABLE)) == OLD + NEW
    assert app.admin(f"SELECT * FROM {LIST}") == []


def test_a_file_whose_rows_were_not_deleted_before_a_crash_is_not_put_twice(
    app: AppDatabaseOfTests, place: Place
) -> None:
    ((cutoff,),) = app.admin("SELECT (now() - interval '90 days')::text")
    database = PostgresDatabase(url=app.url())
    database.make_list("public", LIST)
    batch = into_files(cutoff)
    contents, entry = packed(batch, database.old_rows(batch), "archive/")
    assert SpacesBuckets(**KEYS).put(place, entry.key, contents, "", public=False)
    ours = files(app.url(), place.endpoint, place.bucket)
    while ours.move(batch):
        pass
    sdk = SpacesBuckets(**KEYS)._made(place)
    there = sdk.list_objects_v2(Bucket=place.bucket)["Contents"]
    assert len(there) == len(app.admin(f"SELECT * FROM {LIST}"))
    assert filed_ids(app, place) == list(range(1, OLD + 1))


def test_rows_that_are_alike_are_kept_as_often_as_they_were_there(
    app: AppDatabaseOfTests, place: Place
) -> None:
    app.admin(f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_pkey")
    same = f"INSERT INTO {TABLE} VALUES (7, '2020-01-01', 'same')"
    for _ in range(2):
        app.admin(same)
        app.admin(same)
        run_on(app, place, batch=2, older_than="1000d").execute()
    assert filed_ids(app, place) == [7] * 4


def test_a_bucket_that_is_not_there_holds_the_action_before_anything_is_made(
    app: AppDatabaseOfTests, place: Place
) -> None:
    database = PostgresDatabase(url=app.url())
    works = works_on(FastClock(), app_database=database, buckets=SpacesBuckets(**KEYS))
    with pytest.raises(VendorError) as refused:
        works.plan(asked(replace(place, bucket="no-such-bucket")))
    assert refused.value.kind is FailureKind.PERMANENT
    assert app.admin(f"SELECT to_regclass('{LIST}')") == [(None,)]


def test_a_table_that_is_no_list_of_files_is_held(app: AppDatabaseOfTests, place: Place) -> None:
    app.admin(f"CREATE TABLE {LIST} (key text, rows bigint)")
    works = works_on(
        FastClock(),
        app_database=PostgresDatabase(url=app.url()),
        buckets=SpacesBuckets(**KEYS),
    )
    held = works.plan(asked(place))
    assert isinstance(held, PlanHeld)
    assert (held.guard, "is no list of files" in held.reason) == ("other_columns", True)


def test_below_five_gigabytes_nothing_goes_into_a_file(
    app: AppDatabaseOfTests, place: Place
) -> None:
    works = works_on(
        FastClock(),
        app_database=PostgresDatabase(url=app.url()),
        buckets=SpacesBuckets(**KEYS),
    )
    held = works.plan(asked(place, over="5GB"))
    assert isinstance(held, PlanHeld)
    assert held.guard == "small_enough"
    assert isinstance(works.plan(asked(place)), Plan)


def test_rows_that_are_too_large_for_a_file_are_left() -> None:
    rows = OldRows(("(0,1)",), (b"x" * (64 * 1024 * 1024),))
    with pytest.raises(StepFailed, match="Give a smaller batch"):
        packed(into_files("2026-01-01"), rows, "archive/")
