"""What levels hold, on a simulated clock, and what of them is found wrong before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import process_time
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from service.domain.levels.checks import beaten_floors, overlaps
from service.domain.levels.levels import CALENDAR, SCHEDULE, Bounds, Level, Levels, Statement
from service.domain.levels.resolve import Standing, changes, standing
from service.domain.levels.told import levels_told
from service.domain.rules.rules import RuleBook
from service.domain.windows import Window
from service.rulebook import load_rulebook
from service.rulebook.pack import packaged
from tests.unit.rulebook_files import ENV, GOOD, PACK, load, told

NEW_YORK = "America/New_York"
API = ("api", "replicas")
SEASONS = PACK.parent / "seasons.yml"
HOUR = 3600
WITH_ALL = "    # with cache and replicas: "


def at(text: str, zone: str = NEW_YORK) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load_rulebook([PACK, SEASONS], ENV)


def level(name: str, kind: str, *windows: Window, **said: int) -> Level:
    return Level(name, kind, windows, MappingProxyType({API: Statement(**said)}))


def levels_of(*levels: Level, least: int = 2, most: int = 20) -> Levels:
    return Levels(levels, MappingProxyType({API: Bounds(least, most)}), NEW_YORK)


ALWAYS = Window()
NOW = at("2026-09-02T12:00")


def held(*levels: Level) -> Standing:
    return standing(levels_of(*levels), API, NOW)


def test_in_two_years_of_the_shipped_levels_no_hour_is_without_a_level(book: RuleBook) -> None:
    """Each hour is compared with the runbook's numbers, read by the wall clock of New York."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(2 * 365 * 24):
        now = moment + timedelta(hours=hour)
        local = now.astimezone(ZoneInfo(NEW_YORK))
        floor, ceiling = _by_hand(local.month)
        office = local.weekday() < 5 and 7 <= local.hour < 22
        wanted = min(max(3 if office else 2, floor), ceiling)
        assert standing(book.levels, API, now.timestamp()).value == wanted, local


def _by_hand(month: int) -> tuple[int, int]:
    named = {9: (5, 10), 10: (8, 15), 11: (8, 15), 12: (10, 20), 5: (10, 20)}
    return named.get(month) or ((2, 5) if month in (6, 7, 8) else (2, 20))


@pytest.mark.parametrize(
    ("when", "strategy", "replicas"),
    [
        ("2026-09-10T12:00", "aggressive", None),
        ("2026-10-10T12:00", "aggressive", 2),
        ("2026-12-10T12:00", "maximum", 3),
        ("2027-01-10T12:00", None, None),
        ("2027-05-10T12:00", "maximum", 3),
        ("2027-07-10T12:00", "standard", None),
    ],
)
def test_the_lines_for_cache_and_replicas_in_the_shipped_seasons_hold_what_the_runbook_says(
    tmp_path: Path, when: str, strategy: str | None, replicas: int | None
) -> None:
    lines: list[str] = []
    for line in SEASONS.read_text().splitlines():
        if line.startswith(WITH_ALL):
            assert lines.pop().startswith("    hold: ")
            line = "    " + line.removeprefix(WITH_ALL)  # noqa: PLW2901 - put in its place
        lines.append(line)
    project = '    project: "${SUPABASE_PROJECT_REF}"\n'
    pack = PACK.read_text()
    assert project in pack
    (tmp_path / "pack.yml").write_text(
        pack.replace(project, f"{project}    replicas: {{max: 3, regions: [us-east-1]}}\n")
    )
    (tmp_path / "seasons.yml").write_text("\n".join(lines))
    cache = PACK.parent / "cache.yml"
    book = load_rulebook([tmp_path / "pack.yml", cache, tmp_path / "seasons.yml"], ENV)
    found = [
        standing(book.levels, of, at(when)).value
        for of in (("app-cache", "strategy"), ("database", "replicas"))
    ]
    assert found == [strategy, replicas]


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        ("2026-03-02", "2026-03-07", 5 * 15),  # winter time
        ("2026-03-07", "2026-03-10", 15 + 0),  # the clock goes forward on Sunday
        ("2026-10-31", "2026-11-03", 15 + 0),  # the clock goes back on Sunday
    ],
)
def test_office_hours_are_fifteen_hours_a_day_in_each_zone_change(
    first: str, last: str, hours: int
) -> None:
    office = Window(days=(0, 1, 2, 3, 4), start=7 * 60, end=22 * 60, zone=NEW_YORK)
    spans = level("office", SCHEDULE, office, aim=3).spans(at(first), at(last))
    assert sum(closes - opens for opens, closes in spans) == hours * HOUR


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-03-15", 24)]
)
def test_a_day_on_which_the_clock_changes_is_held_for_all_its_hours(day: str, hours: int) -> None:
    sunday = level("sunday", SCHEDULE, Window(days=(6,), zone=NEW_YORK), aim=2)
    start = at(day) - HOUR
    ((opens, closes),) = sunday.spans(start, start + 30 * HOUR)
    assert (opens, closes - opens) == (at(day), hours * HOUR)


