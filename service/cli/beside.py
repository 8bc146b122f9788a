"""Settings of a command that looks at what runs: beside `runbookd dev` it means that service."""

from __future__ import annotations

from service.dev.home import running_beside
from service.settings import Settings, fill_in, load_settings


def settings_beside_dev() -> Settings:
    """The settings, with what the service in RUNBOOKD_HOME runs with where they leave it open.

    Raises:
        SettingsInvalid: a variable has a value that cannot be used.
    """
    settings = load_settings()
    found = running_beside(settings.runbookd_home)
    if not found:
        return settings
    fill_in(found)
    return load_settings()
