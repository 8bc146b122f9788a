"""Pools of database connections: how large they may be, and what configures them. Pure."""
