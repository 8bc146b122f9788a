"""What runbookd remembers: the journal in SQL, which decides, and coordination in Redis, which
debounces. Losing Redis costs speed, never correctness.
"""