def test_an_hour_that_comes_twice_is_held_both_times() -> None:
    """New York, 1 November 2026: 02:00 becomes 01:00."""
    early = level("early", SCHEDULE, Window(days=(6,), start=60, end=90, zone=NEW_YORK), aim=2)
    first = at("2026-11-01T01:00")
    spans = list(early.spans(at("2026-11-01T00:00"), at("2026-11-02T00:00")))
    assert spans == [(first, first + HOUR / 2), (first + HOUR, first + 1.5 * HOUR)]


def test_a_window_inside_the_hour_that_the_clock_skips_does_not_open_on_that_day() -> None:
    skipped = level("s", SCHEDULE, Window(days=(6,), start=130, end=170, zone=NEW_YORK), aim=2)
    assert list(skipped.spans(at("2026-03-08T00:00"), at("2026-03-09T00:00"))) == []
    assert len(list(skipped.spans(at("2026-03-08T00:00"), at("2026-03-16T00:00")))) == 1


def test_a_weekend_is_another_one_in_utc_than_in_new_york() -> None:
    friday_evening = at("2026-03-06T20:00")
    in_utc, in_new_york = (
        level("weekend", SCHEDULE, Window(days=(5, 6), zone=zone)) for zone in ("UTC", NEW_YORK)
    )
    assert in_utc.open_at(friday_evening)
    assert not in_new_york.open_at(friday_evening)
    for each in (in_utc, in_new_york):
        ((opens, closes),) = each.spans(at("2026-03-04T00:00"), at("2026-03-10T12:00"))
        assert closes - opens == (48 if each is in_utc else 47) * HOUR


