"""`runbookd dev`: everything that a trial needs, in one terminal.

It starts the processes that run in production (`runbookd web` and `worker`), a sandbox cloud and a
Redis. It restarts those that die and ends all of them together, so that none is left behind. It
decides nothing about alerts.
"""
