"""Scenarios: procedures of several steps."""
