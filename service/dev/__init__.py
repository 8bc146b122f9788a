"""`runbookd dev`: everything that a trial needs, in one terminal, and nothing left behind.

It starts the same processes that run in production (`runbookd web`, `worker`, `sandbox`) and a
Redis beside them, watches them, and ends them together. It decides nothing about alerts.
"""
