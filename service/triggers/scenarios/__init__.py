"""Scenarios that are started: by a person, or by a rule."""
