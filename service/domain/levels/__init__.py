"""Levels: what should hold now, by the calendar and the clock."""