def test_each_change_is_the_moment_at_which_something_else_holds(book: RuleBook) -> None:
    """The changes of two years are found again by looking at every quarter of an hour."""
    start, end = at("2026-08-20T00:00"), at("2026-11-05T00:00")
    found = list(changes(book.levels, API, start, end))
    seen, before = [], standing(book.levels, API, start)
    for step in range(1, int(end - start) // 900):
        after = standing(book.levels, API, start + step * 900)
        if after.same != before.same:
            seen.append(start + step * 900)
        before = after
    assert [moment for moment, _ in found] == seen
    assert len(seen) > 100


def test_a_downtime_ends_in_what_holds_now(book: RuleBook) -> None:
    """A level has no memory: whatever was looked at before, 07:20 is an hour of the office."""
    assert standing(book.levels, API, at("2026-02-02T06:50")).value == 2
    assert standing(book.levels, API, at("2026-02-02T07:20")).value == 3


def test_a_calendar_comes_before_a_schedule_and_says_what_it_beat() -> None:
    found = held(
        level("office", SCHEDULE, ALWAYS, aim=3),
        level("exams", CALENDAR, ALWAYS, aim=12, ceiling=15),
    )
    assert (found.value, found.most) == (12, 15)
    assert [str(each) for each in found.beaten] == ["aim 3 by office: exams comes first"]


def test_of_all_floors_the_largest_counts_also_that_of_a_schedule() -> None:
    found = held(
        level("exams", CALENDAR, ALWAYS, floor=4), level("office", SCHEDULE, ALWAYS, floor=6)
    )
    assert (found.value, found.least, found.most) == (None, 6, 20)
    assert "floor 4 by exams: floor 6 by office is larger" in map(str, found.beaten)


def test_the_first_ceiling_counts_and_a_floor_above_it_is_beaten() -> None:
    found = held(
        level("office", SCHEDULE, ALWAYS, floor=9, ceiling=12),
        level("summer", CALENDAR, ALWAYS, ceiling=5),
    )
    assert (found.least, found.most) == (5, 5)
    assert "floor 9 by office: it is above ceiling 5 by summer" in map(str, found.beaten)
    assert "ceiling 12 by office: summer comes first" in map(str, found.beaten)


def test_an_aim_is_kept_between_floor_and_ceiling_and_the_reason_is_told() -> None:
    found = held(
        level("office", SCHEDULE, ALWAYS, aim=3), level("exams", CALENDAR, ALWAYS, floor=5)
    )
    assert found.value == 5
    assert [str(each) for each in found.beaten] == [
        "aim 3 by office: it lies outside floor 5 by exams"
    ]


@pytest.mark.parametrize(("present", "wanted"), [(3, 5), (7, 7), (14, 10)])
def test_without_an_aim_the_present_count_stays_within_floor_and_ceiling(
    present: int, wanted: int
) -> None:
    assert held(level("s", CALENDAR, ALWAYS, floor=5, ceiling=10)).for_present(present) == wanted


def test_what_is_said_otherwise_comes_after_every_other_level_of_its_kind() -> None:
    shut = Window(first="01-01", last="01-02")
    aims = MappingProxyType({API: Statement(aim=2)})
    office = Level("office", SCHEDULE, (shut,), MappingProxyType({API: Statement(aim=3)}), aims)
    assert held(office).value == 2
    assert held(office, level("fair", SCHEDULE, ALWAYS, aim=4)).value == 4


def test_what_is_said_otherwise_does_not_count_beside_another_level_of_its_kind() -> None:
    shut = Window(first="01-01", last="01-02")
    floor = MappingProxyType({API: Statement(floor=9)})
    office = Level("office", SCHEDULE, (shut,), MappingProxyType({API: Statement(aim=3)}), floor)
    assert held(office).least == 9
    assert held(office, level("fair", SCHEDULE, ALWAYS, aim=4)).value == 4


def test_people_are_told_of_changes_by_their_clock_and_in_utc(book: RuleBook) -> None:
    (item,) = levels_told(book.levels, book.hash, at("2026-11-01T00:00"), 2)["items"]
    assert (item["target"], item["holds"]) == ("api", "8")
    assert item["why"] == [
        "aim 2 by weekend",
        "floor 8 by mid-terms",
        "ceiling 15 by mid-terms",
    ]
    assert "aim 2 by weekend: it lies outside floor 8 by mid-terms" in item["beat"]
    monday = item["changes"][1]
    assert monday["local"] == "Mon 2026-11-02 07:00 EST"
    assert monday["at"] == "2026-11-02T12:00:00+00:00"


def of_levels(book: RuleBook) -> list[str]:
    """The warnings about levels; the targets of these files earn one of their own."""
    return [each for each in book.warnings if " level " in each]


LEVEL = "levels:\n  - {{name: a, kind: {kind}, when: {when}, hold: {hold}{more}}}\n"


def one(
    when: str = "{days: mon-fri}",
    hold: str = "{api: {replicas: {aim: 3}}}",
    kind: str = "schedule",
    more: str = "",
) -> str:
    return GOOD + LEVEL.format(when=when, hold=hold, kind=kind, more=more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "levels: 3\n", "1.yml:9: levels must be a list"),
        (GOOD + "levels:\n  - 3\n", "1.yml:10: level number 1: a level is a mapping"),
        (one().replace("kind: schedule, ", ""), "1.yml:10: level a: kind is missing"),
        (one().replace("name: a, ", ""), "1.yml:10: level number 1: name is missing"),
        (
            one(kind="cron"),
            "1.yml:10: level a: kind must be 'calendar', 'growth' or 'schedule', not 'cron'.",
        ),
        (one(when='{dates: "02-30"}'), "1.yml:10: level a: '02-30' is no date of the calendar."),
        (one(when='{between: ["7:00", "22:00"]}'), "'7:00' is no time of the day"),
        (one(when='{between: ["07:00", "25:00"]}'), "'25:00' is no time of the day"),
        (one(when="{}"), "level a: when must be a window or a list of them"),
        (one(when="[]"), "level a: when is empty"),
        (one(when="{days: mon-sun}"), "level a: this window never closes; to hold something at"),
        (one(more=", zone: Mars/Base"), "'Mars/Base' is no time zone"),
        (one(more=", cron: x"), "level a: unknown key cron;"),
        (one(hold="{apj: {replicas: 3}}"), "unknown target 'apj'; did you mean api?"),
        (one(hold="{api: {cpu: 3}}"), "no level can hold cpu of api"),
        (one(hold="{vm: {size: s-1vcpu-1gb}}"), "no level can hold size of vm, which is of kind"),
        (one(hold="{api: 3}"), "hold of api must be a mapping of what it holds"),
        (one(hold="{api: {replicas: {}}}"), "it says nothing; give it aim, floor or ceiling."),
        (one(hold="{api: {replicas: {flor: 3}}}"), "unknown key 'flor'; did you mean floor?"),
        (one(hold="{api: {replicas: {floor: two}}}"), "floor must be a whole number, not 'two'."),
        (one(hold="{api: {replicas: {aim: 2.5}}}"), "aim must be a whole number or a text"),
        (one(hold="{api: {replicas: many}}"), "aim must be a whole number, not 'many'."),
        (one(hold="{api: {replicas: {floor: 7, ceiling: 5}}}"), "its floor 7 is above its ceiling"),
        (one(hold="{api: {replicas: {aim: 11}}}"), "its aim 11 is above the limit 10 of api."),
        (one(hold="{api: {replicas: {ceiling: 1}}}"), "its ceiling 1 is below the min 2 of api."),
    ],
)
def test_a_level_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    errors = told(tmp_path, text)
    assert any(said in each for each in errors), errors
    assert all(each.startswith(("1.yml:9", "1.yml:10")) for each in errors)
    assert len(errors) == 1, "a consequence is not told beside its cause"


