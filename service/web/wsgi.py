"""What a WSGI server is pointed at.

`create_on_greenlets` is for gunicorn as it ships: `gunicorn -c python:service.web.gunicorn_conf`;
`create` is for any threaded server.
"""

from __future__ import annotations

import atexit
import sys

from flask import Flask

from service.bootstrap.access import judge_access, require_access
from service.bootstrap.memory import spare_the_collector
from service.bootstrap.web import build_web
from service.settings import load_settings
from service.web.app import COMMITTER, LAST_RESORT, create_app
from service.web.concurrency import Concurrency, Greenlets, Threads
from service.web.parts import WebParts

_UNKNOWN_HOST = "an address that only its server knows"


def create() -> Flask:
    """The application for a server that gives each request a thread.

    Nothing here knows where such a server listens, so nothing may be open.

    Raises:
        SettingsInvalid: something would be.
    """
    settings = load_settings()
    require_access(judge_access(settings, [_UNKNOWN_HOST], keeps_short_secrets=True))
    return _create(build_web(settings), Threads())


SWITCH_S = 0.0005
"""Seconds after which a thread that works aside gives way to the loop, and the loop from greenlets
to the network. Python's 5 ms, at each of a commit's fifteen calls to SQLite, made a webhook wait
for 100 ms while a large notification was parsed. A storm has no such threads."""


def create_on_greenlets() -> Flask:
    """The application for `StormWorker`; made in the thread that serves."""
    sys.setswitchinterval(SWITCH_S)
    settings = load_settings()
    greenlets = Greenlets(settings.web_threads)
    return _create(build_web(settings, greenlets), greenlets)


def _create(parts: WebParts, concurrency: Concurrency) -> Flask:
    app = create_app(parts, concurrency)
    atexit.register(app.extensions[COMMITTER].close)
    last_resort = app.extensions[LAST_RESORT]
    last_resort.start()
    # Before the committer, which refuses what still comes.
    atexit.register(last_resort.close)
    spare_the_collector()
    return app
