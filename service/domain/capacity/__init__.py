"""Capacity: ladders of sizes and their prices."""
