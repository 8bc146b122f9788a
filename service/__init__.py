"""runbookd: runs the scaling runbook, so that the person on call doesn't have to.

The layers, from the bottom: `domain` decides and does no I/O; `ports` says what the
outside must offer; `intake` reads what senders post; `actions` does one verb of the runbook
each; `providers`, `store`, `engine` and `sandbox` do the I/O; `bootstrap` chooses the
concrete parts; `web` and `cli` are the doors. The import contract in pyproject.toml holds
that order.
"""