def test_two_levels_of_one_kind_that_overlap_are_refused_with_both_lines_and_the_first_minute(
    tmp_path: Path,
) -> None:
    second = (
        "  - {name: b, kind: schedule, zone: America/New_York, when: {days: fri-sat, "
        'between: ["12:00", "24:00"]}, hold: {api: {replicas: {floor: 2}}}}\n'
    )
    (error,) = told(tmp_path, one() + second)
    assert error.startswith("1.yml:11: level b: it overlaps with level a (")
    assert (
        "1.yml:10) of the same kind: both hold replicas of api, first at 2026-01-02 12:00" in error
    )
    other_kind = second.replace("kind: schedule", "kind: calendar")
    assert len(load(tmp_path, one() + other_kind).levels.levels) == 2


def test_an_overlap_in_a_year_that_a_date_names_is_found(tmp_path: Path) -> None:
    launch = one(when='{dates: "2031-05-01..2031-05-03"}')
    second = LEVEL.format(
        when='{dates: "05-03..05-09"}', hold="{api: {replicas: 4}}", kind="schedule", more=""
    )
    (error,) = told(
        tmp_path, launch + second.replace("levels:\n", "").replace("name: a", "name: b")
    )
    assert "first at 2031-05-03 00:00 UTC" in error


def test_a_date_without_an_end_is_followed_for_ten_years(tmp_path: Path) -> None:
    launch = one(when='{days: mon, dates: "2026-09-01..9999-12-31"}')
    second = LEVEL.format(
        when="{days: mon-tue}", hold="{api: {replicas: 4}}", kind="schedule", more=""
    )
    (error,) = told(
        tmp_path, launch + second.replace("levels:\n", "").replace("name: a", "name: b")
    )
    assert "first at 2026-09-07 00:00 UTC" in error


