"""Lets commands beside a running `runbookd dev` use the database and the settings of that
service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dev.home import running_beside
from service.environment import fill_in, home

if TYPE_CHECKING:
    from service.settings import Settings


def settings_beside_dev() -> Settings:
    """The settings. What the environment leaves open is taken from the service in RUNBOOKD_HOME.

    Raises:
        SettingsInvalid: a variable has a value that cannot be used.
    """
    look_beside_dev()
    from service.settings import load_settings

    return load_settings()


def look_beside_dev() -> None:
    """Add to the environment what the service in RUNBOOKD_HOME runs with.

    Raises:
        Unreadable: a file that a variable names cannot be used.
    """
    fill_in(running_beside(home()))
