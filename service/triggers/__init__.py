"""What makes requests: today alerts, and replays of them.

A trigger judges what asks, claims, and queues the run, in one transaction. It does no I/O of its
own: the store is handed in.
"""
