"""The one place that chooses concrete parts, from the settings alone.

A module for each process, so that the web process loads no vendor's SDK. Tests use these
functions too, with other settings: what they exercise is what runs.
"""
