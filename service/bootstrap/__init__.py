"""The one place that chooses concrete parts, from the settings alone.

Each process has a module of its own, so that the web process loads no vendor's SDK but the pager's.
Tests build the service by the same functions, with other settings.
"""
