"""What runbookd needs from the outside, as protocols.

Actions, admission and the engine speak to these; `service.providers` and `service.store` implement
them; `service.bootstrap` alone decides which implementation is used.
"""

from service.ports.app_platform import AppPlatform
from service.ports.clock import Clock
from service.ports.cloudflare_zone import CloudflareZones
from service.ports.droplet import Droplets
from service.ports.messenger import Message, MessageRef, Messenger
from service.ports.pager import Page, Pager
from service.ports.readings import HealthProbe, Metrics
from service.ports.supabase import DatabaseCompute
from service.ports.valkey import ValkeyClusters

__all__ = [
    "AppPlatform",
    "Clock",
    "CloudflareZones",
    "DatabaseCompute",
    "Droplets",
    "HealthProbe",
    "Message",
    "MessageRef",
    "Messenger",
    "Metrics",
    "Page",
    "Pager",
    "ValkeyClusters",
]
