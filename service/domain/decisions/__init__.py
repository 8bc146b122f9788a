"""Decisions: what is asked, what was decided with which checks, claims, and plans."""
