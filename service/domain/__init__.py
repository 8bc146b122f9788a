"""The decisions of runbookd: pure functions over frozen values.

Nothing here does I/O, reads a clock or the environment, or knows a vendor's SDK; time is
always an argument. The import contract proves it.
"""
