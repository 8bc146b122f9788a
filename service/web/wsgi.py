"""What a WSGI server is pointed at: `gunicorn -c python:service.web.gunicorn_conf`."""

from __future__ import annotations

import atexit

from flask import Flask

from service.bootstrap.memory import spare_the_collector
from service.bootstrap.web import build_web
from service.settings import load_settings
from service.web.app import COMMITTER, create_app


def create() -> Flask:
    """The application of this process, with the settings of its environment."""
    app = create_app(build_web(load_settings()))
    atexit.register(app.extensions[COMMITTER].close)
    spare_the_collector()
    return app
