from __future__ import annotations

import pytest

from service.domain.decisions.decision_tree import (
    Advice,
    Question,
    Reading,
    is_about_performance,
    recommend,
)

CALM: dict[Question, float | None] = {
    Question.CPU: 30,
    Question.MEMORY: 40,
    Question.DATABASE: 50,
    Question.CACHE: 95,
}


def readings(**changes: float | None) -> dict[Question, Reading]:
    values = {**CALM, **{Question[name.upper()]: value for name, value in changes.items()}}
    return {q: Reading(v, "" if v is not None else "no data") for q, v in values.items()}


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"cpu": 71}, Advice.HORIZONTAL_SCALE),
        ({"cpu": 70}, Advice.CHECK_NETWORK),
        ({"memory": 80.1}, Advice.VERTICAL_SCALE),
        ({"memory": 80}, Advice.CHECK_NETWORK),
        ({"database": 4}, Advice.SCALE_DATABASE),
        ({"database": 5}, Advice.CHECK_NETWORK),
        ({"cache": 79.9}, Advice.OPTIMIZE_CACHE),
        ({"cache": 80}, Advice.CHECK_NETWORK),
        ({"cpu": 99, "memory": 99, "database": 0, "cache": 0}, Advice.HORIZONTAL_SCALE),
        ({"memory": 99, "database": 0, "cache": 0}, Advice.VERTICAL_SCALE),
        ({"database": 0, "cache": 0}, Advice.SCALE_DATABASE),
        ({"cpu": 0, "memory": 0}, Advice.CHECK_NETWORK),
    ],
)
def test_the_first_question_answered_with_yes_decides(
    changes: dict[str, float], advice: Advice
) -> None:
    assert recommend(readings(**changes)).advice is advice


def test_what_cannot_be_read_is_passed_by_and_named() -> None:
    found = recommend(readings(cpu=None, memory=91))
    assert found.advice is Advice.VERTICAL_SCALE
    assert found.unread == (Question.CPU,)
    assert found.found == ("CPU: not known. No data", "Memory > 80 %? yes: 91 %")
    assert found.because == "Memory > 80 %? yes: 91 %"


def test_when_nothing_explains_it_the_unread_are_to_be_looked_at_by_hand() -> None:
    found = recommend(readings(database=None))
    assert found.advice is None
    assert found.because.endswith("these are not known: Free database connections")


def test_without_any_reading_nothing_is_said_to_be_fine() -> None:
    found = recommend(readings(cpu=None, memory=None, database=None, cache=None))
    assert found.advice is None
    assert found.because.startswith("Nothing could be measured")
    assert found.unread == tuple(Question)
    assert len(found.found) == 4


def test_when_all_is_within_bounds_it_says_so() -> None:
    assert "all within their bounds" in recommend(readings()).because


@pytest.mark.parametrize(
    "name",
    [
        "High CPU Usage",
        "HighCPUUsage",
        "host_memory_pressure",
        "ContainerHighMemoryUsage",
        "Slow Response Time",
        "HighErrorRate",
        "Http5xxRate",
        "Database Connection Pool Exhausted",
        "PostgresqlTooManyConnections",
        "LowCacheHitRatio",
    ],
)
def test_the_tree_knows_alerts_about_performance(name: str) -> None:
    assert is_about_performance(name)


@pytest.mark.parametrize(
    "name",
    [
        "DiskFull",
        "HostOutOfDiskSpace",
        "HostUnusualDiskReadLatency",
        "NodeFilesystemAlmostOutOfSpace",
        "SSL certificate expires",
        "BackupFailed",
        "CronJobSlow",
        "PostgresqlReplicationLag",
        "Watchdog",
        "InstanceDown",
        "",
    ],
)
def test_the_tree_knows_nothing_of_a_disk_a_certificate_or_a_job(name: str) -> None:
    assert not is_about_performance(name)
