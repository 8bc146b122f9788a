"""What runbookd needs from the outside, as protocols.

Actions, admission and the engine speak to these; `service.providers` and `service.store` implement
them; `service.bootstrap` alone decides which implementation is used.
"""

from service.ports.vendors import (
    AppPlatform,
    Clock,
    DatabaseCompute,
    Droplets,
    HealthProbe,
    Message,
    MessageRef,
    Messenger,
    Metrics,
    Page,
    Pager,
)

__all__ = [
    "AppPlatform",
    "Clock",
    "DatabaseCompute",
    "Droplets",
    "HealthProbe",
    "Message",
    "MessageRef",
    "Messenger",
    "Metrics",
    "Page",
    "Pager",
]
