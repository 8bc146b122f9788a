"""The console under /console: what the API tells, as pages for a person with a browser.

It stands in the web process and can do nothing that the API can't. It lies within `web` because it
needs the same doorkeeper and the same roles, and because web puts it into its application: a
package beside web could not be imported by it.
"""

from __future__ import annotations

from flask import Blueprint

from service.web.console.deeds import add_deeds
from service.web.console.frame import framed
from service.web.console.levels import add_levels
from service.web.console.now import add_now
from service.web.console.records import add_records
from service.web.console.scenarios import add_scenarios
from service.web.console.trying import add_trying
from service.web.parts import WebParts


def blueprint(parts: WebParts) -> Blueprint:
    """The console. Without API_TOKENS whoever is on this machine may look at it."""
    console = framed(parts)
    add_now(console, parts)
    add_records(console, parts)
    add_deeds(console, parts)
    add_trying(console, parts)
    add_levels(console, parts)
    add_scenarios(console, parts)
    return console
