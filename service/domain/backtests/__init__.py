"""Backtests: what two rule files made of the same alerts, compared. Pure."""
