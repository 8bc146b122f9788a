"""Backtests: the alerts of the past once more, by other rules, on a clock that only pretends.

Everything that decides is the code of the service: admission, guards, claims, a worker's runs, what
is taken back, levels, budgets, approvals, outcomes. It runs on the service's own stores, over a
SQLite file that is thrown away. Only three things are pretended: the time, the vendors and people.
"""
