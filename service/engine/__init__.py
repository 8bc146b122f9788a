"""The durable engine: runs that survive crashes, one at a time per vendor resource.

Only `durable` and `queue` know the library that records workflows and steps; the rest would run
on anything that does.
"""
