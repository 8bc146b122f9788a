"""Structured logs, and the Prometheus metrics of the web process.

All metrics are defined here. With PROMETHEUS_MULTIPROC_DIR set, prometheus_client adds up those of
all processes of one web server (WEB_WORKERS > 1). Otherwise each process shows its own.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MutexValue, ValueClass
from structlog.typing import EventDict, Processor

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

NOTIFICATIONS = Counter(
    "runbookd_notifications",
    "Notifications answered, by source and HTTP status.",
    ["source", "status"],
)
ALERTS = Counter(
    "runbookd_alerts",
    "Alerts kept, by source and the sender's status (firing, resolved).",
    ["source", "status"],
)
QUARANTINED = Counter(
    "runbookd_quarantined_alerts",
    "Alerts that could not be understood and were kept aside, by source.",
    ["source"],
)
DECISIONS = Counter(
    "runbookd_decisions",
    "Decisions at admission, by rule, action, verdict and the guard that decided.",
    ["rule", "action", "verdict", "guard"],
)
BATCH_DELIVERIES = Histogram(
    "runbookd_admission_batch_notifications",
    "Notifications that shared one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
COMMIT_SECONDS = Histogram(
    "runbookd_admission_commit_seconds",
    "Time to decide on one batch and commit it, in seconds.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REQUEST_SECONDS = Histogram(
    "runbookd_webhook_seconds",
    "Time from the first byte read to the answer of a notification, in seconds, by source.",
    ["source"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    if not shared_between_processes():
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped in the library
    return generate_latest(registry)


def shared_between_processes() -> bool:
    """Whether the library keeps its values in files, because PROMETHEUS_MULTIPROC_DIR is set."""
    return ValueClass is not MutexValue


def forget_process(pid: int) -> None:
    """Remove the gauges of a process that has ended. Its counters stay in the sums."""
    if shared_between_processes():
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # untyped in the library


def configure_logging(
    level: str, *, json: bool, hide: Callable[[str], str] = lambda line: line
) -> None:
    """Log to standard error, one event a line: JSON for machines, aligned text for a terminal.

    `level` is debug, info, warning, error or critical. Libraries log in the same form. `hide` takes
    the secrets out of each line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Hiding(_formatter(shared, json=json), hide))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class _Hiding(logging.Formatter):
    """Takes secrets out of another formatter's lines, also out of tracebacks and libraries'
    texts."""

    def __init__(self, inner: logging.Formatter, hide: Callable[[str], str]) -> None:
        super().__init__()
        self._inner = inner
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line without secrets."""
        return self._hide(self._inner.format(record))


def _without_controls(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace control characters, so that no text steers the terminal or makes a line look like
    two."""
    return {
        name: _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _formatter(shared: list[Processor], *, json: bool) -> logging.Formatter:
    rendering: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if json:
        rendering += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        rendering.append(_without_controls)
        # Plain tracebacks: the pretty ones print local variables, which may be secrets.
        rendering.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendering)
