"""What `runbookd check` says of the application's database: each sentence with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.catalogue.app_database.target import AppDatabaseTarget
from service.rulebook.pack import packaged
from tests.unit.rulebook_files import PACK, load, told

TARGET = "  app: {kind: app_database, roles: [quiz_app]}\n"
RULE = """\
rules:
  - name: slow
    match: [alertname=Slow]
    action: kill_queries
    target: app
    cooldown: 10m
"""


def file(options: str = "", target: str = TARGET) -> str:
    """A rule file whose options stand on line 9."""
    given = f"    with: {options}\n" if options else ""
    return f"targets:\n{target}{RULE}{given}"


def test_a_rule_without_options_ends_what_runs_for_half_a_minute(tmp_path: Path) -> None:
    book = load(tmp_path, file())
    assert book.rules[0].options == {"older_than": "30s", "idle_older_than": "5m", "most": 20}
    assert book.targets["app"] == AppDatabaseTarget("app", ("quiz_app",))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{older_than: 1s}", "older_than must be a duration of 5s to 1d, such as 30s, not '1s'."),
        ("{older_than: 2d}", "older_than must be a duration of 5s to 1d, such as 30s, not '2d'."),
        ("{older_than: 30}", "older_than must be a duration of 5s to 1d, such as 30s, not 30."),
        ("{older_than: null}", "older_than must be a duration of 5s to 1d, such as 30s, not"),
        (
            '{older_than: "30 s\'; DROP TABLE a"}',
            "older_than must be a duration of 5s to 1d, such as 30s, not",
        ),
        ("{idle_older_than: soon}", "idle_older_than must be a duration of 5s to 1d, such as 30s"),
        ("{most: 0}", "most must be at least 1, not 0."),
        ("{most: 51}", "most must be at most 50, not 51."),
        ("{most: all}", "most must be a whole number"),
        ("{sql: SELECT 1}", "unknown key sql"),
        ("{roles: [postgres]}", "unknown key roles"),
    ],
)
def test_an_option_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, options: str, sentence: str
) -> None:
    (error,) = told(tmp_path, file(options))
    assert error.startswith("1.yml:9: rule slow: with: ")
    assert sentence in error


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("{kind: app_database}", "roles is missing: the roles that the application logs in as"),
        ("{kind: app_database, roles: []}", "roles must be a list of 1 to 50 names of roles"),
        ("{kind: app_database, roles: quiz_app}", "roles must be a list of 1 to 50 names"),
        (
            '{kind: app_database, roles: ["a\\nb"]}',
            "roles[1] must be a name of 1 to 63 bytes without line breaks",
        ),
        ("{kind: app_database, roles: [a], url: b}", "unknown key url"),
        ("{kind: app_database, roles: [a], console: psql}", "console must be an address that"),
    ],
)
def test_a_target_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, target: str, sentence: str
) -> None:
    (error,) = told(tmp_path, file(target=f"  app: {target}\n"))
    assert error.startswith("1.yml:2: target app: ")
    assert sentence in error


HOSTILE = [
    "questions; DROP TABLE questions",
    "questions--",
    "questions/*",
    "questions*/",
    'questions"',
    "questions'",
    "questions\\",
    "questions $$",
    "questions)",
    "(SELECT 1)",
    "pg_sleep(10)",
    "questions topic",
    "questions,topic",
    "ques\ttions",
    "ques\ntions",
    "questions\x00",
    "quеstions",
    "questions::text",
    "1questions",
    "",
    "a.b.c",
    "a" * 64,
]


def optimize(options: str) -> str:
    return file(options).replace("kill_queries", "optimize_database")


def quoted(text: str) -> str:
    """A text as YAML, on one line."""
    return json.dumps(text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "form",
    [
        "{{vacuum: {{table: {0}}}}}",
        "{{reindex: {{table: questions, index: {0}}}}}",
        "{{partition: {{table: {0}, column: a, by: day, ahead: 1}}}}",
        "{{partition: {{table: questions, column: {0}, by: day, ahead: 1}}}}",
        "{{partition: {{table: questions, column: a, by: {0}, ahead: 1}}}}",
        "{{index: {{table: {0}, columns: [a]}}}}",
        "{{index: {{table: questions, columns: [a, {0}]}}}}",
        "{{index: {{table: questions, columns: [a], name: {0}}}}}",
        "{{explain: {{table: questions, where: [{{column: {0}, value: 1}}]}}}}",
        "{{explain: {{table: questions, where: [{{column: a, op: {0}, value: 1}}]}}}}",
    ],
)
def test_a_hostile_text_is_refused_where_it_stands(tmp_path: Path, form: str, text: str) -> None:
    (error,) = told(tmp_path, optimize(form.format(quoted(text))))
    assert error.startswith("1.yml:9: rule slow: with: ")
    assert " must be " in error or " is empty" in error


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_is_a_value_whatever_it_holds(tmp_path: Path, text: str) -> None:
    form = f"{{explain: {{table: questions, where: [{{column: a, value: {quoted(text)}}}]}}}}"
    book = load(tmp_path, optimize(form))
    assert book.rules[0].options["explain"]["where"] == [{"column": "a", "op": "=", "value": text}]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("", "needs exactly one of index, reindex, vacuum, explain, partition, not none."),
        ("{vacuum: {table: a}, explain: {table: a}}", "not vacuum and explain."),
        ("{sql: VACUUM}", "unknown key sql"),
        ("{vacuum: {table: a, full: true}}", "unknown key vacuum.full"),
        ("{vacuum: VACUUM FULL}", "vacuum must be a mapping, not 'VACUUM FULL'."),
        ("{vacuum: {}}", "vacuum.table is missing."),
        ("{index: {table: a, columns: []}}", "index.columns must be"),
        ("{partition: {table: a, column: b, by: day}}", "partition.ahead is missing."),
        (
            "{partition: {table: a, column: b, by: hour, ahead: 1}}",
            "partition.by must be 'day', 'week', 'month' or 'year', not 'hour'.",
        ),
        (
            "{partition: {table: a, column: b, by: day, ahead: 101}}",
            "partition.ahead must be at most 100, not 101.",
        ),
        (
            "{partition: {table: a, column: b, by: day, ahead: 1, keep: 0}}",
            "partition.keep must be at least 1, not 0.",
        ),
        (
            f"{{partition: {{table: {'a' * 53}, column: b, by: day, ahead: 1}}}}",
            "partition.table must be a name of at most 52 characters",
        ),
        (
            "{partition: {table: a, column: b, by: day, ahead: 1, drop: true}}",
            "unknown key partition.drop",
        ),
        ("{explain: {table: a, query: SELECT 1}}", "unknown key explain.query"),
        ("{explain: {table: a, where: a = 1}}", "explain.where must be a list, not 'a = 1'."),
        (
            "{explain: {table: a, where: [{column: b}]}}",
            "explain.where[1] with op '=' needs a value, not",
        ),
        (
            "{explain: {table: a, where: [{column: b, op: is null, value: 1}]}}",
            "explain.where[1] with op 'is null' takes no value, not",
        ),
    ],
)
def test_an_operation_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, options: str, sentence: str
) -> None:
    (error,) = told(tmp_path, optimize(options))
    assert sentence in error
    assert error.startswith(("1.yml:9: rule slow: with: ", "1.yml:4: rule slow: with: "))


FLAGS = (
    "  app: {kind: app_database, roles: [quiz_app], "
    "flags: {table: feature_flags, names: [ai_recommendations, search]}}\n"
)


def set_flags(options: str, target: str = FLAGS) -> str:
    return file(options, target).replace("kill_queries", "set_flags")


def test_a_target_names_the_table_of_flags_and_each_flag_that_may_be_set(tmp_path: Path) -> None:
    book = load(tmp_path, set_flags("{disable: [search]}"))
    assert book.rules[0].options == {"enable": [], "disable": ["search"]}
    assert book.targets["app"] == AppDatabaseTarget(
        "app",
        ("quiz_app",),
        flag_table="feature_flags",
        flag_key="key",
        flag_value="enabled",
        flag_names=("ai_recommendations", "search"),
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("", "set_flags needs enable, disable or both, such as {disable: [ai_recommendations]}."),
        ("{enable: [search], disable: [search]}", "cannot both enable and disable search."),
        ("{disable: [serch]}", "target app names no flag 'serch'; it names search."),
        ("{disable: search}", "disable must be a list, not 'search'."),
        ("{off: [search]}", "unknown key"),
        ("{disable: [search], table: users}", "unknown key table"),
    ],
)
def test_flags_that_cannot_be_set_are_refused_where_they_stand(
    tmp_path: Path, options: str, sentence: str
) -> None:
    (error,) = told(tmp_path, set_flags(options))
    assert sentence in error
    assert error.startswith(("1.yml:9: rule slow: with: ", "1.yml:4: rule slow: with: "))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("{names: [a]}", "flags.table is missing: the table that holds the application's feature"),
        ("{table: a}", "flags.names is missing: each flag that may be set"),
        ("{table: a; b, names: [a]}", "flags.table must be a plain name"),
        ("{table: a, key: 'a\"b', names: [a]}", "flags.key must be a plain name"),
        ("{table: a, names: []}", "flags.names must be a list of 1 to 50 names of flags"),
        ("{table: a, names: [a], where: true}", "unknown key flags.where"),
    ],
)
def test_a_table_of_flags_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, flags: str, sentence: str
) -> None:
    target = f"  app: {{kind: app_database, roles: [quiz_app], flags: {flags}}}\n"
    (error,) = told(tmp_path, file(target=target))
    assert error.startswith("1.yml:2: target app: ")
    assert sentence in error


def test_a_target_without_flags_sets_none(tmp_path: Path) -> None:
    (error,) = told(tmp_path, set_flags("{disable: [search]}", TARGET))
    assert "target app names no flags; give it flags: {table: feature_flags, names: […]}" in error


def test_the_shipped_file_is_valid_beside_the_pack_and_an_installation_carries_it(
    tmp_path: Path,
) -> None:
    files = [PACK.read_text(), (PACK.parent / "database.yml").read_text()]
    book = load(tmp_path, *files)
    assert {"kill_queries", "set_flags"} <= {rule.action for rule in book.rules}
    assert packaged("database.yml").read_text() == files[1]


def set_database(options: str, keys: str = "memory: 16GB, restart: allowed") -> str:
    target = f"  app: {{kind: app_database, roles: [quiz_app], {keys}}}\n"
    return file(options, target).replace("kill_queries", "set_database")


def test_the_runbooks_settings_are_taken_for_a_server_that_has_the_memory(tmp_path: Path) -> None:
    options = (
        "{max_connections: 200, shared_buffers: 4GB, effective_cache_size: 12GB, work_mem: 16MB}"
    )
    book = load(tmp_path, set_database(options))
    assert not book.warnings
    assert book.rules[0].options["shared_buffers"] == "4GB"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("", "set_database needs one or more of work_mem, maintenance_work_mem"),
        ("{work_mem: 16}", "work_mem must be a size with its unit, such as 16MB or 4GB, not 16."),
        ("{work_mem: 16M}", "work_mem must be a size with its unit"),
        ("{work_mem: 0MB}", "work_mem must be a size with its unit"),
        ("{work_mem: 16mb}", "work_mem must be a size with its unit"),
        ('{work_mem: "16MB; DROP"}', "work_mem must be a size with its unit"),
        ("{max_connections: 5}", "max_connections must be at least 10, not 5."),
        ("{max_connections: '200'}", "max_connections must be a whole number"),
        ("{fsync: off}", "unknown key fsync"),
        ("{archive_command: rm}", "unknown key archive_command"),
        ("{shared_buffers: 7GB}", "shared_buffers 7GB is more than 40% of the server's 16GB."),
        (
            "{work_mem: 64MB, max_connections: 200}",
            "work_mem 64MB × max_connections 200 is more than 50% of the server's 16GB",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_where_they_stand(
    tmp_path: Path, options: str, sentence: str
) -> None:
    (error,) = told(tmp_path, set_database(options))
    assert sentence in error
    assert error.startswith(("1.yml:9: rule slow: with: ", "1.yml:4: rule slow: with: "))


def test_a_setting_that_needs_a_restart_is_refused_unless_the_target_allows_it(
    tmp_path: Path,
) -> None:
    options = "{max_connections: 200, work_mem: 16MB}"
    (error,) = told(tmp_path, set_database(options, "memory: 16GB"))
    assert "max_connections takes effect only when the server starts anew, and target app" in error
    assert not load(tmp_path, set_database("{work_mem: 16MB}", "memory: 16GB")).warnings


def test_a_server_whose_memory_is_not_known_is_warned_of(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, set_database("{work_mem: 16MB}", "restart: never")).warnings
    assert "nothing holds work_mem against the server's memory" in warning


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("memory: 16", "memory must be a size with its unit"),
        ("restart: always", "restart must be 'never' or 'allowed', not 'always'."),
    ],
)
def test_what_a_target_says_of_its_server_is_refused_where_it_cannot_be(
    tmp_path: Path, keys: str, sentence: str
) -> None:
    (error,) = told(tmp_path, set_database("{work_mem: 16MB}", keys))
    assert sentence in error


def test_settings_are_not_taken_back_in_calm(tmp_path: Path) -> None:
    text = set_database("{work_mem: 16MB}") + "    return: {after: 30m}\n"
    (error,) = told(tmp_path, text)
    assert "return is of no use to set_database" in error
