"""The entry points for a WSGI server.

`create_on_greenlets` is for gunicorn with our configuration (`service.web.gunicorn_conf`). `create`
is for any threaded server.
"""

from __future__ import annotations

import atexit
import sys

from flask import Flask

from service.bootstrap.access import judge_access, require_access
from service.bootstrap.memory import spare_the_collector
from service.bootstrap.web import WebProcess, build_web
from service.settings import load_settings
from service.web.app import COMMITTER, LAST_RESORT, create_app
from service.web.concurrency import Concurrency, Greenlets, Threads
from service.web.storm_worker import RULES

_UNKNOWN_HOST = "an address that only its server knows"


def create() -> Flask:
    """The application for a server that gives each request a thread.

    We cannot know on which address such a server listens, so nothing may be open without a secret.

    Raises:
        SettingsInvalid: something would be open.
    """
    settings = load_settings()
    require_access(judge_access(settings, [_UNKNOWN_HOST], keeps_short_secrets=True))
    return _create(build_web(settings), Threads())


SWITCH_S = 0.0005
"""Seconds after which a busy thread gives the interpreter's lock to the loop. With Python's default
of 5 ms, a webhook waited for 100 ms while a large notification was parsed, because a commit makes
fifteen calls to SQLite and waited at each. A storm of small notifications uses no other threads."""


def create_on_greenlets() -> Flask:
    """The application for `StormWorker`. Call it on the thread that serves."""
    sys.setswitchinterval(SWITCH_S)
    settings = load_settings()
    greenlets = Greenlets(settings.web_threads)
    return _create(build_web(settings, greenlets), greenlets)


def _create(parts: WebProcess, concurrency: Concurrency) -> Flask:
    app = create_app(parts, concurrency)
    app.extensions[RULES] = parts.rules_watch
    parts.rules_watch.start()
    atexit.register(parts.rules_watch.stop)
    atexit.register(app.extensions[COMMITTER].close)
    last_resort = app.extensions[LAST_RESORT]
    last_resort.start()
    # Exit functions run in reverse order: the last resort closes before the committer, whose
    # refusals during a stop must page nobody.
    atexit.register(last_resort.close)
    spare_the_collector()
    return app
