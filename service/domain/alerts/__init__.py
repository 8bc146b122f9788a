"""Alerts: what a sender said, episodes from firing to resolved, incidents, and their identities."""
