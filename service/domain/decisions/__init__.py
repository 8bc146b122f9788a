"""Decisions: requests, guards and their checks, claims, plans."""
