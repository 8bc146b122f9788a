"""Readings: what was measured, kept by the hour and by the day."""