def test_a_thousand_levels_that_follow_each_other_are_checked_in_a_moment() -> None:
    """It took 300 s for fifty, and takes a quarter of a second for a thousand. The bound is in
    processor time, and wide for a slow machine."""
    first = date(2026, 1, 1)
    days = [(first + timedelta(days=each)).isoformat() for each in range(1_000)]
    levels = [
        level(f"day-{day}", CALENDAR, Window(first=day, last=day, zone=NEW_YORK), floor=3)
        for day in days
    ]
    levels.append(level("twice", CALENDAR, Window(first=days[-1], last=days[-1]), ceiling=2))
    began = process_time()
    found = list(overlaps(levels))
    assert [(each.earlier.name, each.later.name) for each in found] == [
        (f"day-{day}", "twice") for day in days[-2:]
    ]
    assert len(list(beaten_floors(levels))) == len(found)
    assert process_time() - began < 10


def test_two_levels_of_one_name_are_refused(tmp_path: Path) -> None:
    second = one(when="{days: sat}").removeprefix(GOOD).removeprefix("levels:\n")
    (error,) = told(tmp_path, one() + second)
    assert error.startswith("1.yml:11: level a: another level has the same name at ")


def test_only_one_level_of_a_kind_says_otherwise_of_an_attribute(tmp_path: Path) -> None:
    more = ", otherwise: {api: {replicas: 2}}"
    first = one(more=more)
    second = one(when="{days: sat}", more=more).removeprefix(GOOD).removeprefix("levels:\n")
    (error,) = told(tmp_path, first + second.replace("name: a", "name: b"))
    assert "also says otherwise of replicas of api" in error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            one(when='{days: sun, between: ["02:30", "05:00"]}', more=", zone: America/New_York"),
            "02:30 in America/New_York, on 2026-03-08: the clock skips it",
        ),
        (
            one(when='{days: sun, between: ["01:30", "05:00"]}', more=", zone: America/New_York"),
            "01:30 in America/New_York, on 2026-11-01: the clock shows it twice",
        ),
        (
            one(kind="calendar", when='{dates: "05-01..12-31"}'),
            "no calendar says anything of replicas of api on these days: 01-01 to 04-30.",
        ),
        (one(hold="{api: {replicas: 1}}"), "its aim 1 is below the min 2 of api, which is a floor"),
        (
            one(hold="{api: {replicas: {floor: 8}}}")
            + "  - {name: b, kind: calendar, when: {days: mon-fri}, "
            "otherwise: {api: {replicas: 2}}, hold: {api: {replicas: {ceiling: 5}}}}\n",
            "its floor of replicas of api is above the ceiling of level b",
        ),
    ],
)
def test_what_a_level_may_say_and_hardly_means_is_warned_of(
    tmp_path: Path, text: str, said: str
) -> None:
    (warning,) = of_levels(load(tmp_path, text))
    assert said in warning
    assert "1.yml:10: warning: level a: " in warning


def test_a_level_that_is_in_order_changes_the_hash_and_one_written_lower_does_not(
    tmp_path: Path,
) -> None:
    without, with_level = load(tmp_path, GOOD), load(tmp_path, one())
    moved = load(tmp_path, one().replace("levels:", "\n\nlevels:"))
    assert without.hash != with_level.hash == moved.hash
    assert without.levels.levels == ()


def test_a_target_that_only_a_level_holds_is_used(tmp_path: Path) -> None:
    without_a_rule = "".join(
        line for line in one().splitlines(keepends=True) if "name: cpu" not in line
    )
    assert load(tmp_path, without_a_rule).targets.keys() == {"api", "vm", "db"}
    (error,) = told(tmp_path, without_a_rule.partition("levels:")[0])
    assert "target api: no rule uses it" in error


def test_the_shipped_levels_are_installed_and_warn_of_the_gap_in_the_school_year_alone(
    book: RuleBook,
) -> None:
    assert packaged("seasons.yml").read_text() == SEASONS.read_text()
    (warning,) = book.warnings
    assert "on these days: 01-01 to 04-30. What" in warning
    assert [each.name for each in book.levels.levels][:2] == ["office-hours", "weekend"]
